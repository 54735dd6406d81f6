package ship_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/host/ship"
	"github.com/radpanel/radpanel/infra/host/ship/shiptest"
)

const (
	region, group, stream = "eu-central-1", "/radpanel/tier2", "balancer-1"
	patience              = time.Minute
)

// journal is a real one, of the test's own, which systemd-journal-remote writes.
type journal struct {
	t      testing.TB
	folder string
	into   io.WriteCloser
	ended  chan error
	count  int
}

func newJournal(t testing.TB) *journal {
	t.Helper()
	const program = "/lib/systemd/systemd-journal-remote"
	_, err := os.Stat(program)
	require.NoError(t, err, "%s is not installed: make test installs it", program)
	j := &journal{t: t, folder: t.TempDir(), ended: make(chan error, 1)}
	remote := exec.CommandContext(t.Context(), program, "--split-mode=none", "--output="+filepath.Join(j.folder, "test.journal"), "-")
	j.into, err = remote.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, remote.Start())
	go func() { j.ended <- remote.Wait() }()
	t.Cleanup(func() {
		_, _ = j.into.Close(), <-j.ended // It was killed with the test.
	})
	return j
}

// write adds entries, in the journal's export format.
func (j *journal) write(at time.Time, messages ...string) {
	j.t.Helper()
	for _, message := range messages {
		j.count++
		_, err := fmt.Fprintf(j.into, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%032x\n_SYSTEMD_UNIT=radpanel-panel.service\n"+
			"PRIORITY=4\n_PID=42\nSYSLOG_IDENTIFIER=radpanel\nMESSAGE=%s\n\n", at.UnixMicro(), j.count, 1, message)
		require.NoError(j.t, err)
	}
}

// carried is a shipper, and the CloudWatch that it sends to.
type carried struct {
	t      testing.TB
	cloud  *shiptest.CloudWatch
	config ship.Config
	stop   func()
}

func newCarried(t testing.TB, j *journal) *carried {
	t.Helper()
	role := aws.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "a-secret", SessionToken: "token+/="}
	cloud := &shiptest.CloudWatch{Region: region, Credentials: role, Groups: []string{group}}
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	return &carried{t: t, cloud: cloud, config: ship.Config{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider(role.AccessKeyID, role.SecretAccessKey, role.SessionToken),
		LogsEndpoint: server.URL, FiguresEndpoint: server.URL, LogGroup: group, LogStream: stream,
		Journal: []string{"journalctl", "--directory=" + j.folder}, Folder: t.TempDir(), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Pace: ship.Pace{Gather: 50 * time.Millisecond, Again: 50 * time.Millisecond, MaxBackoff: 20 * time.Millisecond, Figures: time.Second},
	}}
}

func (c *carried) start() {
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan error, 1)
	go func() { done <- ship.Run(ctx, c.config) }()
	stopped := false
	c.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		assert.NoError(c.t, <-done)
	}
	c.t.Cleanup(c.stop)
}

// messages gives what has arrived.
func (c *carried) messages() []string {
	var all []string
	for _, event := range c.cloud.Events(group, stream) {
		var parsed struct{ Message any }
		require.NoError(c.t, json.Unmarshal([]byte(event.Message), &parsed), event.Message)
		all = append(all, fmt.Sprint(parsed.Message))
	}
	return all
}

func (c *carried) waitFor(wanted ...string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return len(c.cloud.Events(group, stream)) >= len(wanted) }, patience, 20*time.Millisecond,
		"%d events of %d; refused: %v", len(c.cloud.Events(group, stream)), len(wanted), c.cloud.Refused())
	assert.Equal(c.t, wanted, c.messages())
	assert.Empty(c.t, c.cloud.Refused(), "calls that break the services' rules")
}

func TestTheJournalArrives(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	c := newCarried(t, j)
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	j.write(at, "before it runs", `{"level":"warn","msg":"an object"}`)
	c.start()
	c.waitFor("before it runs", "map[level:warn msg:an object]")
	j.write(at.Add(time.Second), "while it runs")
	c.waitFor("before it runs", "map[level:warn msg:an object]", "while it runs")
	event := c.cloud.Events(group, stream)[1]
	assert.Equal(t, at.UnixMilli(), event.At.UnixMilli())
	assert.JSONEq(t, `{"unit":"radpanel-panel.service","program":"radpanel","pid":"42","priority":"warning","message":{"level":"warn","msg":"an object"}}`, event.Message)
}

// That requests were answered stays on the host, and is not read again; what failed goes.
func TestWhatIsRoutineStaysOnTheHost(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	c := newCarried(t, j)
	at := time.Now().Add(-time.Hour)
	failed := `{"level":"INFO","msg":"access","path":"/","status":502}`
	j.write(at, `{"level":"INFO","msg":"access","path":"/","status":200}`, `{"level":"INFO","msg":"request","status":404}`, failed,
		`{"level":"WARN","msg":"request","status":200,"duration_ms":2400}`, `{"level":"INFO","msg":"started"}`, `{"level":"INFO","msg":"request","status":200}`)
	c.start()
	c.waitFor("map[level:INFO msg:access path:/ status:502]", "map[duration_ms:2400 level:WARN msg:request status:200]", "map[level:INFO msg:started]")
	cursor := func() string {
		read, _ := os.ReadFile(filepath.Join(c.config.Folder, "cursor"))
		return string(read)
	}
	require.Eventually(t, func() bool { return cursor() != "" }, patience, 20*time.Millisecond)
	first := cursor()
	j.write(at.Add(time.Second), `{"level":"INFO","msg":"request","status":200}`)
	require.Eventually(t, func() bool { return cursor() != first }, patience, 20*time.Millisecond, "it is known to have been read")
	assert.Len(t, c.messages(), 3)
}

