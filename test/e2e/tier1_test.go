package e2e

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTier1UsesEachOfItsParts(t *testing.T) {
	t.Parallel()
	s := newStack(t, "tier1")
	s.up()
	ada := s.user("ada@example.com")
	panel, err := ada.CreatePanel(t.Context(), "Customers")
	require.NoError(t, err)
	record, err := ada.CreateRecord(t.Context(), panel.ID, "Analytical Engines Ltd", map[string]any{"city": "London"})
	require.NoError(t, err)

	t.Run("the cache answers reads by id", func(t *testing.T) {
		hits := func(kind string) float64 {
			return s.metric("panel", "radpanel_cache_requests_total", "kind", kind, "result", "hit")
		}
		require.Eventually(t, func() bool {
			kinds, before := []string{"session", "panel", "record"}, map[string]float64{}
			for _, kind := range kinds {
				before[kind] = hits(kind)
			}
			for range 10 {
				require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID, nil, nil))
				require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID+"/records/"+record.ID, nil, nil))
			}
			return !slices.ContainsFunc(kinds, func(kind string) bool { return hits(kind)-before[kind] < 8 })
		}, cachePatience, 50*time.Millisecond, "of ten reads the cache answers eight")
	})

	t.Run("a compressed copy of the front end is sent", func(t *testing.T) {
		script := s.frontEndScript(t)
		plain := s.transferred(t, script, "identity", "")
		require.Less(t, s.transferred(t, script, "gzip", "gzip"), plain/2)
		require.Less(t, s.transferred(t, script, "br, gzip", "br"), plain/2)
	})

	t.Run("statements are counted and slow ones logged", func(t *testing.T) {
		s.psql(t, "SELECT pg_sleep(0.3)")
		require.Eventually(t, func() bool {
			logged, _ := os.ReadFile(filepath.Join(s.State, "local-tier1", "log", "postgresql", "current"))
			return regexp.MustCompile(`duration: \d{3,}\.\d+ ms .*pg_sleep`).Match(logged)
		}, 10*time.Second, 50*time.Millisecond)
		require.NotEqual(t, "0\n", s.psql(t, "SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%GetRecord%' OR query LIKE '%records%'"))
	})
}

func TestTier1SurvivesTheLossOfEachPart(t *testing.T) {
	// Not beside other tests: what is shown is how the panel fares without a part, not without processors.
	s := newStack(t, "tier1")
	s.up()
	var faults []fault
	for _, frozen := range []bool{false, true} {
		for _, victim := range []string{"redis", "panel", "pgbouncer", "postgresql"} {
			faults = append(faults, fault{victim: victim, frozen: frozen})
		}
		faults = append(faults, fault{victim: "nginx", workers: true, frozen: frozen})
	}
	s.survive(faults)
	out, err := s.Rad(t.Context(), "preview", s.Name, "--expect-no-changes")
	require.NoError(t, err, out)
}

// Without its cache the panel is slower, but neither wrong nor silent: nothing at all may fail.
func TestNothingFailsWithoutTheCache(t *testing.T) {
	// Not beside other tests: what is shown is how the panel fares without a part, not without processors.
	s := newQuickStack(t, "tier1")
	s.up()
	watch := s.startWitness(s.user("reader@example.com"), 60)
	s.doesWithout("redis", watch, 30*time.Second)
	hits := func() float64 { return s.metric("panel", "radpanel_cache_requests_total", "result", "hit") }
	before := hits()
	require.Eventually(t, func() bool {
		require.NoError(t, watch.client.Do(t.Context(), http.MethodGet, "/panels/"+watch.panel, nil, nil))
		return hits() > before
	}, 30*time.Second, 50*time.Millisecond, "the cache is used again")
}

// frontEndScript is the path of the front end's main script.
func (s *stack) frontEndScript(t *testing.T) string {
	t.Helper()
	page := s.fetch(t, "/", "identity")
	defer func() { _ = page.Body.Close() }()
	text, err := io.ReadAll(page.Body)
	require.NoError(t, err)
	found := regexp.MustCompile(`src="(/assets/[^"]+\.js)"`).FindAllSubmatch(text, -1)
	require.NotEmpty(t, found, "%s", text)
	return string(found[len(found)-1][1])
}

func (s *stack) fetch(t *testing.T, path, accepted string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	require.NoError(t, err)
	request.Header.Set("Accept-Encoding", accepted)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, path)
	return response
}

// transferred is how many bytes a file takes on its way, which must have the encoding.
func (s *stack) transferred(t *testing.T, path, accepted, encoding string) int64 {
	t.Helper()
	response := s.fetch(t, path, accepted)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, encoding, response.Header.Get("Content-Encoding"))
	n, err := io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	return n
}

// psql runs a statement on the stack's database as its superuser, through the socket.
func (s *stack) psql(t *testing.T, statement string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-c", statement)
	command.Env = append(os.Environ(), "PGHOST="+filepath.Dir(s.service("postgresql").Address), "PGPORT=5432", "PGUSER=postgres", "PGDATABASE=radpanel")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}
