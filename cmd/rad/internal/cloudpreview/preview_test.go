// Package cloudpreview_test previews the stacks on AWS with the real engine, against a stand-in for AWS, and writes what a
// reviewer would see.
package cloudpreview_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
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
	"github.com/radpanel/radpanel/infra/aws"
	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/infra/guard"
	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/golden"
)

// image is the one that the stacks pin.
const image = "debian-12-arm64-20260210-2384"

// bench is one stack that grows.
type bench struct {
	folder string
	cli    pulumicli.CLI
	cloud  *awstest.Cloud
	config map[string]string

	// instead is what the program declares in the place of the tier. Nil: the tier.
	instead func(*pulumi.Context) error

	mu   sync.Mutex
	said []progress.Message
}

func newBench(t *testing.T, config map[string]string) *bench {
	t.Helper()
	cloud, err := awstest.New(image)
	require.NoError(t, err)
	b := &bench{folder: t.TempDir(), cli: pulumiclitest.Find(t), cloud: cloud, config: map[string]string{"ami": image}}
	maps.Copy(b.config, config)
	require.NoError(t, os.WriteFile(filepath.Join(b.folder, aws.ReleaseFile), []byte("a release"), 0o600))
	return b
}

// open opens the engine on the stack as it would be at a tier.
func (b *bench) open(t *testing.T, tier stacks.Tier) (*engine.Engine, stacks.Stack) {
	t.Helper()
	b.config["tier"] = string(tier)
	stack, err := stacks.Load("growing", b.config)
	require.NoError(t, err)
	provide := func() (pulumirpc.ResourceProviderServer, error) { return b.cloud.Provider(), nil }
	b.said = nil
	opened, err := engine.Open(t.Context(), engine.Options{
		Home: engine.Home{Folder: filepath.Join(b.folder, "pulumi"), Project: stacks.Namespace}, Stack: stack.Name, Purpose: "the test", CLI: b.cli,
		Config:    b.config,
		Providers: map[string]func() (pulumirpc.ResourceProviderServer, error){"aws": provide, "random": provide},
		HoldsData: func(resourceType string) bool { return infra.Loss(resourceType) != "" },
		Program: func(ctx *pulumi.Context) error {
			return infra.Deploy(ctx, stack, infra.Options{}, infra.Target{
				Name: stacks.AWS, Deploy: func(ctx *pulumi.Context, stack stacks.Stack) error {
					if b.instead != nil {
						return b.instead(ctx)
					}
					return aws.Deploy(ctx, stack, aws.Options{ReleaseFolder: b.folder})
				},
			})
		},
		Show: func(event progress.Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if message, is := event.(progress.Message); is && message.Severity != progress.Note {
				b.said = append(b.said, message)
			}
		},
	})
	require.NoError(t, err)
	return opened, stack
}

// comment gives what a reviewer would see of the stack at a tier.
func (b *bench) comment(t *testing.T, tier stacks.Tier) (string, engine.Outcome, error) {
	t.Helper()
	opened, stack := b.open(t, tier)
	outcome, err := opened.Preview(t.Context())
	require.NoError(t, opened.Close())
	table, tableErr := price.Default()
	require.NoError(t, tableErr)
	budget, budgetErr := stacks.Plan().Budget(tier)
	require.NoError(t, budgetErr)
	before := table.Estimate(stack.Plan, stack.Settings.Region, declared.Before(outcome.Resources))
	after := table.Estimate(stack.Plan, stack.Settings.Region, declared.After(outcome.Resources))
	preview := report.Stack{
		Name: stack.Name, Tier: stack.Plan, Changes: outcome.Changes, Counts: outcome.Counts, Notes: b.said,
		Findings: guard.Policy{Loss: infra.Loss}.Check(outcome.Resources),
		Cost: &report.Cost{
			Before: before.Monthly(), After: after.Monthly(), Low: float64(budget.Low), High: float64(budget.High),
			Moves: price.Moves(before, after), Unknown: after.Unpriced, Prices: table.Says(stack.Settings.Region),
		},
	}
	if was, known := outcome.Before["tier"].(string); known {
		preview.Before, _ = stacks.Plan().Tier(stacks.Tier(was))
	}
	return report.Markdown([]report.Stack{preview}, infra.Loss, report.CommentLimit), outcome, err
}

func (b *bench) up(t *testing.T, tier stacks.Tier) {
	t.Helper()
	opened, _ := b.open(t, tier)
	_, err := opened.Up(t.Context())
	require.NoError(t, err)
	require.NoError(t, opened.Close())
}

// volatile is what differs from run to run: what the cloud makes up, and digests of what was built.
var volatile = regexp.MustCompile(`\b(?:[0-9a-f]{32,}|[a-z]+-[0-9a-f]{17}|d[0-9a-f]{17}|[0-9a-f]{7}|203\.0\.113\.\d+)\b`)

