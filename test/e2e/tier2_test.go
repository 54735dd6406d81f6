package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/test/panelclient"
)

func TestTier2UsesEachOfItsParts(t *testing.T) {
	t.Parallel()
	s := newStack(t, "tier2")
	s.up()
	ada := s.user("ada@example.com")
	panel, err := ada.CreatePanel(t.Context(), "Customers")
	require.NoError(t, err)
	backends := []string{"panel", "panel-2"}
	total := func(name string, labels ...string) (sum float64) {
		for _, backend := range backends {
			sum += s.metric(backend, name, labels...)
		}
		return sum
	}

	t.Run("both backends answer, lists come from the replica, points from the cache", func(t *testing.T) {
		require.Eventually(t, func() bool {
			for range 20 {
				require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels", nil, nil))
				require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID, nil, nil))
			}
			return total("radpanel_database_replica_reads_total") >= 20
		}, cachePatience, 50*time.Millisecond, "lists are read at the replica")
		require.Eventually(t, func() bool {
			before := total("radpanel_cache_requests_total", "result", "hit")
			for range 40 {
				require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID, nil, nil))
			}
			return total("radpanel_cache_requests_total", "result", "hit")-before >= 20
		}, cachePatience, 50*time.Millisecond, "of forty reads the cache answers twenty")
		for _, backend := range backends {
			require.Positive(t, s.metric(backend, "radpanel_database_statements_total"), backend)
		}
	})

	t.Run("the balancer is measured", func(t *testing.T) {
		// What it does not know just now, it does not tell: its look at nginx may have been late.
		for name, why := range map[string]string{
			"radpanel_balancer_connections":          "nginx tells how many clients it has",
			"radpanel_balancer_connections_limit":    "and how many it may have",
			"radpanel_front_door_round_trip_seconds": "and how far they are",
		} {
			require.Eventually(t, func() bool { return s.metric("balancer-health", name) > 0 }, 30*time.Second, 200*time.Millisecond, why)
		}
	})

	t.Run("the triggers are measured, whichever backend is asked", func(t *testing.T) {
		type trigger struct {
			ID       string
			Measured bool
		}
		type scaling struct{ Triggers []trigger }
		var said scaling
		require.Eventually(t, func() bool {
			said = scaling{}
			require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/admin/scaling", nil, &said))
			return len(said.Triggers) == 3 && !slices.ContainsFunc(said.Triggers, func(t trigger) bool { return !t.Measured })
		}, 2*time.Minute, 500*time.Millisecond, "after a few rounds of measuring: %+v", &said)
	})

	t.Run("a page opened as 127.0.0.1 sends files there", func(t *testing.T) {
		client, err := panelclient.New(strings.Replace(s.url, "localhost", "127.0.0.1", 1), visitors.Add(1))
		require.NoError(t, err)
		defer client.Close()
		_, err = client.SignUp(t.Context(), "grace@example.com", "correct horse battery staple")
		require.NoError(t, err)
		own, err := client.CreatePanel(t.Context(), "Files")
		require.NoError(t, err)
		var target struct {
			URL string `json:"url"`
		}
		require.NoError(t, client.Do(t.Context(), http.MethodPost, "/panels/"+own.ID+"/uploads", map[string]any{"name": "a.txt", "size_bytes": 5}, &target))
		require.True(t, strings.HasPrefix(target.URL, "http://127.0.0.1:"), target.URL)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, target.URL, strings.NewReader("hello"))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/octet-stream")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
	})

	t.Run("files go to the object store", func(t *testing.T) {
		content := make([]byte, 1<<20)
		_, err := rand.Read(content)
		require.NoError(t, err)
		file, err := ada.Upload(t.Context(), panel.ID, "drawing.bin", bytes.NewReader(content))
		require.NoError(t, err)
		sum := sha256.Sum256(content)
		require.Equal(t, hex.EncodeToString(sum[:]), file.SHA256)
		var stored []byte
		require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID+"/files/"+file.ID+"/content", nil, &stored))
		require.True(t, bytes.Equal(content, stored), "the file's bytes changed")
		require.Equal(t, 1, s.objectsOf(t, 1<<20), "the object lies in the S3 server's folder")
	})

	t.Run("the edge answers for the front end", func(t *testing.T) {
		script := s.frontEndScript(t)
		for range 100 {
			s.transferred(t, script, "gzip", "gzip")
		}
		response := s.fetch(t, script, "gzip")
		defer func() { _ = response.Body.Close() }()
		require.Equal(t, "HIT", response.Header.Get("X-Cache"))
		var ratio float64
		require.Eventually(t, func() bool {
			ratio = s.hitRatio(t)
			return ratio >= 0.99
		}, 10*time.Second, 50*time.Millisecond, "one look at the origin for each file")
		t.Logf("the edge answered %.1f %% of the requests for assets from its cache", 100*ratio)
	})
}

