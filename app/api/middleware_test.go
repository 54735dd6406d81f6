package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/api"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/panel"
)

func TestWritesFromOtherOriginsAreRefused(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	for _, headers := range [][]string{
		nil,
		{"Origin", "http://localhost:8080"},
		{"Origin", "http://127.0.0.1:8080"},
		{"Origin", "http://LOCALHOST:8080"},
		{"Sec-Fetch-Site", "same-origin"},
		{"Sec-Fetch-Site", "none"},
	} {
		c.do(t, "POST", "/panels", map[string]any{"name": "x"}, headers...).is(t, http.StatusCreated)
	}
	for _, headers := range [][]string{
		{"Origin", "http://localhost:8081"},
		{"Origin", "https://localhost:8080"},
		{"Origin", "http://evil.example"},
		{"Origin", "http://localhost:8080.evil.example"},
		{"Origin", "null"},
		{"Origin", "%%%"},
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
	} {
		c.do(t, "POST", "/panels", map[string]any{"name": "x"}, headers...).is(t, http.StatusForbidden).problem(t)
		c.do(t, "DELETE", "/session", nil, headers...).is(t, http.StatusForbidden).problem(t)
	}
	c.do(t, "GET", "/session", nil, "Origin", "http://evil.example").is(t, http.StatusOK) // Reading it is up to the browser.
}

func TestEveryRefusalIsAProblem(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	c.do(t, "GET", "/nothing", nil).is(t, http.StatusNotFound).problem(t)
	c.do(t, "GET", "/api/v2", nil).is(t, http.StatusNotFound).problem(t)
	r := c.do(t, "DELETE", "/panels", nil).is(t, http.StatusMethodNotAllowed)
	r.problem(t)
	assert.Contains(t, r.Header.Get("Allow"), "POST")
	c.do(t, "GET", "/panels/nonsense", nil).is(t, http.StatusUnprocessableEntity).problem(t)
	c.do(t, "GET", "/panels?limit=0", nil).is(t, http.StatusUnprocessableEntity).problem(t)
	c.do(t, "GET", "/panels?q=%00", nil).is(t, http.StatusUnprocessableEntity).problem(t)
	c.do(t, "GET", "/panels?q=%ff", nil).is(t, http.StatusUnprocessableEntity).problem(t)
	c.do(t, "GET", "/panels?q=%zz", nil).is(t, http.StatusUnprocessableEntity).problem(t)
	c.do(t, "GET", "/panels/%00", nil).is(t, http.StatusUnprocessableEntity).problem(t)
	c.do(t, "POST", "/panels", `{"name":"`+"\xff"+`"}`).is(t, http.StatusUnprocessableEntity).problem(t)
	c.do(t, "POST", "/panels", `{"name":"a\u0000b"}`).is(t, http.StatusUnprocessableEntity).problem(t)
	c.do(t, "POST", "/panels", `{"name":"a\\u0000b"}`).is(t, http.StatusCreated)
	c.do(t, "POST", "/panels", `{"name":"\ud800"}`).is(t, http.StatusCreated) // Half a pair becomes U+FFFD.
	c.do(t, "POST", "/panels", `{"name":"`+strings.Repeat("x", 1<<20)+`"}`).is(t, http.StatusRequestEntityTooLarge).problem(t)
	c.do(t, "POST", "/panels", "name=x", "Content-Type", "application/x-www-form-urlencoded").is(t, http.StatusUnsupportedMediaType).problem(t)
	c.do(t, "POST", "/panels", nil).is(t, http.StatusBadRequest).problem(t)
	s.anonymous().do(t, "GET", "/session", nil, "Cookie", "rad_session="+strings.Repeat("A", 4000)).is(t, http.StatusUnauthorized).problem(t)
	s.anonymous().do(t, "GET", "/session", nil, "Cookie", "rad_session="+strings.Repeat("A", 44)).is(t, http.StatusUnauthorized).problem(t)
}

// An answer is given in JSON whatever is asked for, and never lost once the work is done.
func TestTheHeaderAcceptChangesNothing(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	for _, accept := range append(hostileAccepts, "application/xml, */*;q=0.1") {
		r := c.do(t, "POST", "/panels", map[string]any{"name": "x"}, "Accept", accept).is(t, http.StatusCreated)
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"), accept)
		c.do(t, "GET", r.Header.Get("Location"), nil, "Accept", accept).is(t, http.StatusOK)
		c.do(t, "GET", "/panels/nonsense", nil, "Accept", accept).is(t, http.StatusUnprocessableEntity).problem(t)
	}
}

