package price_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/infra/price"
	"github.com/radpanel/radpanel/stacks"
)

func table(t *testing.T) price.Table {
	t.Helper()
	table, err := price.Default()
	require.NoError(t, err)
	return table
}

func load(t *testing.T, name string, config map[string]string) stacks.Stack {
	t.Helper()
	stack, err := stacks.Load(name, config)
	require.NoError(t, err)
	return stack
}

func TestTheTableIsWholeForEachRegion(t *testing.T) {
	t.Parallel()
	table := table(t)
	for _, region := range []string{"us-east-1", "eu-central-1"} {
		prices, exact := table.In(region)
		assert.True(t, exact)
		assert.Contains(t, table.Says(region), region+" as of 202")
		for _, family := range []string{"t4g.", "c7g.", "m7g.", "r7g."} {
			assert.Contains(t, join(prices.Instances), family)
		}
	}
	_, exact := table.In("ap-south-1")
	assert.False(t, exact)
	assert.Equal(t, "AWS on-demand prices of us-east-1 as of 2026-07-20 (the table has none of ap-south-1, where they may differ by some 20 %)",
		table.Says("ap-south-1"))
}

// What was not held against a source is known, and gets no longer without somebody who writes it down here. What the tiers
// that can be built pay for is confirmed.
func TestItIsKnownWhatNoSourceConfirms(t *testing.T) {
	t.Parallel()
	table := table(t)
	assert.Equal(t, []string{
		"db.t4g.large", "db.t4g.xlarge", "db.m7g.large", "db.m7g.xlarge", "db.r7g.large", "db.r7g.xlarge",
		"cache.t4g.micro", "cache.t4g.small", "cache.t4g.medium", "cache.m7g.large", "cache.m7g.xlarge", "cache.r7g.large", "cache.r7g.xlarge",
		"cloudwatch.metric.month",
	}, table.Unconfirmed("us-east-1"))
	assert.Len(t, table.Unconfirmed("eu-central-1"), 62, "no more than what was sent, and what CloudFront takes")
}

func join(instances []price.Instance) string {
	var names strings.Builder
	for _, i := range instances {
		names.WriteString(i.Type + " ")
	}
	return names.String()
}

