package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/account"
	"github.com/radpanel/radpanel/app/api"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/databasetest"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/panel"
	"github.com/radpanel/radpanel/app/scaling"
	"github.com/radpanel/radpanel/app/telemetry"
)

var server databasetest.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

const password = "correct horse battery"

// service is the whole HTTP service on a database of its own.
type service struct {
	API      *api.API
	DB       *database.DB
	Database *databasetest.Database
	Accounts *account.Service
	Scaling  *scaling.Monitor
	Files    file.Store
	Metrics  *telemetry.Metrics
	Log      *logBuffer
	URL      string
	Clock    *clock
	Config   config.Config

	users atomic.Int64
}

// testConfig is a configuration in which nothing gets into a test's way.
func testConfig(t testing.TB) config.Config {
	t.Helper()
	return config.Config{
		Tier: "mvp", ListenAddress: "127.0.0.1:0", PublicURL: "http://localhost:8080", LogLevel: "debug",
		TrustedProxies: []string{"127.0.0.0/8"}, DatabaseConnections: 10, DatabaseWait: 5 * time.Second, MaxInFlight: 256,
		RequestTimeout: 15 * time.Second, FilesDirectory: t.TempDir(), FileSizeLimit: 1 << 20,
		EncryptionKey:      "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		SessionIdleTimeout: 24 * time.Hour, SessionAbsoluteTimeout: 72 * time.Hour,
		SignInsPerEmail: 100_000, SignInsPerAddress: 100_000, SignUpsPerAddress: 100_000, DrainTimeout: 5 * time.Second,
	}
}

// newService starts the service; change may adjust its configuration.
func newService(t testing.TB, change ...func(*config.Config)) *service {
	t.Helper()
	cfg := testConfig(t)
	for _, apply := range change {
		apply(&cfg)
	}
	s := &service{Database: server.NewDatabase(t), Clock: &clock{}, Log: &logBuffer{}, Config: cfg, Metrics: telemetry.NewMetrics()}
	statements := database.NewStatementCounter(s.Metrics.Registry)
	s.DB = s.Database.OpenWith(t, database.Options{
		Connections: cfg.DatabaseConnections, Wait: cfg.DatabaseWait, Tracer: statements,
	})
	log, err := telemetry.NewLogger(s.Log, cfg.LogLevel)
	require.NoError(t, err)
	s.Accounts, err = account.New(account.Options{
		Config: cfg, DB: s.DB, Log: log, Now: s.Clock.Now,
		PasswordCost: account.PasswordCost{MemoryKiB: 64, Passes: 1, Lanes: 1}, // Takes no time.
	})
	require.NoError(t, err)
	s.Metrics.Window = telemetry.NewWindow(s.Clock.Now)
	s.Scaling = scaling.New(scaling.Options{
		Config: cfg, Plan: testPlan(), DB: s.DB, Window: s.Metrics.Window, Reads: statements.Reads, Log: log, Now: s.Clock.Now,
	})
	history, err := scaling.NewHistorian(cfg, testPlan(), s.Clock.Now)
	require.NoError(t, err)
	traces, err := telemetry.NewTracing(telemetry.TracingOptions{
		Endpoint: cfg.TraceEndpoint, Ratio: 1, PerSecond: 1000, Slow: time.Hour, Scheme: "http", Registry: s.Metrics.Registry, Log: log,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = traces.Stop(ctx) // What is not sent by then no test waits for.
	})
	s.API, err = api.New(api.Deps{
		Traces: traces, Config: cfg, DB: s.DB, Accounts: s.Accounts, Panels: panel.NewService(s.DB, nil, nil), Files: s.openFiles(t),
		Levels: &scaling.ServiceLevels{DB: s.DB, URL: "http://127.0.0.1:1/", Now: time.Now},
		Log:    log, Metrics: s.Metrics, Now: s.Clock.Now, Plan: testPlan(), Scaling: s.Scaling, History: history,
	})
	require.NoError(t, err)
	s.API.SetReady()
	httpServer := httptest.NewServer(s.API.Handler())
	t.Cleanup(httpServer.Close)
	s.URL = httpServer.URL
	return s
}

// openFiles opens the file store of the configuration.
func (s *service) openFiles(t testing.TB) file.Store {
	t.Helper()
	if s.Config.FileStore == config.FileStoreS3 {
		store, err := file.OpenS3(s.Config)
		require.NoError(t, err)
		s.Files = store
		return store
	}
	disk, err := file.OpenDisk(s.Config.FilesDirectory)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, disk.Close()) })
	s.Files = disk
	return disk
}

