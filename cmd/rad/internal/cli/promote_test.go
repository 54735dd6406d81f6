package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/filelock"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/promote"
)

// A rad that lives has the promotion for itself. One that was killed may have left a guard, which holds the lock until all is
// in order: whoever goes on waits for that.
func TestARadWaitsForTheGuardOfOneThatWasKilled(t *testing.T) {
	t.Parallel()
	from := selection{name: "local-mvp", stateFolder: t.TempDir()}
	path := promote.LockFile(from.stateFolder)
	held, err := filelock.Acquire(path, "rad promote local-mvp local-tier1")
	require.NoError(t, err)
	_, err = lockPromotion(t.Context(), from, "rad promote again", func(progress.Event) { t.Error("it does not wait") })
	var busy *engine.BusyError
	require.ErrorAs(t, err, &busy)
	assert.Contains(t, busy.Holder, "rad promote local-mvp local-tier1")

	killed := exec.Command("true") //nolint:noctx // It ends by itself.
	require.NoError(t, killed.Run())
	content, err := json.Marshal(filelock.Holder{PID: killed.Process.Pid, Purpose: "rad promote local-mvp local-tier1", Since: time.Now()})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	said := ""
	lock, err := lockPromotion(t.Context(), from, "rad promote again", func(event progress.Event) {
		activity, is := event.(progress.Activity)
		require.True(t, is, "%T", event)
		said = activity.Text
		require.NoError(t, held.Release(), "the guard ends")
	})
	require.NoError(t, err)
	assert.Contains(t, said, "waiting until its guard has put the cut-over in order")
	require.NoError(t, lock.Release())
}

// A stack that the panel has left, or has gone back from, has instances that would work on the other one's database.
func TestAStackThatThePanelHasLeftDoesNotComeUp(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		records []promote.Record
		refusal string
	}{
		"none":                       {},
		"takes part":                 {records: []promote.Record{{From: "local-mvp", To: "local-tier1", Step: promote.Bake}}},
		"panel came":                 {records: []promote.Record{{From: "local-mvp", To: "local-tier1", Step: promote.Finished}}},
		"panel stayed":               {records: []promote.Record{{From: "local-tier1", To: "local-tier2", Step: promote.RolledBack}}},
		"panel came, and goes on":    {records: []promote.Record{{From: "local-mvp", To: "local-tier1", Step: promote.Finished}, {From: "local-tier1", To: "local-tier2", Step: promote.Copy}}},
		"panel went":                 {records: []promote.Record{{From: "local-tier1", To: "local-tier2", Step: promote.Finished}}, refusal: "was promoted to local-tier2: take it down"},
		"panel came, and went":       {records: []promote.Record{{From: "local-mvp", To: "local-tier1", Step: promote.Finished}, {From: "local-tier1", To: "local-tier2", Step: promote.Finished}}, refusal: "was promoted to local-tier2"},
		"panel went back":            {records: []promote.Record{{From: "local-mvp", To: "local-tier1", Step: promote.RolledBack}}, refusal: "`rad promote local-mvp local-tier1`, or remove it with `rad down --purge local-tier1`"},
		"panel went back, and again": {records: []promote.Record{{From: "local-mvp", To: "local-tier1", Step: promote.FrontDoor}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stack := selection{name: "local-tier1", stateFolder: t.TempDir()}
			require.NoError(t, os.MkdirAll(promote.Folder(stack.stateFolder), 0o700))
			for _, record := range one.records {
				content, err := json.Marshal(record)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(promote.Folder(stack.stateFolder), record.From+"--"+record.To+".json"), content, 0o600))
			}
			err := mayComeUp(stack)
			if one.refusal == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, one.refusal)
			}
		})
	}
}
