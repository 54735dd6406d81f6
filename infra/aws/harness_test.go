package aws_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/aws"
	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/stacks"
)

// image is the one that the stacks of these tests pin.
const image = "debian-12-arm64-20260210-2384"

// variant is a stack with one way to configure it.
type variant struct {
	name   string
	tier   stacks.Tier
	config map[string]string
	// before are the stacks that are there already, in the order in which they came. The one to which this one's panel was
	// promoted comes last, and knows it as it was without config's promoteTo.
	before []before
}

// before is a stack that is there before another.
type before struct {
	name   string
	config map[string]string
}

// variants are all stacks that the target builds, each in the ways that make a difference to its resources.
func variants() []variant {
	const domain, zone = "panel.example.com", "Z0123456789ABCDEFGHIJ"
	var all []variant
	for _, tier := range []stacks.Tier{stacks.MVP, stacks.Tier1, stacks.Tier2} {
		all = append(all,
			variant{"without a domain", tier, map[string]string{}, nil},
			variant{"with a domain", tier, map[string]string{"domain": domain, "hostedZone": zone}, nil},
			variant{"elsewhere, on the plan's budget", tier, map[string]string{
				"domain": domain, "hostedZone": zone, "region": "eu-central-1", "sizing": "budget", "costCentre": "Team 7",
			}, nil},
		)
		if tier != stacks.MVP {
			old := string(stacks.Tiers()[slices.Index(stacks.Tiers(), tier)-1])
			all = append(all, variant{
				"that is promoted to", tier,
				map[string]string{"promoteFrom": old, "domain": domain, "hostedZone": zone},
				[]before{{old, map[string]string{"domain": domain, "hostedZone": zone}}},
			})
		}
		if tier != stacks.Tier2 { // A CDN needs the zone.
			all = append(all, variant{"with a domain of others", tier, map[string]string{"domain": domain}, nil})
			next, own := string(stacks.Tiers()[slices.Index(stacks.Tiers(), tier)+1]), map[string]string{"domain": domain, "hostedZone": zone}
			all = append(all, variant{
				"whose panel has moved on", tier,
				map[string]string{"domain": domain, "hostedZone": zone, "promoteTo": next},
				[]before{{string(tier), own}, {next, map[string]string{"domain": domain, "hostedZone": zone, "promoteFrom": string(tier)}}},
			})
		}
	}
	return all
}

// eachVariant runs a check on what each variant declares.
func eachVariant(t *testing.T, check func(t *testing.T, stack stacks.Stack, declared []awstest.Declared)) {
	t.Helper()
	for _, v := range variants() {
		t.Run(string(v.tier)+" "+v.name, func(t *testing.T) {
			t.Parallel()
			stack := load(t, string(v.tier), v.config)
			declared, err := declare(t, stack, v.before...)
			require.NoError(t, err)
			require.NotEmpty(t, declared)
			check(t, stack, declared)
		})
	}
}

func load(t *testing.T, name string, config map[string]string) stacks.Stack {
	t.Helper()
	whole := map[string]string{"ami": image}
	for key, value := range config {
		whole[key] = value
	}
	stack, err := stacks.Load(name, whole)
	require.NoError(t, err)
	return stack
}

// declare gives what a stack declares, in a cloud that has others already, or, if it is one of them, in an empty one.
func declare(t *testing.T, stack stacks.Stack, others ...before) ([]awstest.Declared, error) {
	t.Helper()
	cloud, err := awstest.New(image)
	require.NoError(t, err)
	told := map[string]resource.PropertyMap{}
	for _, other := range others {
		_, err := declareIn(t, cloud, load(t, other.name, other.config), told)
		require.NoError(t, err)
	}
	if _, there := told[stack.Name]; there { // Nothing of its own is in the way.
		if cloud, err = awstest.New(image); err != nil {
			return nil, err
		}
	}
	return declareIn(t, cloud, stack, told)
}

// declareIn declares a stack in a cloud, and writes down what it tells others.
func declareIn(t *testing.T, cloud *awstest.Cloud, stack stacks.Stack, told map[string]resource.PropertyMap) ([]awstest.Declared, error) {
	t.Helper()
	folder := releaseFolder(t, "first")
	var mu sync.Mutex
	var tells map[string]any
	declared, err := awstest.Declare(cloud, stack.Name, func(ctx *pulumi.Context) error {
		made, err := aws.NewStack(ctx, stack, aws.Options{ReleaseFolder: folder})
		if err != nil {
			return err
		}
		made.Promotion.ApplyT(func(values map[string]any) error {
			raw, err := json.Marshal(values)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			return json.Unmarshal(raw, &tells)
		})
		made.Export(ctx)
		return nil
	}, told)
	mu.Lock()
	defer mu.Unlock()
	told[stack.Name] = resource.NewPropertyMapFromMap(map[string]any{"promotion": tells})
	return declared, err
}

// releaseFolder holds a release of a given content.
func releaseFolder(t *testing.T, content string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, aws.ReleaseFile), []byte(content), 0o600))
	return folder
}
