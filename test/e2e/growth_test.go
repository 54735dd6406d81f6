package e2e

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/test/panelclient"
)

// A stack whose tier is edited is previewed and brought up from tier to tier: each preview adds what the plan adds, and
// takes nothing away; what was stored stays, and files move from the disk to the S3 server.
func TestEachTierAddsWhatThePlanSays(t *testing.T) {
	t.Parallel()
	s := newStack(t, "growing")
	tier := func(name string) []string { return []string{"-c", "target=local", "-c", "tier=" + name} }
	s.up(tier("mvp")...)
	ada := s.user("ada@example.com")
	panel, err := ada.CreatePanel(t.Context(), "Customers")
	require.NoError(t, err)
	record, err := ada.CreateRecord(t.Context(), panel.ID, "Analytical Engines Ltd", nil)
	require.NoError(t, err)
	content := make([]byte, 300_000)
	_, err = rand.Read(content)
	require.NoError(t, err)
	file, err := ada.Upload(t.Context(), panel.ID, "drawing.bin", bytes.NewReader(content))
	require.NoError(t, err)

	adds := map[string][]string{
		"tier1": {"redis", "redis-exporter", "traces"},
		"tier2": {"balancer-health", "edge", "panel-2", "pgbouncer-replica", "postgresql-replica", "s3"},
	}
	for _, name := range []string{"tier1", "tier2"} {
		created, others := s.previewed(tier(name)...)
		require.Equal(t, adds[name], created, "services that %s adds", name)
		require.NotContains(t, others, "delete")
		require.NotContains(t, others, "replace")
		s.up(tier(name)...)
		var again panelclient.Record
		require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID+"/records/"+record.ID, nil, &again))
		require.Equal(t, record, again)
		var stored []byte
		require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID+"/files/"+file.ID+"/content", nil, &stored))
		require.True(t, bytes.Equal(content, stored), "the file's bytes changed")
	}
	require.Eventually(t, func() bool {
		return s.metric("panel", "radpanel_files_moved_total")+s.metric("panel-2", "radpanel_files_moved_total") >= 1
	}, 90*time.Second, 100*time.Millisecond, "the file moves to the S3 server")
	var stored []byte
	require.NoError(t, ada.Do(t.Context(), http.MethodGet, "/panels/"+panel.ID+"/files/"+file.ID+"/content", nil, &stored))
	require.True(t, bytes.Equal(content, stored), "the file's bytes changed")
	created, others := s.previewed(tier("tier2")...)
	require.Empty(t, created)
	require.Empty(t, others)
}

// previewed gives the services that a preview would create, and what it would do to other resources.
func (s *stack) previewed(args ...string) (created, others []string) {
	s.t.Helper()
	out, err := s.Rad(s.t.Context(), append([]string{"preview", s.Name, "--json"}, args...)...)
	require.NoError(s.t, err, out)
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
		var event struct {
			Type, Resource, Operation string
			ResourceType              string `json:"resource_type"`
		}
		require.NoError(s.t, json.Unmarshal(lines.Bytes(), &event), lines.Text())
		if event.Type != "change" {
			continue
		}
		switch {
		case event.Operation == "create" && event.ResourceType == "radlocal:index:Service":
			created = append(created, event.Resource)
		case event.Operation != "create":
			others = append(others, event.Operation)
		}
	}
	slices.Sort(created)
	return created, others
}