func TestForgedCursorsAreRefused(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	for range 3 {
		c.do(t, "POST", "/panels", map[string]any{"name": "x"}).is(t, http.StatusCreated)
	}
	var page struct {
		NextCursor string `json:"next_cursor"`
	}
	c.do(t, "GET", "/panels?limit=1", nil).is(t, http.StatusOK).decode(t, &page)
	require.NotEmpty(t, page.NextCursor)
	c.do(t, "GET", "/panels?limit=1&cursor="+page.NextCursor, nil).is(t, http.StatusOK)
	flipped := []byte(page.NextCursor)
	flipped[len(flipped)/2] ^= 1
	for _, cursor := range []string{"x", "%20", "AAAA", string(flipped), page.NextCursor[:20], page.NextCursor + "AAAA"} {
		p := c.do(t, "GET", "/panels?limit=1&cursor="+cursor, nil).is(t, http.StatusUnprocessableEntity).problem(t)
		assert.Equal(t, "query.cursor", p.Errors[0].Location)
	}
	c.do(t, "GET", "/panels?limit=1&sort=name&cursor="+page.NextCursor, nil).is(t, http.StatusUnprocessableEntity)
	c.do(t, "GET", "/sessions?cursor="+page.NextCursor, nil).is(t, http.StatusUnprocessableEntity)
}

func TestACreateWhoseFirstTryStillRunsSaysWhenToTryAgain(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	body := map[string]any{"name": "once"}
	require.NoError(t, s.DB.InTx(t.Context(), func(tx *database.Tx) error { // As the first try would hold its key.
		free, err := tx.TryLockIdempotencyKey(t.Context(), c.UserID+" k1")
		require.NoError(t, err)
		require.True(t, free)
		r := c.do(t, "POST", "/panels", body, "Idempotency-Key", "k1").is(t, http.StatusConflict)
		assert.Contains(t, r.problem(t).Detail, "still running")
		assert.Equal(t, "1", r.Header.Get("Retry-After"))
		return nil
	}))
	c.do(t, "POST", "/panels", body, "Idempotency-Key", "k1").is(t, http.StatusCreated)
}

func TestARepeatedCreateMakesOne(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, other := s.signUp(t), s.signUp(t)
	body := map[string]any{"name": "once"}
	const requests = 8
	answers := make(chan answer, requests)
	for range requests {
		go func() { answers <- c.do(t, "POST", "/panels", body, "Idempotency-Key", "k1") }() //nolint:testifylint // A failure fails the test all the same.
	}
	var made, replayed int
	bodies := map[string]bool{}
	for range requests {
		switch r := <-answers; r.Status {
		case http.StatusCreated:
			bodies[string(r.Body)+r.Header.Get("Location")+r.Header.Get("ETag")] = true
			if r.Header.Get("Idempotent-Replayed") == "true" {
				replayed++
			} else {
				made++
			}
		default:
			r.is(t, http.StatusConflict)
		}
	}
	assert.Equal(t, 1, made)
	assert.Len(t, bodies, 1)
	again := c.do(t, "POST", "/panels", body, "Idempotency-Key", "k1").is(t, http.StatusCreated)
	assert.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
	assert.True(t, bodies[string(again.Body)+again.Header.Get("Location")+again.Header.Get("ETag")])

	p := c.do(t, "POST", "/panels", map[string]any{"name": "other"}, "Idempotency-Key", "k1").is(t, http.StatusUnprocessableEntity).problem(t)
	assert.Equal(t, "header.Idempotency-Key", p.Errors[0].Location)
	fresh := other.do(t, "POST", "/panels", body, "Idempotency-Key", "k1").is(t, http.StatusCreated)
	assert.Empty(t, fresh.Header.Get("Idempotent-Replayed"), "another user's key")
	c.do(t, "POST", "/panels", body, "Idempotency-Key", "ä").is(t, http.StatusUnprocessableEntity)
	var list struct{ Items []any }
	c.do(t, "GET", "/panels", nil).is(t, http.StatusOK).decode(t, &list)
	assert.Len(t, list.Items, 1)
}

