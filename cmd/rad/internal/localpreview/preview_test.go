// Package localpreview_test previews the stacks of this machine with the real engine and the real program, and writes what a
// reviewer would see: new, as they are, changed, grown, and at each step of a promotion. No server runs.
package localpreview_test

import (
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli/pulumiclitest"
	"github.com/radpanel/radpanel/cmd/rad/internal/report"
	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/guard"
	"github.com/radpanel/radpanel/infra/local/provider"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/golden"
)

// binaries is where PostgreSQL is, in the version that this machine has.
var binaries = regexp.MustCompile(`/usr/lib/postgresql/\d+`)

// bench is a machine on paper: a state folder, a release, and an engine.
type bench struct {
	*testing.T
	root    string
	cli     pulumicli.CLI
	secrets secrets
	// state is where the stacks are.
	state string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	name := make([]byte, 6)
	_, _ = rand.Read(name) // It never fails.
	// Short, since unix sockets bound the path of a stack.
	b := &bench{T: t, root: filepath.Join("/tmp", "rad-paper-"+hex.EncodeToString(name)), cli: pulumiclitest.Find(t)}
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(b.root)) })
	b.state = filepath.Join(b.root, "state")
	for _, folder := range []string{"state", "bin/web"} {
		require.NoError(t, os.MkdirAll(filepath.Join(b.root, folder), 0o700))
	}
	for _, file := range []string{"radpanel", "versitygw", "jaeger", "web/index.html"} {
		require.NoError(t, os.WriteFile(filepath.Join(b.root, "bin", file), []byte(file), 0o700))
	}
	return b
}

func (b *bench) open(name string, config map[string]string, say func(progress.Message)) (*engine.Engine, stacks.Stack) {
	b.Helper()
	stack, err := stacks.Load(name, config)
	require.NoError(b, err)
	options := infra.Options{
		StateFolder: b.state, ReleaseFolder: filepath.Join(b.root, "bin"),
		Machine: machine.Resources{CPU: 8, RAM: 16 * stacks.GiB, Disk: 500 * stacks.GiB},
	}
	opened, err := engine.Open(b.Context(), engine.Options{
		Home: engine.Home{Folder: filepath.Join(b.root, "pulumi"), Project: stacks.Namespace}, Stack: name, Purpose: "the test", CLI: b.cli,
		Config: config,
		Providers: map[string]func() (pulumirpc.ResourceProviderServer, error){
			provider.Name: func() (pulumirpc.ResourceProviderServer, error) { return newPaper(&b.secrets) },
		},
		Program:   func(ctx *pulumi.Context) error { return infra.Deploy(ctx, stack, options) },
		HoldsData: func(resourceType string) bool { return infra.Loss(resourceType) != "" },
		Show: func(event progress.Event) {
			if message, is := event.(progress.Message); is && message.Severity != progress.Note {
				say(message)
			}
		},
	})
	require.NoError(b, err)
	return opened, stack
}

// preview gives what the comment would say of a stack with a configuration.
func (b *bench) preview(name string, config map[string]string) report.Stack {
	b.Helper()
	preview := report.Stack{Name: name}
	opened, stack := b.open(name, config, func(message progress.Message) { preview.Notes = append(preview.Notes, message) })
	outcome, err := opened.Preview(b.Context())
	require.NoError(b, err)
	require.NoError(b, opened.Close())
	preview.Tier, preview.Changes, preview.Counts = stack.Plan, outcome.Changes, outcome.Counts
	preview.Findings = guard.Policy{Loss: infra.Loss}.Check(outcome.Resources)
	if was, known := outcome.Before["tier"].(string); known {
		preview.Before, err = stacks.Plan().Tier(stacks.Tier(was))
		require.NoError(b, err)
	}
	return preview
}

func (b *bench) up(name string, config map[string]string) {
	b.Helper()
	opened, _ := b.open(name, config, func(progress.Message) {})
	_, err := opened.Up(b.Context())
	require.NoError(b, err)
	require.NoError(b, opened.Close())
}

// anywhere gives a text as it would be on any machine.
func (b *bench) anywhere(text string) string {
	return binaries.ReplaceAllString(strings.ReplaceAll(text, b.root, "/srv"), "/usr/lib/postgresql/N")
}

