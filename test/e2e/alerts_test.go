package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/radpanel/radpanel/test/mailtest"
	"github.com/radpanel/radpanel/test/panelclient"
)

// alertPatience is how long an alert may take: to be measured, judged and told, each within a second or two, on a machine
// that other tests use.
const alertPatience = 90 * time.Second

// cpuPatience is how long the alert on the CPU may take: its figure is of five minutes, of which the first may have been idle.
const cpuPatience = 6 * time.Minute

// pager is who is told of alerts.
type pager struct {
	*httptest.Server

	mu sync.Mutex
	// firing is what each alert was when it was last told of.
	firing map[string]bool
	told   []pagedAlert
}

// pagedAlert is an alert as Alertmanager posts it.
type pagedAlert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func newPager(t *testing.T) *pager {
	t.Helper()
	p := &pager{firing: map[string]bool{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct {
			Alerts []pagedAlert `json:"alerts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			t.Errorf("what Alertmanager posts: %v", err)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, alert := range message.Alerts {
			p.firing[alert.Labels["alertname"]] = alert.Status == "firing"
			p.told = append(p.told, alert)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// last gives what was last told of an alert.
func (p *pager) last(name string) (alert pagedAlert, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, told := range p.told {
		if told.Labels["alertname"] == name {
			alert, ok = told, true
		}
	}
	return alert, ok
}

// lastOf gives what was last told of an alert of one stack.
func (p *pager) lastOf(name, stack string) (alert pagedAlert, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, told := range p.told {
		if told.Labels["alertname"] == name && told.Labels["stack"] == stack {
			alert, ok = told, true
		}
	}
	return alert, ok
}

// await waits until the alert was last told of as firing, or as resolved.
func (p *pager) await(t *testing.T, name string, firing bool) {
	t.Helper()
	p.awaitFor(t, name, firing, alertPatience)
}

func (p *pager) awaitFor(t *testing.T, name string, firing bool, patience time.Duration) {
	t.Helper()
	started := time.Now()
	require.True(t, p.tells(t.Context(), name, firing, patience), "alert %s: firing %t never arrived", name, firing)
	t.Logf("%-22s firing=%-5t after %v", name, firing, time.Since(started).Round(100*time.Millisecond))
}

// tells reports whether the alert was last told of as firing, or as resolved, within a time.
func (p *pager) tells(ctx context.Context, name string, firing bool, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		p.mu.Lock()
		is, told := p.firing[name]
		p.mu.Unlock()
		if told && is == firing {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
	}
}

// rehearsed brings a stack up whose alerts are measured each second, fire at once, and are posted to the pager.
func (s *stack) rehearsed(p *pager, more ...string) {
	s.t.Helper()
	s.up(append([]string{"-c", "alertRehearsal=1s", "-c", "alertWebhook=" + p.URL}, more...)...)
}

// Each condition is made for real, its alert arrives, and so does its end.
func TestAlertsArriveAndEnd(t *testing.T) {
	t.Parallel()
	s := newStackOnASmallDisk(t, "mvp")
	p, mailbox := newPager(t), mailtest.New(t, mailtest.Options{})
	s.rehearsed(p, "-c", "alertEmail=ops@example.com", "-c", "alertEmailServer="+mailbox.Address)
	ada := s.user("ada@example.com")
	panel, err := ada.CreatePanel(t.Context(), "Customers")
	require.NoError(t, err)

	s.slowDown(ada, panel.ID, p)
	alert, _ := p.last("response-time")
	require.Equal(t, "growth", alert.Labels["severity"])
	require.Equal(t, "tier1", alert.Labels["leads_to"])
	require.Equal(t, "local-mvp", alert.Labels["stack"])
	require.True(t, strings.HasSuffix(alert.Annotations["runbook_url"], "/docs/runbooks/response-time.md"), alert.Annotations)
	require.NotEmpty(t, alert.Annotations["value"])
	mailed := mailbox.Await(t, alertPatience, func(m mailtest.Mail) bool {
		return strings.Contains(m.Subject, "response-time") && strings.Contains(m.Subject, "FIRING")
	})
	for _, told := range []string{"local-mvp", "tier1", alert.Annotations["summary"], alert.Annotations["runbook_url"]} {
		require.Contains(t, mailed.Text, told)
	}
	require.Regexp(t, `value = \d`, mailed.Text, "the figure")

	s.withConnections(17, func() { p.await(t, "database-connections", true) })
	p.await(t, "database-connections", false)

	ballast := filepath.Join(filepath.Dir(s.State), "ballast")
	fillUpTo(t, ballast, 0.05)
	p.await(t, "disk-space", true)
	require.NoError(t, os.Remove(ballast))
	p.await(t, "disk-space", false)

	burnCPU(t, func() { p.awaitFor(t, "cpu", true, cpuPatience) })
}

func TestAlertOfAFullCacheArrivesAndEnds(t *testing.T) {
	t.Parallel()
	s := newStack(t, "tier1")
	p := newPager(t)
	s.rehearsed(p)
	password, err := os.ReadFile(filepath.Join(s.State, "local-tier1", "keys", "cache-password"))
	require.NoError(t, err)
	cache := redis.NewClient(&redis.Options{
		Network: "unix", Addr: s.service("redis").Address, Username: "rad_cache", Password: strings.TrimSpace(string(password)),
	})
	defer func() { require.NoError(t, cache.Close()) }()
	const megabyte, filling = 1 << 20, 1100 // Over 1 GiB, and less than its limit of 1,280 MiB.
	content := strings.Repeat("x", megabyte)
	key := func(i int) string { return "ballast-" + string(rune('a'+i%26)) + strings.Repeat("-", i/26) }
	for i := range filling {
		require.NoError(t, cache.Set(t.Context(), key(i), content, 0).Err())
	}
	p.await(t, "cache-memory", true)
	alert, _ := p.last("cache-memory")
	require.Equal(t, "tier2", alert.Labels["leads_to"])
	for i := range filling {
		require.NoError(t, cache.Del(t.Context(), key(i)).Err())
	}
	p.await(t, "cache-memory", false)
}

// slowDown lets everybody wait for a lock, a few times, until the alert on the response time has arrived, and then makes requests
// that need not wait until it has ended: for each slow one it takes twenty.
func (s *stack) slowDown(reader *panelclient.Client, panel string, p *pager) {
	s.t.Helper()
	lock := s.superuser()
	defer func() { require.NoError(s.t, lock.Close(context.Background())) }()
	read := func() error { return reader.Do(s.t.Context(), http.MethodGet, "/panels/"+panel, nil, nil) }
	// The first measure of a route's figures counts for nothing, since there is none before it. Two times do, if no measure is late.
	const times, each = 8, 5 * time.Second
	for range times {
		_, err := lock.Exec(s.t.Context(), "BEGIN; LOCK TABLE panels IN ACCESS EXCLUSIVE MODE")
		require.NoError(s.t, err)
		var waiting errgroup.Group
		for range 8 {
			waiting.Go(read)
		}
		_, err = lock.Exec(s.t.Context(), "SELECT pg_sleep(0.8)")
		require.NoError(s.t, err)
		_, err = lock.Exec(s.t.Context(), "COMMIT")
		require.NoError(s.t, err)
		require.NoError(s.t, waiting.Wait())
		if p.tells(s.t.Context(), "response-time", true, each) {
			break
		}
	}
	p.await(s.t, "response-time", true)

	ctx, stop := context.WithCancel(s.t.Context())
	var reading errgroup.Group
	for range 4 {
		reading.Go(func() error {
			for ctx.Err() == nil {
				if err := read(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	defer func() {
		stop()
		require.NoError(s.t, reading.Wait())
	}()
	p.await(s.t, "response-time", false)
}

// withConnections opens connections to the database until there are so many, with those of others, and holds them while it
// does what is to be done.
func (s *stack) withConnections(n int, do func()) {
	s.t.Helper()
	for open := 0; open < n; {
		connection := s.superuser()
		defer func() { require.NoError(s.t, connection.Close(context.Background())) }()
		err := connection.QueryRow(s.t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'").Scan(&open)
		require.NoError(s.t, err)
	}
	do()
}

// superuser connects to the stack's database server as whoever looks after it.
func (s *stack) superuser() *pgx.Conn {
	s.t.Helper()
	connection, err := pgx.Connect(s.t.Context(),
		"host="+filepath.Dir(s.service("postgresql").Address)+" port=5432 user=postgres dbname=radpanel sslmode=disable")
	require.NoError(s.t, err)
	return connection
}

// fillUpTo writes a file until its disk has no more than a share left.
func fillUpTo(t *testing.T, path string, left float64) {
	t.Helper()
	file, err := os.Create(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	block := make([]byte, 1<<20)
	for {
		var disk syscall.Statfs_t
		require.NoError(t, syscall.Statfs(filepath.Dir(path), &disk))
		if float64(disk.Bavail) < left*float64(disk.Blocks) {
			return
		}
		_, err := file.Write(block)
		require.NoError(t, err)
	}
}

// burnCPU keeps all processors busy while it does what is to be done, with what nobody else needs of them. Processes of their own
// do it: the tests that run beside this one need this one's.
func burnCPU(t *testing.T, do func()) {
	t.Helper()
	for range runtime.NumCPU() {
		burning := exec.CommandContext(t.Context(), "nice", "-n", "19", "sh", "-c", "while :; do :; done")
		burning.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		require.NoError(t, burning.Start())
		defer func() {
			require.NoError(t, burning.Process.Kill())
			_ = burning.Wait() // Killed, as it should be.
		}()
	}
	do()
}