func TestAPanicIsA500AndALogLine(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.API.Handle("GET /api/v1/panic", func(http.ResponseWriter, *http.Request) { panic("a defect") })
	s.API.Handle("GET /api/v1/half", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half an ans")
		_ = http.NewResponseController(w).Flush()
		panic("a defect")
	})
	c := s.anonymous()
	p := c.do(t, "GET", "/panic", nil).is(t, http.StatusInternalServerError).problem(t)
	assert.NotContains(t, p.Detail, "defect")
	assert.True(t, strings.HasPrefix(p.Instance, "urn:request:"))
	assert.Contains(t, s.Log.String(), "a defect")
	assert.Contains(t, s.Log.String(), "middleware_test.go", "the stack")

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/half", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	_, err = io.ReadAll(response.Body)
	require.Error(t, err, "half an answer must not pass for a whole one")
	c.do(t, "GET", "/livez", nil)
}

func TestLogsTellWhoButNoSecrets(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	c.do(t, "POST", "/sessions", map[string]any{"email": c.Email, "password": "my wrong password"}, "X-Request-Id", "balancer-4711").
		is(t, http.StatusUnauthorized)
	c.do(t, "GET", "/panels?q=private", nil).is(t, http.StatusOK)
	c.do(t, "PUT", "/account/password", map[string]any{"current_password": password, "new_password": "another password"}).is(t, http.StatusNoContent)
	log := s.Log.String()
	for _, secret := range []string{password, "my wrong password", "another password", c.Token(), "private", "argon2id"} {
		assert.NotContains(t, log, secret)
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	var found bool
	for _, line := range lines {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		if entry["route"] == "GET /api/v1/panels" {
			found = true
			assert.Equal(t, c.UserID, entry["user_id"])
			assert.NotEmpty(t, entry["request_id"])
			assert.InDelta(t, http.StatusOK, entry["status"], 0)
			assert.Equal(t, "127.0.0.1", entry["address"])
		}
	}
	assert.True(t, found)
	assert.Contains(t, log, `"request_id":"balancer-4711"`)
}

func TestMetricsCountRoutesNotPaths(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	c.do(t, "GET", "/panels/0190d5a0-0000-7000-8000-000000000000", nil).is(t, http.StatusNotFound)
	c.do(t, "GET", "/anything/a/stranger/tries", nil).is(t, http.StatusNotFound)
	text := s.metrics(t)
	assert.Contains(t, text, `radpanel_http_requests_total{route="GET /api/v1/panels/{panel_id}",status="404"} 1`)
	assert.Contains(t, text, `radpanel_http_requests_total{route="none",status="404"} 1`)
	assert.Contains(t, text, `radpanel_http_request_duration_seconds_bucket{route="POST /api/v1/users",le="0.5"}`)
	assert.Contains(t, text, `radpanel_database_statements_total{statement="FindSession"} 1`)
	assert.Contains(t, text, "go_goroutines")
	assert.NotContains(t, text, "stranger")
}

// metrics reads /metrics.
func (s *service) metrics(t testing.TB) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/metrics", nil)
	require.NoError(t, err)
	return string(s.anonymous().send(t, r).is(t, http.StatusOK).Body)
}

func TestTheRequestBeyondTheLimitIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	s := newService(t, func(cfg *config.Config) { cfg.MaxInFlight = 2 })
	entered, leave := make(chan struct{}), make(chan struct{})
	s.API.Handle("GET /api/v1/wait", func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	})
	c := s.anonymous()
	done := make(chan answer, 2)
	for range 2 {
		go func() { done <- c.do(t, "GET", "/wait", nil) }() //nolint:testifylint // A failure fails the test all the same.
		<-entered
	}
	r := c.do(t, "GET", "/session", nil).is(t, http.StatusServiceUnavailable)
	assert.Equal(t, "/problems/busy", r.problem(t).Type)
	assert.Equal(t, "1", r.Header.Get("Retry-After"))
	live, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/livez", nil)
	require.NoError(t, err)
	c.send(t, live).is(t, http.StatusOK) // Probes are not users.
	close(leave)
	for range 2 {
		(<-done).is(t, http.StatusOK)
	}
	c.do(t, "GET", "/session", nil).is(t, http.StatusUnauthorized)
	assert.Contains(t, s.metrics(t), `radpanel_http_requests_shed_total{reason="in_flight"} 1`)
}