// testPlan is a plan of two tiers with one trigger between them.
func testPlan() *config.Plan {
	return &config.Plan{
		Tiers: []config.PlanTier{
			{Tier: "mvp", Title: "MVP", Capacity: config.PlanCapacity{ConcurrentUsers: 100, RequestsPerSecond: 50, DatabaseConnections: 20}},
			{
				Tier: "tier1", Title: "Tier 1", Actions: []config.PlanAction{{Words: "Add Redis for caching"}},
				MonthlyCost: config.PlanCost{LowUSD: 20, HighUSD: 30, Added: true},
				Triggers: []config.PlanTrigger{
					{ID: "connections", Words: "Database connections >0", Metric: "database_connections", Threshold: 0, For: 10 * time.Minute},
					{ID: "memory", Words: "Redis memory >1GB", Metric: "cache_memory", Threshold: 1e9},
				},
			},
		},
		NextReview: config.PlanReview{Words: "After 100 active users", ActiveUsers: 100},
		Records: map[string]string{
			"database_connections": "radpanel:database_connections:count", "cache_memory": "radpanel:cache_memory:bytes",
			"response_time_p95": "radpanel:response_time_p95:seconds",
		},
	}
}

// client is one browser: it keeps the session's cookie.
type client struct {
	service *service
	URL     string
	Email   string
	UserID  string
	Header  http.Header

	mu    sync.Mutex
	token string
}

// anonymous is a client that is not signed in.
func (s *service) anonymous() *client {
	return &client{service: s, URL: s.URL, Header: http.Header{}}
}

// signUp makes a new user; the first one of a service is an administrator.
func (s *service) signUp(t testing.TB) *client {
	t.Helper()
	c := s.anonymous()
	c.Email = fmt.Sprintf("user%d@example.com", s.users.Add(1))
	r := c.do(t, "POST", "/users", map[string]any{"email": c.Email, "password": password})
	r.is(t, http.StatusCreated)
	var signed api.SignedIn
	r.decode(t, &signed)
	c.UserID = signed.User.ID.String()
	return c
}

// signIn opens another session of the same user.
func (c *client) signIn(t testing.TB) *client {
	t.Helper()
	other := c.service.anonymous()
	other.Email, other.UserID = c.Email, c.UserID
	other.do(t, "POST", "/sessions", map[string]any{"email": c.Email, "password": password}).is(t, http.StatusCreated)
	return other
}

// answer is a response, read to the end.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// do sends a request; body may be nil, a string or bytes as they are, an io.Reader, or anything to send as JSON.
// headers come in pairs of name and value.
func (c *client) do(t testing.TB, method, path string, body any, headers ...string) answer {
	t.Helper()
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "/api/") {
		path = "/api/v1" + path
	}
	r, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, bodyReader(t, body))
	require.NoError(t, err)
	return c.send(t, r, headers...)
}

func (c *client) send(t testing.TB, r *http.Request, headers ...string) answer {
	t.Helper()
	if r.Body != nil && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, values := range c.Header {
		r.Header[name] = values
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if token := c.Token(); token != "" {
		r.AddCookie(&http.Cookie{Name: "rad_session", Value: token})
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	for _, cookie := range response.Cookies() {
		if cookie.Name == "rad_session" {
			c.setToken(cookie.Value)
		}
	}
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, data}
}

// Token is the session's token, "" when signed out.
func (c *client) Token() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

func (c *client) setToken(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token
}

func bodyReader(t testing.TB, body any) io.Reader {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return strings.NewReader(b)
	case []byte:
		return bytes.NewReader(b)
	case io.Reader:
		return b
	default:
		data, err := json.Marshal(b)
		require.NoError(t, err)
		return bytes.NewReader(data)
	}
}

// is asserts the status.
func (a answer) is(t testing.TB, status int) answer {
	t.Helper()
	require.Equal(t, status, a.Status, "%s", a.Body)
	return a
}

// decode reads the JSON body.
func (a answer) decode(t testing.TB, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(a.Body, into), "%s", a.Body)
}

// problem reads the problem details.
func (a answer) problem(t testing.TB) (p struct {
	Type, Title, Detail, Instance string
	Status                        int
	Errors                        []struct{ Location, Message string }
},
) {
	t.Helper()
	require.Equal(t, "application/problem+json", a.Header.Get("Content-Type"), "%s", a.Body)
	a.decode(t, &p)
	require.Equal(t, a.Status, p.Status)
	return p
}

// clock is the real one, plus what a test adds.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// logBuffer keeps the service's log lines.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// fresh is the same user with a session of its own, made without a password: hashing takes long.
func (c *client) fresh(t testing.TB) *client {
	t.Helper()
	user := uuid.MustParse(c.UserID)
	raw := make([]byte, 33)
	_, _ = rand.Read(raw)
	raw[0] = user[15]
	hash := sha256.Sum256(raw)
	_, err := c.service.DB.CreateSession(t.Context(), dbgen.CreateSessionParams{
		Bucket: database.BucketOf(user), ID: uuid.Must(uuid.NewV7()), UserID: user, TokenHash: hash[:],
		CreatedAt: c.service.Clock.Now(), ExpiresAt: c.service.Clock.Now().Add(time.Hour),
	})
	require.NoError(t, err)
	other := c.service.anonymous()
	other.Email, other.UserID = c.Email, c.UserID
	other.setToken(base64.RawURLEncoding.EncodeToString(raw))
	return other
}