// golden compares the comment on previews, and sees that no secret is in it or in what the engine keeps.
func (b *bench) golden(name string, previews ...report.Stack) string {
	b.Helper()
	// Before it is written: what is shown of a text is cut off by its length.
	for _, preview := range previews {
		for _, change := range preview.Changes {
			for i, property := range change.Properties {
				change.Properties[i].Old, change.Properties[i].New = b.anywhere(property.Old), b.anywhere(property.New)
			}
		}
	}
	text := report.Markdown(previews, infra.Loss, report.CommentLimit)
	golden.Check(b, filepath.Join("testdata", name+".md"), text)
	kept := map[string]string{"the comment": text}
	require.NoError(b, filepath.WalkDir(filepath.Join(b.root, "pulumi"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		kept[path] = string(content)
		return err
	}))
	for where, text := range kept {
		for _, secret := range b.secrets.list() {
			if strings.Contains(text, secret) { // Not NotContains, which would show it.
				b.Errorf("a secret of %d characters is in %s", len(secret), where)
			}
		}
	}
	return text
}

func TestEachTierNewAndAsItIs(t *testing.T) {
	b := newBench(t)
	var fresh, same []report.Stack
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1, stacks.Tier2} {
		fresh = append(fresh, b.preview(stacks.Name(tier, stacks.Local), nil))
	}
	b.golden("new", fresh...)
	for _, stack := range fresh {
		b.up(stack.Name, nil)
		same = append(same, b.preview(stack.Name, nil))
	}
	require.NotEmpty(t, b.secrets.list())
	b.golden("same", same...)
	b.golden("configured", b.preview("local-mvp", map[string]string{"logLevel": "debug", "fileSizeLimit": "8MiB"}))

	// The host that the database is on is another place: all that it holds would be left behind.
	elsewhere := filepath.Join(b.root, "other")
	require.NoError(t, os.Mkdir(elsewhere, 0o700))
	b.state = elsewhere
	text := b.golden("refused", b.preview("local-tier1", nil))
	assert.Contains(t, text, "## ⛔ The rules refuse the change of 1 stack")
	assert.Contains(t, text, "> - **`host`** of `local-tier1` would be **replaced**: the stack's folder with all data would be lost. "+
		"`up` refuses, unless it is told `--allow-data-loss host`.")
	assert.Contains(t, text, "**`data`** of `local-tier1` would be **replaced**: every row of the panel's database would be lost.")
}

func TestAStackThatGrowsWhereItIs(t *testing.T) {
	b := newBench(t)
	at := func(tier stacks.Tier) map[string]string { return map[string]string{"tier": string(tier)} }
	b.up("local-growing", at(stacks.MVP))
	for _, tier := range []stacks.Tier{stacks.Tier1, stacks.Tier2} {
		text := b.golden("grown-"+string(tier), b.preview("local-growing", at(tier)))
		assert.NotContains(t, text, "CAUTION", "what holds data stays")
		b.up("local-growing", at(tier))
	}
}

func TestEachStepOfEachPromotion(t *testing.T) {
	for _, step := range []struct{ from, to stacks.Tier }{{stacks.MVP, stacks.Tier1}, {stacks.Tier1, stacks.Tier2}} {
		t.Run(string(step.to), func(t *testing.T) {
			b := newBench(t)
			from, to := stacks.Name(step.from, stacks.Local), stacks.Name(step.to, stacks.Local)
			old := map[string]string{"httpPort": "8080"}
			b.up(from, old)

			beside := map[string]string{"promoteFrom": from, "httpPort": "0"}
			text := b.golden("promote-"+string(step.to)+"-1-beside", b.preview(to, beside))
			assert.NotContains(t, text, "CAUTION")
			b.up(to, beside)

			forwarding := maps.Clone(old)
			forwarding["promoteTo"] = to
			b.golden("promote-"+string(step.to)+"-2-forwarding", b.preview(from, forwarding))

			taken := map[string]string{"promoteFrom": from, "httpPort": "8080"}
			b.golden("promote-"+string(step.to)+"-3-address", b.preview(to, taken))
			b.up(to, taken)
			text = b.golden("promote-"+string(step.to)+"-4-finished", b.preview(to, nil))
			assert.NotContains(t, text, "CAUTION")
		})
	}
}
