package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Previews of the plain CLI become one comment: what would lose data on top, what the rules forbid, money, details.
func TestPreviewsOfThePlainCLIBecomeAComment(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	local, err := os.ReadFile("../engine/testdata/preview-file.json")
	require.NoError(t, err)
	c.write(t, "local.json", string(local))
	grown, err := os.ReadFile("testdata/preview.tier1.json")
	require.NoError(t, err)
	c.write(t, "tier1.json", string(grown))
	arguments := []string{"preview", "--markdown", "--from", "tier1=tier1.json", "--from", "local-mvp=local.json"}
	require.Equal(t, int(exitForbidden), c.run(t, arguments...), c.errors.String())
	checkGolden(t, "preview.golden.md", c.out.Bytes())
	assert.Contains(t, c.errors.String(), "rad: tier1: panel-data (aws:ebs/volume:Volume): it would be replaced")
	assert.NotContains(t, c.out.String()+c.errors.String(), "hunter2")

	require.Equal(t, int(exitForbidden), c.run(t, append(arguments[:4:4], "--allow-data-loss", "panel-data")...))
	assert.Contains(t, c.errors.String(), "port 22 is open to everybody")
	assert.NotContains(t, c.errors.String(), "panel-data", "it was given up, the rest is refused all the same")
	require.Equal(t, int(exitUsage), c.run(t, append(arguments, "--allow-data-loss", "panel-data")...), "of which stack?")

	// What was agreed on and given up is no reason to refuse.
	c.write(t, "tier1.json", strings.Replace(string(grown), "0.0.0.0/0", "10.0.0.0/16", 1))
	c.write(t, "Pulumi.yaml", "name: rad-panel\nruntime: go\n")
	c.write(t, "Pulumi.tier1.yaml", "config:\n  rad-panel:acknowledgeCost: 120\n")
	require.Zero(t, c.run(t, "preview", "--markdown", "--from", "tier1=tier1.json", "--allow-data-loss", "panel-data"), c.errors.String())
	assert.Contains(t, c.out.String(), "## Changes of 1 stack\n\n> [!CAUTION]\n> **Data would be lost.**\n")
	assert.NotContains(t, c.out.String(), "refuses")
	require.Equal(t, int(exitPending), c.run(t, "preview", "--markdown", "--from", "tier1=tier1.json", "--allow-data-loss", "panel-data", "--expect-no-changes"))
}

func TestWrongPreviewsAreSaid(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.write(t, "failed.json", `{"steps":[],"diagnostics":[{"message":"error: stack mvp: no AMI is set\n","severity":"error"},{"message":"error: preview failed\n","severity":"error"}]}`)
	for _, test := range []struct {
		arguments []string
		code      code
		want      string
	}{
		{[]string{"preview", "--from", "mvp=failed.json"}, exitUsage, "--from is for --markdown: add it"},
		{[]string{"preview", "--markdown", "--from", "mvp"}, exitUsage, `--from "mvp": expected <stack>=<file>`},
		{[]string{"preview", "--markdown", "--from", "mvp=missing.json"}, exitUsage, "no such file or directory"},
		{[]string{"preview", "--markdown", "--from", "mvp=failed.json"}, exitFailed, "mvp: stack mvp: no AMI is set"},
	} {
		assert.Equal(t, int(test.code), c.run(t, test.arguments...), test.arguments)
		assert.Contains(t, c.errors.String(), test.want)
	}
	assert.Contains(t, c.out.String(), "## ❌ No preview of 1 stack")
	assert.Contains(t, c.out.String(), "stack mvp: no AMI is set")
}
