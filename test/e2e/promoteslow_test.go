package e2e

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/test/panelclient"
)

// A change that is sent slowly, while the panel moves, is made before the new stack's cache is used: what is read afterwards is not
// older. The web server holds it back until it is whole, so that no instance knows of it before.
func TestWhatIsSentSlowlyIsWaitedForByAPromotion(t *testing.T) {
	mvp := newStack(t, "mvp")
	mvp.up()
	tier1, calls := mvp.beside("tier1"), newCalls(t)
	ada := mvp.user("ada@example.com")
	panel, err := ada.CreatePanel(t.Context(), "Customers")
	require.NoError(t, err)
	record, err := ada.CreateRecord(t.Context(), panel.ID, "before", map[string]any{})
	require.NoError(t, err)
	path := "/panels/" + panel.ID + "/records/" + record.ID

	const said = "the web server of stack local-mvp finishes what it serves"
	first, second := strings.Repeat(" ", 64<<10)+`{"title":`, `"after"}` // No buffer of the client's keeps so much.
	body, rest := io.Pipe()
	changed := make(chan error, 1)
	var rad *heard
	begun := make(chan struct{})
	calls.mu.Lock()
	calls.at = func(point string) {
		<-begun
		switch point {
		case "forward": // The old web server still takes requests itself.
			go func() {
				changed <- ada.Do(t.Context(), http.MethodPatch, path, body, nil, panelclient.Header("If-Match", "*"),
					func(r *http.Request) { r.ContentLength = int64(len(first + second)) })
			}()
			_, err := io.WriteString(rest, first) // It returns when the request is on its way.
			assert.NoError(t, err)
			go func() {
				assert.Eventually(t, func() bool { return strings.Contains(rad.text(), said) }, settleTime, 10*time.Millisecond, "it is not waited for")
				_, _ = io.WriteString(rest, second) // The request's own error tells.
			}()
		case "jobs":
			assert.Contains(t, rad.text(), said)
		}
	}
	calls.mu.Unlock()
	calling := mvp.RunBy(filepath.Join(built.folder, "faultyrad"), "RAD_FAULT=* call "+calls.socket)
	rad = (&stack{Stack: calling, t: t}).overhear("promote", mvp.Name, tier1.Name)
	close(begun)
	require.NoError(t, <-rad.done, rad.text())
	require.NoError(t, <-changed)
	for range 3 {
		var now panelclient.Record
		require.NoError(t, ada.Do(t.Context(), http.MethodGet, path, nil, &now))
		require.Equal(t, "after", now.Title)
	}
	_, err = tier1.Rad(t.Context(), "promote", tier1.Name, "tier2")
	require.ErrorContains(t, err, "takes part in the promotion local-mvp -> local-tier1", "one promotion after the other")
	mvp.promote(tier1, "finish")
}