// What CloudWatch throttles, or fails at, is sent again; what it never takes does not hold up the rest.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]shiptest.Fault{
		"throttled":     {Status: http.StatusBadRequest, Code: "ThrottlingException"},
		"unavailable":   {Status: http.StatusServiceUnavailable, Code: "ServiceUnavailableException"},
		"broken":        {Status: http.StatusInternalServerError, Code: "InternalFailure"},
		"not allowed":   {Status: http.StatusBadRequest, Code: "AccessDeniedException"},
		"expired token": {Status: http.StatusBadRequest, Code: "ExpiredTokenException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			c := newCarried(t, j)
			var calls atomic.Int32
			c.cloud.Fault = func(string) *shiptest.Fault { // More often than one call is tried.
				if calls.Add(1) <= 8 {
					return &fault
				}
				return nil
			}
			j.write(time.Now(), "one", "two")
			c.start()
			c.waitFor("one", "two")
			assert.Greater(t, calls.Load(), int32(8))
		})
	}
}

// An answer that is lost makes an event arrive twice, not never.
func TestALostAnswerLosesNothing(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	c := newCarried(t, j)
	var calls atomic.Int32
	c.cloud.Fault = func(action string) *shiptest.Fault {
		if action == "PutLogEvents" && calls.Add(1) == 2 { // After the stream was made.
			return &shiptest.Fault{Status: http.StatusInternalServerError, Code: "InternalFailure", After: true}
		}
		return nil
	}
	j.write(time.Now(), "one")
	c.start()
	c.waitFor("one", "one")
}

func TestARestartLosesNothing(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	c := newCarried(t, j)
	var down atomic.Bool
	var asked atomic.Int32
	c.cloud.Fault = func(string) *shiptest.Fault {
		if down.Load() {
			asked.Add(1)
			return &shiptest.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailableException"}
		}
		return nil
	}
	j.write(time.Now(), "one")
	c.start()
	c.waitFor("one")
	down.Store(true)
	j.write(time.Now(), "read, and not taken")
	// It has the entry in hand once CloudWatch was asked about it.
	require.Eventually(t, func() bool { return asked.Load() > 0 }, patience, 10*time.Millisecond)
	c.stop()
	j.write(time.Now(), "while nobody ran")
	down.Store(false)
	c.start()
	c.waitFor("one", "read, and not taken", "while nobody ran")
	c.stop()

	// A cursor that is damaged has all sent again, and none left out.
	require.NoError(t, os.WriteFile(filepath.Join(c.config.Folder, "cursor"), []byte("s=../\x00"), 0o600))
	c.start()
	c.waitFor("one", "read, and not taken", "while nobody ran", "one", "read, and not taken", "while nobody ran")
}

// Batches keep within the limits, in count, in bytes and in time; events that are too old, or ahead, are left out alone.
func TestLimits(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	c := newCarried(t, j)
	now := time.Now()
	j.write(now.Add(-20*24*time.Hour), "too old")
	j.write(now.Add(-30*time.Hour), "a day before the others")
	j.write(now.Add(5*time.Hour), "ahead")
	j.write(now, "a clock that was put back")
	long := strings.Repeat("ä", 100_000) // 200,000 bytes
	wanted := []string{"a day before the others", "a clock that was put back"}
	for range 12 {
		j.write(now, long[:60_000])
		wanted = append(wanted, long[:60_000])
	}
	j.write(now, long)
	wanted = append(wanted, long[:128<<10]+fmt.Sprintf(" … and %d bytes more", len(long)-128<<10))
	for i := range 12_000 {
		wanted = append(wanted, fmt.Sprint("short ", i))
		j.write(now, fmt.Sprint("short ", i))
	}
	c.start()
	c.waitFor(wanted...)
}

// One event that CloudWatch does not take is left out, and none with it.
func TestAnEventThatIsNeverTaken(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	c := newCarried(t, j)
	taker := c.cloud
	poisoned := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && strings.Contains(string(body), "poison") {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"InvalidParameterException","message":"not this one"}`)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		taker.ServeHTTP(w, r)
	}))
	defer poisoned.Close()
	c.config.LogsEndpoint = poisoned.URL
	j.write(time.Now(), "one", "poison", "three", "four")
	c.start()
	c.waitFor("one", "three", "four")
	c.stop()
}

func TestAMissingGroupIsWaitedFor(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	c := newCarried(t, j)
	c.config.Credentials = credentials.NewStaticCredentialsProvider("AKIDTEST", "another secret", "token+/=")
	j.write(time.Now(), "one")
	c.start()
	require.Eventually(t, func() bool { return len(c.cloud.Refused()) > 0 }, patience, 10*time.Millisecond)
	assert.Contains(t, c.cloud.Refused()[0], "the signature is", "a signature by another key is not let in")
	assert.Empty(t, c.messages())
	c.stop()
	require.Error(t, ship.Run(t.Context(), ship.Config{}))
}