// hitRatio is the share of the requests for assets that the edge answered from its cache, as its log says.
func (s *stack) hitRatio(t *testing.T) float64 {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(s.State, "local-tier2", "log", "edge", "current"))
	require.NoError(t, err)
	hits, all := 0, 0
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, `"path":"/assets/`) {
			all++
			if strings.Contains(line, `"cache":"HIT"`) {
				hits++
			}
		}
	}
	return float64(hits) / float64(max(all, 1))
}

// objectsOf counts the files of a size in the S3 server's folder.
func (s *stack) objectsOf(t *testing.T, size int64) (count int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(s.State, "local-tier2", "s3"), func(_ string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Size() == size {
			count++
		}
		return err
	})
	require.NoError(t, err)
	return count
}

func TestTier2SurvivesTheLossOfEachPart(t *testing.T) {
	// Not beside other tests: what is shown is how the panel fares without a part, not without processors.
	s := newStack(t, "tier2")
	s.up()
	var faults []fault
	for _, frozen := range []bool{false, true} {
		for _, victim := range []string{
			"redis", "panel", "panel-2", "postgresql-replica", "pgbouncer-replica", "s3", "balancer-health", "pgbouncer", "postgresql",
		} {
			faults = append(faults, fault{victim: victim, frozen: frozen})
		}
		faults = append(faults, fault{victim: "nginx", workers: true, frozen: frozen}, fault{victim: "edge", workers: true, frozen: frozen})
	}
	s.survive(faults)
	out, err := s.Rad(t.Context(), "preview", s.Name, "--expect-no-changes")
	require.NoError(t, err, out)
}

// A new version of the service replaces the old one under load, and nobody notices.
func TestARollingDeployFailsNoRequest(t *testing.T) {
	// Not beside other tests, and without the race detector, which costs ten times the processor time: a machine that is
	// overloaded refuses requests, deployment or not.
	old, next := releaseOf(t, "old"), releaseOf(t, "next")
	s := newStack(t, "tier2")
	s.up("--release", old)

	before := s.status()
	book := s.startLedger(s.user("writer@example.com"), 20)
	watch := s.startWitness(s.user("reader@example.com"), 120)
	started := time.Now()
	s.up("--release", next)
	t.Logf("the deploy took %v", time.Since(started).Round(time.Millisecond))
	acknowledged := book.count()
	require.Eventually(t, func() bool { return book.count() > acknowledged+20 }, 30*time.Second, 50*time.Millisecond)
	watch.settle(t)
	book.settle(t)
	require.Empty(t, watch.outages)
	require.Empty(t, book.failures)
	for _, was := range before.Services {
		now := s.service(was.Name)
		switch was.Name {
		case "panel", "panel-2", "balancer-health": // The last is part of the same program.
			require.NotEqual(t, was.PID, now.PID, "%s runs the new version", was.Name)
		default:
			require.Equal(t, was.PID, now.PID, "%s has nothing to do with the service's version", was.Name)
		}
	}
}

// releaseOf is the folder of a release with a version of the service as `make build` makes it.
func releaseOf(t *testing.T, version string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o755))
	require.NoError(t, os.CopyFS(folder, os.DirFS(built.folder)))
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X main.version="+version, "-o", filepath.Join(folder, "radpanel"), "./app")
	build.Dir = "../.."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return folder
}