// check compares a comment with its golden file, but for what is volatile.
func check(t *testing.T, name, text string) {
	t.Helper()
	golden.Check(t, filepath.Join("testdata", name), volatile.ReplaceAllString(text, "(made up)"))
}

func TestEachTierAndEachStepAsAReviewerSeesIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, map[string]string{"acknowledgeCost": "600"})
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1, stacks.Tier2} {
		if tier == stacks.Tier2 {
			_, _, err := b.comment(t, tier)
			require.Error(t, err, "in place, nothing moves the files")
			b.config["leaveFiles"] = "true"
		}
		text, outcome, err := b.comment(t, tier)
		require.NoError(t, err)
		for _, r := range outcome.Resources {
			assert.False(t, infra.Loss(r.Type) != "" && (r.Operation == declared.Replace || r.Operation == declared.Delete), r.Name)
		}
		check(t, string(tier)+".md", text)
		b.up(t, tier)
		said := b.words()
		assert.Contains(t, said, "cost: about $")
		assert.Contains(t, said, "an update never deletes or replaces these, which hold data: ")
		assert.NotContains(t, said, "without", "everything has a price")
	}
	text, _, err := b.comment(t, stacks.Tier2)
	require.NoError(t, err)
	check(t, "same.md", text)
	b.keepsSecrets(t, text)

	// Back is another matter: the replica's disk and the files would go.
	text, outcome, err := b.comment(t, stacks.Tier1)
	require.NoError(t, err)
	assert.Positive(t, outcome.Counts[progress.Delete])
	check(t, "back.md", text)
	assert.Contains(t, text, "**`data-2`** of `growing` would be **deleted**: every row of the panel's database")
	assert.Contains(t, text, "**`files`** of `growing` would be **deleted**: every object in it")
	b.keepsSecrets(t, text)

	// Elsewhere is another place for the hosts of the database, and for all that they hold.
	b.config["region"] = "eu-central-1"
	text, _, err = b.comment(t, stacks.Tier2)
	require.NoError(t, err)
	check(t, "refused.md", text)
	assert.Contains(t, text, "## ⛔ The rules refuse the change of 1 stack")
	for _, lost := range []string{"data-1", "data-2", "files", "backups"} {
		assert.Contains(t, text, "> - **`"+lost+"`** of `growing` would be **replaced**")
	}
	assert.Contains(t, text, "! replace database-1 (aws:ec2/instance:Instance)")
}

// keepsSecrets holds what the engine made up for the stack against everything that is said and kept of it.
func (b *bench) keepsSecrets(t *testing.T, comment string) {
	t.Helper()
	var secrets []string
	for _, made := range b.cloud.Things("RandomBytes") {
		secrets = append(secrets, plain(made.Outputs["base64"]))
	}
	for _, parameter := range b.cloud.Things("Parameter") {
		if value, secret := parameter.Inputs["value"]; secret {
			secrets = append(secrets, plain(value))
		}
	}
	require.Greater(t, len(secrets), 10)
	kept := map[string]string{"the comment": comment, "what was said": b.words()}
	home := filepath.Join(b.folder, "pulumi")
	require.NoError(t, filepath.WalkDir(home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		kept[path] = string(content)
		return err
	}))
	assert.Greater(t, len(kept), 4, "state, history, logs")
	for where, text := range kept {
		for _, secret := range secrets {
			require.NotEmpty(t, secret)
			if strings.Contains(text, secret) { // Not NotContains, which would show it.
				t.Errorf("a secret of %d characters is in %s", len(secret), where)
			}
		}
	}
}

func plain(value resource.PropertyValue) string {
	for value.IsSecret() {
		value = value.SecretValue().Element
	}
	return value.StringValue()
}

func (b *bench) words() string {
	var words strings.Builder
	for _, message := range b.said {
		words.WriteString(string(message.Severity) + " " + message.Text + "\n")
	}
	return words.String()
}

// People who use Pulumi alone are told the same, and an update that costs more than the plan begins only once somebody
// agreed.
func TestThePlainCLIIsToldCostAndRisk(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	_, _, err := b.comment(t, stacks.Tier1)
	var failed *engine.FailedError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, []string{"the stack would cost about $114 a month, more than the plan's $40-$60: agree by `pulumi config set " +
		"rad-panel:acknowledgeCost 114`, or spend less by `pulumi config set rad-panel:sizing budget` [cost]"}, failed.Reasons)
	assert.Empty(t, b.cloud.Things("Volume"), "nothing was made")
	said := b.words()
	assert.Contains(t, said, "info cost: about $114 a month when the tier is full, $54 over the plan's $40-60: panel-1 $99, data-1 $8, address $4, "+
		"backups $3. AWS on-demand prices of us-east-1 as of 2026-07-20. More: rad cost growing")
	assert.Contains(t, said, "info cost: not in it is the CPU that these use beyond their share of a day, $0.04 for each CPU and hour (docs/cost.md): panel-1")
	assert.Contains(t, said, "info risk: an update never deletes or replaces these, which hold data: ")
}
