package engine_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/infra/declared"
)

// The file is what pulumi 3.256.0 wrote of a local stack whose state was edited, with most properties taken out.
func TestAPreviewOfThePlainCLIReadsAsOnesOwn(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/preview-file.json")
	require.NoError(t, err)
	var said []progress.Event
	holdsData := func(resourceType string) bool { return resourceType == "radlocal:index:Database" }
	outcome, err := engine.ReadPreview(content, holdsData, func(e progress.Event) { said = append(said, e) })

	var failed *engine.FailedError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Reasons, 1)
	assert.Contains(t, failed.Reasons[0], "as it is currently marked for protection")
	assert.Equal(t, progress.Counts{progress.Replace: 1, progress.Update: 1, progress.Same: 3}, outcome.Counts)
	assert.Equal(t, []progress.Change{
		{
			Resource: "database", Type: "radlocal:index:Database", Operation: progress.Replace, Risk: progress.RiskData, Protected: true,
			Properties: []progress.Property{{Path: "name", Kind: "update", Replaces: true, Old: "elsewhere", New: "radpanel"}},
		},
		{Resource: "panel", Type: "radlocal:index:Service", Operation: progress.Update, Properties: []progress.Property{
			{Path: "environment.RAD_LOG_LEVEL", Kind: "update", Old: "info", New: "debug"},
		}},
	}, outcome.Changes)
	assert.Equal(t, []progress.Event{progress.Message{Severity: progress.Info, Resource: "database", Text: "the database is gone"}}, said)

	operations := map[string]declared.Operation{}
	for _, r := range outcome.Resources {
		operations[r.Name] = r.Operation
		if r.Name == "database" {
			assert.True(t, r.Protected)
			assert.Equal(t, "elsewhere", declared.At(r.Old, "name"))
			assert.Equal(t, "radpanel", r.Text("name"))
			assert.Equal(t, declared.Secret{}, declared.At(r.Inputs, "owner", "password"))
		}
	}
	assert.Equal(t, map[string]declared.Operation{
		"data": declared.Same, "database": declared.Replace, "encryption-key": declared.Same, "panel": declared.Update, "web-release": declared.Same,
	}, operations)
}

func TestTheSameFailuresOfAPreviewAreToldInTheSameOrder(t *testing.T) {
	t.Parallel()
	said := func(first, second string) []string {
		content := fmt.Sprintf(`{"steps":[],"diagnostics":[{"severity":"error","urn":"a::%[1]s","message":"error: %[1]s is gone"},
			{"severity":"error","urn":"a::%[2]s","message":"error: %[2]s is gone"},{"severity":"error","urn":"a::%[1]s","message":"error: %[1]s is gone"}]}`, first, second)
		_, err := engine.ReadPreview([]byte(content), func(string) bool { return false }, func(progress.Event) {})
		var failed *engine.FailedError
		require.ErrorAs(t, err, &failed)
		return failed.Reasons
	}
	assert.Equal(t, []string{"panel: panel is gone", "redis: redis is gone"}, said("panel", "redis"))
	assert.Equal(t, said("panel", "redis"), said("redis", "panel"))
}

func TestAProtectedResourceIsReplacedOnlyIfTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.up(t, notes{{"one", "protected"}})
	require.NoError(t, err)

	elsewhere := t.TempDir()
	replace := func(ignore bool) (plan, up engine.Outcome, planErr, upErr error) {
		options, err := b.options(nil, false)
		require.NoError(t, err)
		options.Program, options.IgnoreProtect = notes{{"one", "protected"}}.program(elsewhere, false), ignore
		opened, err := engine.Open(t.Context(), options)
		require.NoError(t, err)
		plan, planErr = opened.Plan(t.Context())
		up, upErr = opened.Up(t.Context()) // The providers of the plan are spent: it has its own.
		require.NoError(t, opened.Close())
		return plan, up, planErr, upErr
	}
	plan, _, planErr, upErr := replace(false)
	require.NoError(t, planErr, "a preview tells everything")
	require.ErrorContains(t, upErr, "as it is currently marked for protection")
	require.Len(t, plan.Resources, 2, "the provider, and the note")
	note := plan.Resources[1]
	assert.Equal(t, declared.Replace, note.Operation)
	assert.True(t, note.Protected)
	assert.Equal(t, declared.Secret{}, note.Inputs["key"])
	assert.NoFileExists(t, elsewhere+"/one")

	plan, up, planErr, upErr := replace(true)
	require.NoError(t, planErr)
	require.NoError(t, upErr)
	assert.False(t, plan.Settled)
	assert.Equal(t, progress.Counts{progress.Replace: 1}, up.Counts)
	assert.FileExists(t, elsewhere+"/one")

	plan, _, planErr, _ = replace(false)
	require.NoError(t, planErr)
	assert.True(t, plan.Settled, "nothing is left to do")
	assert.Equal(t, map[string]any{"url": "http://localhost:1", "key": "[secret]"}, plan.Outputs)
}