func TestATableThatLacksAPriceIsRefused(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("prices.json")
	require.NoError(t, err)
	for _, test := range []struct{ name, old, new, want string }{
		{"no price", `"vpc.ipv4.hour": 0.005`, `"vpc.ipv4.hour": 0`, "vpc.ipv4.hour: price 0: expected more than 0"},
		{"a misspelt item", `"vpc.ipv4.hour": `, `"vpc.ipv4.hours": `, "vpc.ipv4.hour: price 0: expected more than 0"},
		{"an item too many", `"vpc.ipv4.hour": 0.005`, `"vpc.ipv4.hour": 0.005, "x": 1`, "30 rates: expected 29"},
		{"free tier of nothing", `"free_tier": {`, `"free_tier": {"x": 1,`, `free tier of "x": no such item`},
		{"no date", `"date": "2026-07-20"`, `"date": "soon"`, `region us-east-1: date "soon" of its figures`},
		{"another currency", `"USD"`, `"EUR"`, `currency "EUR": expected USD`},
		{"no reference", `"us-east-1": {
      "instances"`, `"us-east-9": {
      "instances"`, "region us-east-1 is missing"},
		{"instance for nothing", `"usd_per_hour": 0.0042`, `"usd_per_hour": 0`, "expected a type, CPU, RAM and price"},
		{"a confirmation of nothing", `"db.t4g.small", "rds`, `"db.t5g.small", "rds`, "us-east-1 has no figure db.t5g.small"},
		{"a confirmation of no day", `"date": "2024-09-25"`, `"date": "lately"`, `confirmed on "lately"`},
		{"an unknown field", `"currency"`, `"curency"`, `unknown field "curency"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, string(content), test.old)
			_, err := price.Parse([]byte(strings.Replace(string(content), test.old, test.new, 1)))
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestTheCheapestThatMeetsThePlan(t *testing.T) {
	t.Parallel()
	table := table(t)
	for _, test := range []struct {
		cpu  int
		ram  stacks.Bytes
		want string
	}{
		{2, 2 * stacks.GiB, "t4g.small"},  // mvp
		{4, 4 * stacks.GiB, "t4g.xlarge"}, // tier1: dearer by memory that the plan does not ask for, and still the cheapest
		{2, 4 * stacks.GiB, "t4g.medium"}, // balancer of tier2
		{2, 8 * stacks.GiB, "t4g.large"},  // node of tier3
		{8, 16 * stacks.GiB, "t4g.2xlarge"},
		{1, 8 * stacks.GiB, "r7g.medium"},
		{16, 16 * stacks.GiB, "c7g.4xlarge"},
	} {
		for _, region := range []string{"us-east-1", "eu-central-1"} {
			got, err := table.Cheapest(region, test.cpu, test.ram)
			require.NoError(t, err)
			assert.Equal(t, test.want, got.Type, "%d CPU, %s in %s", test.cpu, test.ram, region)
		}
	}
	_, err := table.Cheapest("us-east-1", 64, stacks.GiB)
	require.EqualError(t, err, "no instance type of the price table has 64 CPU and 1 GiB: add a larger one to infra/price/prices.json")
}

// Three stacks, added up by hand from the pages of the price list. None of the figures comes from the code.
func TestThreeStacksByHand(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		stack string
		want  map[string]float64
	}{
		{"mvp", map[string]float64{
			"panel-1":  730*0.0168 + 16*0.08, // t4g.small and its system disk
			"data-1":   20 * 0.08,
			"address":  730 * 0.005,
			"backups":  20*0.023 + 43.8*0.005, // 60 x 730 segments
			"releases": 0.023,
			"domain":   4400 / 1e6 * 0.40, // 100 users x 44 hours
			// 50/s x 3600 x 44 h x 2 KiB + 100 users x 52/12 weeks x 250 KiB = 15.2 GiB: within the 100 GiB that are free;
			// so are 6 of 10 alarms, 8 of 10 figures and 0.15 of 5 GiB of logs.
		}},
		{"tier1", map[string]float64{
			"panel-1":  730*0.1344 + 16*0.08, // t4g.xlarge
			"data-1":   100 * 0.08,
			"address":  730 * 0.005,
			"backups":  100*0.023 + 43.8*0.005,
			"releases": 0.023,
			"domain":   22000 / 1e6 * 0.40,
			// 250/s: 75.5 GiB and 0.5 GiB: within the 100 GiB.
		}},
		{"tier2", map[string]float64{
			"balancer-1":  730*0.0336 + 16*0.08, // t4g.medium
			"backend-1":   730*0.0168 + 16*0.08,
			"backend-2":   730*0.0168 + 16*0.08,
			"database-1":  730*0.1344 + 16*0.08,
			"database-2":  730*0.1344 + 16*0.08,
			"data-1":      100 * 0.08,
			"data-2":      100 * 0.08,
			"address":     730 * 0.005,
			"logs":        730 * 0.01, // an interface endpoint; 7 of 10 figures and 2.95 of 5 GiB of logs are free
			"monitoring":  730 * 0.01,
			"ssm":         730 * 0.01,
			"ssmmessages": 730 * 0.01,
			"alarm-7":     0.10, // 2 for each of 5 hosts, 3 triggers and silence: four over the ten that are free
			"alarm-8":     0.10,
			"alarm-9":     0.10,
			"alarm-6":     0.10,
			"backups":     100*0.023 + 43.8*0.005,
			"releases":    0.023,
			"files":       300*0.023 + 30*1.024*0.0004, // 400 GiB, of which the database's disk holds 100; a tenth is read
			"domain":      88000 / 1e6 * 0.40,
			// 1000/s x 3600 x 44 h = 158.4 million requests, at 2 KiB each 302.12 GiB, all through CloudFront: with the front end's
			// 2.07 GiB and the 30 GiB of files within its 1,024 that are free. Of requests 10 million are: 158.4 million and, of
			// 20 KiB and 1 MiB each, 0.103 and 0.031 million are 15,853.4 times 10,000. 302.12 GiB go between the zones.
			"(usage)": (15853.4-1000)*0.01 + 302.12*0.02,
		}},
	} {
		t.Run(test.stack, func(t *testing.T) {
			t.Parallel()
			choice, err := table(t).Choose(load(t, test.stack, nil))
			require.NoError(t, err)
			got, sum := map[string]float64{}, 0.0
			for _, cost := range choice.Estimate.ByResource() {
				got[cost.Resource] = cost.Monthly
			}
			require.Len(t, got, len(test.want))
			for name, want := range test.want {
				assert.InDelta(t, want, got[name], 0.005, name)
				sum += want
			}
			assert.InDelta(t, sum, choice.Estimate.Monthly(), 0.01)
			assert.Empty(t, choice.Estimate.Unpriced)
		})
	}
}

func TestWhatHasNoPriceIsNamed(t *testing.T) {
	t.Parallel()
	tier := load(t, "mvp", nil).Plan
	estimate := table(t).Estimate(tier, "us-east-1", []declared.Resource{
		{Type: "aws:quantum/computer:Computer", Name: "q"},
		{Type: "aws:ec2/instance:Instance", Name: "huge", Inputs: map[string]any{"instanceType": "x2gd.metal"}},
		{Type: "aws:ec2/instance:Instance", Name: "later", Inputs: map[string]any{"instanceType": declared.Unknown{}}},
		{Type: "aws:ebs/volume:Volume", Name: "slow", Inputs: map[string]any{"type": "sc1", "size": 10.0}},
		{Type: "aws:ebs/volume:Volume", Name: "sizeless", Inputs: map[string]any{"type": "gp3"}},
		{Type: "aws:s3/bucket:Bucket", Name: "things"},
		{Type: "aws:iam/role:Role", Name: "role"},
		{Type: "aws:s3/bucketPolicy:BucketPolicy", Name: "things"},
	})
	var why []string
	for _, u := range estimate.Unpriced {
		why = append(why, u.Resource+": "+u.Why)
	}
	assert.Equal(t, []string{
		"huge: instance type x2gd.metal is not in the price table",
		"later: its instance type is not known yet",
		"q: no price is known of this type",
		"sizeless: its size is not known",
		`slow: disks of type "sc1" are not in the price table: use gp3`,
		"things: no usage is assumed of a bucket of this name: name it after backups, files, releases, assets or logs",
	}, why)
}

func TestDisksAndManagedServicesByHand(t *testing.T) {
	t.Parallel()
	tier := load(t, "mvp", nil).Plan
	for _, test := range []struct {
		name     string
		resource declared.Resource
		want     float64
	}{
		{"a fast disk", declared.Resource{Type: "aws:ebs/volume:Volume", Inputs: map[string]any{
			"type": "gp3", "size": 100.0, "iops": 4000.0, "throughput": 250.0,
		}}, 100*0.08 + 1000*0.005 + 125*0.04},
		{"a database in two zones", declared.Resource{Type: "aws:rds/instance:Instance", Inputs: map[string]any{
			"instanceClass": "db.t4g.large", "allocatedStorage": 200.0, "multiAz": true, "iops": 4000.0,
		}}, 2 * (730*0.129 + 200*0.115 + 1000*0.02)},
		{"a cache of two nodes", declared.Resource{Type: "aws:elasticache/replicationGroup:ReplicationGroup", Inputs: map[string]any{
			"nodeType": "cache.t4g.medium", "numCacheClusters": 2.0,
		}}, 2 * 730 * 0.065},
		{"a cache of shards", declared.Resource{Type: "aws:elasticache/replicationGroup:ReplicationGroup", Inputs: map[string]any{
			"nodeType": "cache.t4g.medium", "numNodeGroups": 3.0, "replicasPerNodeGroup": 1.0,
		}}, 6 * 730 * 0.065},
		{"nodes", declared.Resource{Type: "aws:eks/nodeGroup:NodeGroup", Inputs: map[string]any{
			"instanceTypes": []any{"t4g.large"}, "scalingConfig": map[string]any{"desiredSize": 3.0},
		}}, 3 * (730*0.0672 + 20*0.08)},
		{"an endpoint in two zones", declared.Resource{Type: "aws:ec2/vpcEndpoint:VpcEndpoint", Inputs: map[string]any{
			"vpcEndpointType": "Interface", "subnetIds": []any{"a", declared.Unknown{}},
		}}, 2 * 730 * 0.01},
		{"a gateway endpoint", declared.Resource{Type: "aws:ec2/vpcEndpoint:VpcEndpoint", Inputs: map[string]any{"vpcEndpointType": "Gateway"}}, 0},
		{"a claim", declared.Resource{Type: "kubernetes:core/v1:PersistentVolumeClaim", Inputs: map[string]any{
			"spec": map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": "50Gi"}}},
		}}, 50 * 0.08},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.resource.Name = "it"
			estimate := table(t).Estimate(tier, "us-east-1", []declared.Resource{test.resource})
			assert.InDelta(t, test.want, estimate.Monthly(), 0.001)
			assert.Empty(t, estimate.Unpriced)
		})
	}
}

func TestElevenAlarmsCostOne(t *testing.T) {
	t.Parallel()
	var alarms []declared.Resource
	for range 11 {
		alarms = append(alarms, declared.Resource{Type: "aws:cloudwatch/metricAlarm:MetricAlarm", Name: "alarm"})
	}
	estimate := table(t).Estimate(load(t, "mvp", nil).Plan, "us-east-1", alarms)
	assert.InDelta(t, 0.10, estimate.Monthly(), 0.0001)
}

func TestMovesNameWhatMakesTheDifference(t *testing.T) {
	t.Parallel()
	small, large := []price.Line{{Resource: "panel", Monthly: 12}, {Resource: "same", Monthly: 5}, {Resource: "gone", Monthly: 1}},
		[]price.Line{{Resource: "panel", Monthly: 98}, {Resource: "same", Monthly: 5.001}, {Resource: "new", Monthly: 8}}
	assert.Equal(t, []price.ResourceCost{{"panel", 86}, {"new", 8}, {"gone", -1}},
		price.Moves(price.Estimate{Lines: small}, price.Estimate{Lines: large}))
}
