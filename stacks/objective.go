package stacks

import (
	"math"
	"strconv"
	"time"
)

// Objective is a promise of a tier's SLO as alerts watch it: of certain events, no more than a share may be bad.
type Objective struct {
	// ID is "uptime", "availability" or "latency".
	ID    string `json:"id"`
	Title string `json:"title"`
	// Budget is the share of events that may be bad: 0.01 for an uptime of 99 %.
	Budget float64 `json:"budget"`
	// Events and Bad are PromQL: how many a second there were over 5 minutes. Nothing: it was not measured.
	Events string `json:"events"`
	Bad    string `json:"bad"`
	// LeastEvents and LeastBad are how many there must have been in the longer window for an alert: what a handful of
	// events says is chance.
	LeastEvents int `json:"least_events"`
	LeastBad    int `json:"least_bad"`
}

// Objectives gives the promises of the tier that burn-rate alerts watch.
func (t TierPlan) Objectives() []Objective {
	// Five minutes' worth. One failed probe may be the probe's own fault.
	const leastProbes, leastFailedProbes = 20, 2
	// With so few requests in hours, nobody is woken: fewer than ten bad ones are looked into in the morning.
	const leastRequests, leastBadRequests = 100, 10
	unavailable := rounded(1 - float64(t.SLO.Uptime)/100)
	requests := "sum(rate(radpanel_http_requests_total{" + APIRoutes + "}[5m]))"
	failed := "(sum(rate(radpanel_http_requests_total{" + APIRoutes + `,status=~"5.."}[5m])) or 0 * ` + requests + ")"
	within := "sum(rate(radpanel_http_request_duration_seconds_bucket{" + APIRoutes + `,le="` +
		strconv.FormatFloat(t.SLO.P95.Seconds(), 'f', -1, 64) + `"}[5m]))`
	timed := "sum(rate(radpanel_http_request_duration_seconds_count{" + APIRoutes + "}[5m]))"
	probes := `{job="front-door"}[5m]`
	return []Objective{
		{
			ID: "uptime", Title: "the front door answers, probed from outside", Budget: unavailable,
			Events:      "sum(count_over_time(probe_success" + probes + ")) / 300",
			Bad:         "sum(count_over_time(probe_success" + probes + ") - sum_over_time(probe_success" + probes + ")) / 300",
			LeastEvents: leastProbes, LeastBad: leastFailedProbes,
		},
		{
			ID: "availability", Title: "API requests are answered, not with a 5xx", Budget: unavailable,
			Events: requests, Bad: failed, LeastEvents: leastRequests, LeastBad: leastBadRequests,
		},
		{
			ID: "latency", Title: "API requests are answered within the tier's p95", Budget: 0.05, // What a p95 lets be slow.
			Events: timed, Bad: timed + " - " + within, LeastEvents: leastRequests, LeastBad: leastBadRequests,
		},
	}
}

// rounded takes off what binary fractions add: 1 - 0.9999 is 0.0001.
func rounded(share float64) float64 { return math.Round(share*1e9) / 1e9 }

// BurnRate is how fast an error budget may be spent before somebody is told: Factor times as fast as would spend it in
// just the 30 days that it is for, over both windows. The short one ends the alert soon after the trouble.
type BurnRate struct {
	Severity Severity      `json:"severity"`
	Factor   float64       `json:"factor"`
	Long     time.Duration `json:"long_ns"`
	Short    time.Duration `json:"short_ns"`
}

// BurnRates gives the burn rates that are alerted on: table 5-8 of Google's SRE workbook, chapter "Alerting on SLOs".
func BurnRates() []BurnRate {
	const day = 24 * time.Hour
	return []BurnRate{
		{Severity: Page, Factor: 14.4, Long: time.Hour, Short: 5 * time.Minute},
		{Severity: Page, Factor: 6, Long: 6 * time.Hour, Short: 30 * time.Minute},
		{Severity: Ticket, Factor: 1, Long: 3 * day, Short: 6 * time.Hour},
	}
}

// BudgetWindow is what an error budget is for.
const BudgetWindow = 30 * 24 * time.Hour
