package monitoring_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

// requests gives samples of so many requests an hour, of which a share is bad in the sense of an objective.
func requests(t *testing.T, tier stacks.TierPlan, objective string, perHour, bad float64, every time.Duration, n int) []series {
	t.Helper()
	per := perHour * every.Hours()
	switch objective {
	case "availability":
		return []series{
			{"radpanel_http_requests_total{" + route + `,status="200"}`, steady(per*(1-bad), n)},
			{"radpanel_http_requests_total{" + route + `,status="503"}`, steady(per*bad, n)},
			// The probes' own requests are none of the API's.
			{`radpanel_http_requests_total{route="GET /readyz",status="503"}`, steady(10*per, n)},
		}
	case "latency":
		le := strconv.FormatFloat(tier.SLO.P95.Seconds(), 'f', -1, 64)
		return []series{
			{"radpanel_http_request_duration_seconds_count{" + route + "}", steady(per, n)},
			{"radpanel_http_request_duration_seconds_bucket{" + route + `,le="` + le + `"}`, steady(per*(1-bad), n)},
			{"radpanel_http_request_duration_seconds_bucket{" + route + `,le="+Inf"}`, steady(per, n)},
		}
	default:
		require.Fail(t, "no samples for the objective "+objective)
		return nil
	}
}

// matching picks an alert by the window of its burn rate.
func matching(window time.Duration) string {
	return fmt.Sprintf(",burn_window=%q", stacks.PrometheusDuration(window))
}

// Each tier's own targets are watched: just over 14.4 times the budget is a page after an hour, just under is none.
func TestFastBurnPages(t *testing.T) {
	t.Parallel()
	const every, n = 15 * time.Second, 260
	for _, tier := range stacks.Plan().Tiers {
		for _, objective := range tier.Objectives() {
			if objective.ID == "uptime" {
				continue // A probe fails or does not. See below.
			}
			t.Run(string(tier.Tier)+"/"+objective.ID, func(t *testing.T) {
				t.Parallel()
				rate, id, limit := stacks.BurnRates()[0], objective.ID, 14.4*objective.Budget
				burning := func(bad float64, fires bool) scenario {
					return scenario{
						Series: requests(t, tier, id, 1e6, bad, every, n),
						Checks: []check{firing(id+"-burn", matching(rate.Long)+`,severity="page"`, time.Hour, fires)},
					}
				}
				play(t, tier.Tier, every, []string{"objectives"}, burning(limit*1.02, true), burning(limit*0.98, false))
			})
		}
	}
}

// The slower burn rates of the table, at one tier.
func TestSlowBurnPagesAndThenWaitsForTheMorning(t *testing.T) {
	t.Parallel()
	const every = 4 * time.Minute
	tier, err := stacks.Plan().Tier(stacks.Tier1)
	require.NoError(t, err)
	budget := tier.Objectives()[1].Budget
	for _, rate := range stacks.BurnRates()[1:] {
		n := int(rate.Long/every) + 10
		burning := func(bad float64, fires bool) scenario {
			return scenario{
				Series: requests(t, tier, "availability", 1e5, bad, every, n),
				Checks: []check{firing("availability-burn", matching(rate.Long)+`,severity="`+string(rate.Severity)+`"`, rate.Long, fires)},
			}
		}
		play(t, stacks.Tier1, every, []string{"objectives", "objectives-of-days"},
			burning(rate.Factor*budget*1.02, true), burning(rate.Factor*budget*0.98, false))
	}
}

// What a handful of requests met wakes nobody, however bad it was.
func TestFewRequestsPageNobody(t *testing.T) {
	t.Parallel()
	const every, n = 15 * time.Second, 260
	tier, err := stacks.Plan().Tier(stacks.MVP)
	require.NoError(t, err)
	anHour := func(perHour, bad float64, fires bool) scenario {
		return scenario{
			Series: requests(t, tier, "availability", perHour, bad, every, n),
			Checks: []check{firing("availability-burn", "", time.Hour, fires)},
		}
	}
	play(t, stacks.MVP, every, []string{"objectives"},
		anHour(90, 1, false),       // All failed, but they were few.
		anHour(120, 0.16, true),    // As few as there must be.
		anHour(1000, 0.001, false), // One failure.
	)
}

// The burn ends with the trouble: the short window forgets it within minutes, though the long one has not.
func TestTheShortWindowEndsTheAlert(t *testing.T) {
	t.Parallel()
	const every = 15 * time.Second
	down, up := int(20*time.Minute/every), int(30*time.Minute/every)
	play(t, stacks.MVP, every, []string{"objectives"}, scenario{
		Series: []series{{`probe_success{job="front-door"}`, fmt.Sprintf("1x%d 0x%d 1x%d", up, down, up)}},
		Checks: []check{
			firing("uptime-burn", "", 29*time.Minute, false),
			firing("uptime-burn", `,severity="page"`, 45*time.Minute, true),
			firing("uptime-burn", matching(time.Hour), 60*time.Minute, false),
		},
	})
}

// One failed probe may be the probe's own fault, and right after the start there is too little to tell.
func TestOneFailedProbeIsNone(t *testing.T) {
	t.Parallel()
	const every = 15 * time.Second
	play(t, stacks.Tier4, every, []string{"objectives"},
		scenario{
			Series: []series{{`probe_success{job="front-door"}`, "1x100 0 1x100"}},
			Checks: []check{firing("uptime-burn", "", 29*time.Minute, false)},
		},
		scenario{
			Series: []series{{`probe_success{job="front-door"}`, "1x100 0x3 1x100"}},
			Checks: []check{firing("uptime-burn", matching(time.Hour), 29*time.Minute, true)},
		},
		scenario{
			Series: []series{{`probe_success{job="front-door"}`, "0x3 1x100"}},
			Checks: []check{firing("uptime-burn", "", time.Minute, false)},
		},
	)
}

// A tier whose promise is stricter than the plan's first trigger is told when it breaks it.
func TestResponseTimeIsHeldAgainstTheTiersOwnSLO(t *testing.T) {
	t.Parallel()
	for _, tier := range stacks.Plan().Tiers[1:] {
		slower := func(bad float64, fires bool) scenario {
			samples := requests(t, tier, "latency", 1e6, bad, 15*time.Second, 100)
			samples = append(samples, series{"radpanel_http_request_duration_seconds_bucket{" + route + `,le="0.75"}`, samples[2].Values})
			return scenario{Series: samples, Checks: []check{firing("response-time-slo", "", 15*time.Minute, fires)}}
		}
		play(t, tier.Tier, 15*time.Second, []string{"figures"}, slower(0.051, true), slower(0.049, false))
	}
}
