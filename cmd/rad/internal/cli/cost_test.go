package cli

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCostSaysTheSumItsPartsAndThePlan(t *testing.T) {
	t.Parallel()
	for name, arguments := range map[string][]string{
		"cost.mvp.golden":        {"cost"},
		"cost.tier1.golden":      {"cost", "tier1"},
		"cost.budget.golden":     {"cost", "tier2", "-c", "sizing=budget", "-c", "region=eu-central-1"},
		"cost.tier3.golden":      {"cost", "tier3"},
		"cost.all.golden":        {"cost", "--all"},
		"cost.mvp.json.golden":   {"cost", "mvp", "--json"},
		"cost.all.json.golden":   {"cost", "--all", "--json", "-c", "region=eu-central-1"},
		"cost.elsewhere.golden":  {"cost", "mvp", "-c", "region=ap-south-1"},
		"cost.local.json.golden": {"cost", "local-tier2", "--json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t)
			require.Zero(t, c.run(t, arguments...), c.errors.String())
			checkGolden(t, name, c.out.Bytes())
		})
	}
}

func TestAStackOnThisMachineCostsNothing(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for _, arguments := range [][]string{{"cost", "local-tier2"}, {"cost", "tier2", "--target", "local"}} {
		require.Zero(t, c.run(t, arguments...), c.errors.String())
		assert.Equal(t, "local-tier2 costs $0.00 a month\nlocal-tier2: it runs on a machine that you have: it costs nothing by itself. On AWS: "+
			"rad cost tier2.\n", c.out.String())
	}
}

// What Pulumi knows of a stack goes before the blueprint: what was added by hand is seen, with and without a price.
func TestCostOfWhatPulumiSaysOfAStack(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	state := c.write(t, "state.json", `{"version":3,"deployment":{"resources":[
		{"urn":"urn:pulumi:mvp::rad-panel::pulumi:pulumi:Stack::s","type":"pulumi:pulumi:Stack"},
		{"urn":"urn:pulumi:mvp::rad-panel::aws:ec2/instance:Instance::panel","type":"aws:ec2/instance:Instance","custom":true,
		 "inputs":{"instanceType":"t4g.small","userData":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"x"}}},
		{"urn":"urn:pulumi:mvp::rad-panel::aws:ec2/instance:Instance::old","type":"aws:ec2/instance:Instance","custom":true,"delete":true,
		 "inputs":{"instanceType":"t4g.2xlarge"}},
		{"urn":"urn:pulumi:mvp::rad-panel::aws:redshift/cluster:Cluster::warehouse","type":"aws:redshift/cluster:Cluster","custom":true}]}}`)
	preview := c.write(t, "preview.json", `{"steps":[
		{"op":"replace","urn":"a::panel","oldState":{"urn":"a::panel","type":"aws:ec2/instance:Instance","custom":true,"inputs":{"instanceType":"t4g.medium"}},
		 "newState":{"urn":"a::panel","type":"aws:ec2/instance:Instance","custom":true,"inputs":{"instanceType":"t4g.small"}}},
		{"op":"delete","urn":"a::gone","oldState":{"urn":"a::gone","type":"aws:ec2/instance:Instance","custom":true,"inputs":{"instanceType":"t4g.2xlarge"}}},
		{"op":"create","urn":"a::warehouse","newState":{"urn":"a::warehouse","type":"aws:redshift/cluster:Cluster","custom":true}}]}`)
	for _, from := range []string{state, preview} {
		require.Zero(t, c.run(t, "cost", "mvp", "--json", "--from", from), c.errors.String())
		var cost Cost
		require.NoError(t, json.Unmarshal(c.out.Bytes(), &cost))
		assert.Equal(t, from, cost.From)
		assert.InDelta(t, 730*0.0168+8*0.08, cost.Monthly, 0.001, "the t4g.small and its system disk, and nothing else")
		require.Len(t, cost.Unknown, 1)
		assert.Equal(t, "warehouse", cost.Unknown[0].Resource)
		assert.Equal(t, "its resources cost about $13 a month, below the plan's $20-30", cost.Says)
	}
}

func TestWrongCostCommandsSayWhy(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	nothing := c.write(t, "nothing.json", `{}`)
	partial := c.write(t, "partial.json", `{"steps":[{"op":"create","urn":"a::b","newState":{"type":"x:y:Z","custom":true}}],"changeSummary":{"create":1,"same":3}}`)
	garbage := c.write(t, "garbage.json", `<html>`)
	for _, test := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"cost", "--all", "mvp"}, "cost --all is of every tier's blueprint: leave out the stack and --from"},
		{[]string{"cost", "mvp", "--from", "missing.json"}, "--from: open " + c.root + "/missing.json: no such file or directory"},
		{[]string{"cost", "mvp", "--from", nothing}, "not of `pulumi stack export`: expected what `pulumi preview --json --show-sames` writes"},
		{[]string{"cost", "mvp", "--from", partial}, "it leaves out 3 resources that stay as they are: preview with --show-sames"},
		{[]string{"cost", "mvp", "--from", garbage}, "invalid character '<'"},
		{[]string{"cost", "mvp", "-c", "region=moon"}, `rad-panel:region: "moon": not a region`},
		{[]string{"cost", "--all", "-c", "sizing=large"}, `rad-panel:sizing: "large": no such value`},
		{[]string{"cost", "tier1", "--target", "moon"}, "--target moon: expected local or aws"},
	} {
		assert.Equal(t, int(exitUsage), c.run(t, test.arguments...), test.arguments)
		assert.Contains(t, c.errors.String(), test.want)
	}
}