func TestASlowRequestIsEnded(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	// The same service, with little time for each request.
	cfg := s.Config
	cfg.RequestTimeout = 200 * time.Millisecond
	hasty, err := api.New(api.Deps{Config: cfg, DB: s.DB, Accounts: s.Accounts, Panels: panel.NewService(s.DB, nil, nil)})
	require.NoError(t, err)
	httpServer := httptest.NewServer(hasty.Handler())
	t.Cleanup(httpServer.Close)
	c.URL = httpServer.URL
	// A lock on the user's row makes writes wait.
	conn := s.Database.Connect(t)
	_, err = conn.Exec(t.Context(), "BEGIN; SELECT 1 FROM users FOR UPDATE")
	require.NoError(t, err)
	r := c.do(t, "POST", "/panels", map[string]any{"name": "x"}).is(t, http.StatusServiceUnavailable)
	assert.Equal(t, "/problems/busy", r.problem(t).Type, "its transaction is not committed")
	r = c.do(t, "PATCH", "/account", map[string]any{"name": "x"}, "If-Match", "*").is(t, http.StatusGatewayTimeout)
	assert.Equal(t, "/problems/uncertain", r.problem(t).Type, "a single statement commits itself")
}

// A disk that is full does not recover by itself: whoever is told so should not ask again and again.
func TestAFullDiskIsToldAsSuch(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	conn := s.Database.Connect(t)
	_, err := conn.Exec(t.Context(), `CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
		CREATE TRIGGER no_space BEFORE INSERT ON panels FOR EACH ROW EXECUTE FUNCTION no_space()`)
	require.NoError(t, err)
	r := c.do(t, "POST", "/panels", map[string]any{"name": "x"}).is(t, http.StatusInsufficientStorage)
	assert.Equal(t, "/problems/full", r.problem(t).Type)
	assert.Contains(t, r.problem(t).Detail, "no space left")
	assert.Empty(t, r.Header.Get("Retry-After"))
	c.do(t, "GET", "/panels", nil).is(t, http.StatusOK)
	assert.Contains(t, s.metrics(t), `radpanel_http_requests_shed_total{reason="space"} 1`)
}

// A commit whose answer is lost may have been made: a client that was told otherwise would do it twice.
func TestWhatMayHaveBeenDoneIsToldAsSuch(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	there := c.newPanel(t, "there")
	conn := s.Database.Connect(t)
	_, err := conn.Exec(t.Context(), `CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER end_session AFTER INSERT OR UPDATE ON panels DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION end_session()`)
	require.NoError(t, err)
	body := map[string]any{"name": "once"}
	r := c.do(t, "POST", "/panels", body, "Idempotency-Key", "k1").is(t, http.StatusGatewayTimeout)
	assert.Equal(t, "/problems/uncertain", r.problem(t).Type)
	assert.Contains(t, r.problem(t).Detail, "not known")
	assert.Empty(t, r.Header.Get("Retry-After"))
	r = c.do(t, "PATCH", path(there), body, "If-Match", "*").is(t, http.StatusGatewayTimeout)
	assert.Equal(t, "/problems/uncertain", r.problem(t).Type, "a single statement commits itself")
	assert.NotContains(t, s.metrics(t), `radpanel_http_requests_shed_total{reason="database"}`, "they were not refused")

	_, err = conn.Exec(t.Context(), "DROP TRIGGER end_session ON panels")
	require.NoError(t, err)
	c.do(t, "POST", "/panels", body, "Idempotency-Key", "k1").is(t, http.StatusCreated)
	assert.Len(t, walk[api.Panel](t, c, "/panels?limit=50"), 2, "with its key it can be sent again")
}

// deadlineRecorder notes the deadline that is set on the connection.
type deadlineRecorder struct {
	*httptest.ResponseRecorder

	read time.Time
}

func (r *deadlineRecorder) SetReadDeadline(deadline time.Time) error {
	r.read = deadline
	return nil
}

// TestTheConnectionOutlivesTheRequest: net/http cancels a request when the read deadline of its connection passes, also
// when its body was read long before.
func TestTheConnectionOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	s := newService(t)
	body := strings.NewReader(`{"email":"ada@example.com","password":"` + password + `"}`)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/users", body)
	r.Header.Set("Content-Type", "application/json")
	w := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
	s.API.Handler().ServeHTTP(w, r)
	require.Equal(t, http.StatusCreated, w.Code)
	assert.Greater(t, time.Until(w.read), s.Config.RequestTimeout)
}

func TestABrokenUploadIsTheClientsFault(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "POST /api/v1/panels HTTP/1.1\r\nHost: x\r\nCookie: rad_session=%s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"na", c.Token())
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Contains(t, string(answer), "408 Request Timeout")
	assert.NotContains(t, s.metrics(t), `status="500"`)
}
