package stacks

import (
	"fmt"
	"strconv"
	"time"
)

// Severity says what an alert asks for.
type Severity string

// The severities.
const (
	Page   Severity = "page"   // somebody must act now
	Ticket Severity = "ticket" // somebody must act within days
	Growth Severity = "growth" // the tier is outgrown: time to plan the promotion
)

// Severities gives all severities, the most urgent first.
func Severities() []Severity { return []Severity{Page, Ticket, Growth} }

// Alert is a condition that somebody is told of. It has a runbook of its name.
type Alert struct {
	// ID is a trigger's, or unique beside them. An SLO has an alert for each burn rate, all with its ID.
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// Summary is one line for people, without figures.
	Summary string `json:"summary"`
	// Expression is PromQL: the condition holds for each series that it gives, whose value is the figure.
	Expression string `json:"expression"`
	// For is how long it must hold without a break.
	For time.Duration `json:"for_ns"`
	// Unit is that of the figure.
	Unit Unit `json:"unit"`
	// LeadsTo is a trigger's.
	LeadsTo Tier `json:"leads_to,omitempty"`
	// Objective is an SLO's, Window the longer of its burn rate.
	Objective string        `json:"objective,omitempty"`
	Window    time.Duration `json:"window_ns,omitempty"`
}

// Alerts gives all alerts of a stack at a tier: the triggers that lead to the next, the tier's own SLO, and faults.
func (p ScalingPlan) Alerts(name Tier) ([]Alert, error) {
	tier, err := p.Tier(name)
	if err != nil {
		return nil, err
	}
	var alerts []Alert
	if next, ok := p.Next(name); ok {
		for _, trigger := range next.Triggers {
			alerts = append(alerts, trigger.Alert())
		}
	}
	for _, objective := range tier.Objectives() {
		for _, rate := range BurnRates() {
			alerts = append(alerts, objective.alert(rate))
		}
	}
	if name != MVP {
		alerts = append(alerts, tier.slow()) // At the MVP, the trigger has the same threshold.
	}
	if tier.Blueprint.Monitoring.Level.Has(AnomalyDetection) {
		alerts = append(alerts, anomaly())
	}
	return append(alerts, tier.faults()...), nil
}

// Alert gives the alert that tells that the trigger has fired.
func (t Trigger) Alert() Alert {
	d := t.Metric.Definition()
	return Alert{
		ID: t.ID, Severity: Growth, Summary: t.Condition() + ": " + string(t.LeadsTo) + " is due",
		Expression: fmt.Sprintf("%s %s %s", d.Record(), t.Comparison, decimal(t.Threshold)),
		For:        t.For, Unit: d.Unit, LeadsTo: t.LeadsTo,
	}
}

// alert gives the alert on one burn rate.
func (o Objective) alert(rate BurnRate) Alert {
	limit := decimal(rounded(rate.Factor * o.Budget))
	long, short := PrometheusDuration(rate.Long), PrometheusDuration(rate.Short)
	series := func(name, window string) string {
		return fmt.Sprintf("%s{objective=%q,window=%q}", name, o.ID, window)
	}
	return Alert{
		ID: o.ID + "-burn", Severity: rate.Severity,
		Summary: fmt.Sprintf("Error budget of %q is spent %s times as fast as it may be", o.ID, decimal(rate.Factor)),
		Expression: fmt.Sprintf("%s > %s and ignoring (window) %s > %s and ignoring (window) %s >= %d and ignoring (window) %s >= %d",
			series(SLOErrors, long), limit, series(SLOErrors, short), limit,
			series(SLOEvents, long), o.LeastEvents, series(SLOBad, long), o.LeastBad),
		Unit: Ratio, Objective: o.ID, Window: rate.Long,
	}
}

// slow is the response time held against the tier's own SLO, once that is stricter than the plan's first trigger.
func (t TierPlan) slow() Alert {
	d := ResponseTimeP95.Definition()
	return Alert{
		ID: "response-time-slo", Severity: Ticket,
		Summary:    d.Title + " over the tier's SLO of " + Seconds.Format(t.SLO.P95.Seconds()),
		Expression: fmt.Sprintf("%s > %s", d.Record(), decimal(t.SLO.P95.Seconds())),
		For:        10 * time.Minute, // As the trigger of the response time.
		Unit:       Seconds,
	}
}

// anomaly is a figure that has left its band.
func anomaly() Alert {
	return Alert{
		ID: "anomaly", Severity: Ticket, Summary: "Something is not as it usually is at this time",
		Expression: fmt.Sprintf("%[1]s > %[2]s or %[1]s < %[3]s", AnomalyFigure, AnomalyUpper, AnomalyLower),
		For:        5 * time.Minute, Unit: Count,
	}
}

// faults are the alerts on what breaks at any size: what the drills of test/e2e have shown to need a hand.
func (t TierPlan) faults() []Alert {
	faults := []Alert{
		{
			// An exporter answers although its server does not, and then has no more to tell than that.
			ID: "measurement-missing", Severity: Ticket, For: 5 * time.Minute, Unit: Count,
			Summary:    "Something is not measured, so its alerts cannot fire",
			Expression: "up == 0 or pg_up == 0 or redis_up == 0 or 0 * (radpanel_balancer_connections_limit unless radpanel_balancer_connections)",
		},
		{
			// PostgreSQL stops when its disk is full. At a tenth there is time to act, at the rate at which a trigger is
			// noticed.
			ID: "disk-space", Severity: Page, For: 5 * time.Minute, Unit: OfHundred,
			Summary:    "The data disk has less than 10 % left",
			Expression: `100 * node_filesystem_avail_bytes{disk="data"} / node_filesystem_size_bytes{disk="data"} < 10`,
		},
		{
			// A slot that nobody reads keeps WAL until the disk is full.
			ID: "replication-slot", Severity: Page, For: 10 * time.Minute, Unit: Count,
			Summary: "A replication slot is not in use and holds WAL", Expression: "radpanel_postgres_slots_inactive > 0",
		},
		{
			// It is meant to be there while a promotion bakes, and only then: it keeps WAL for the other stack.
			ID: "promotion-slot", Severity: Ticket, For: 10 * time.Minute, Unit: Count,
			Summary: "A promotion is neither finished nor rolled back, and its replication slot holds WAL", Expression: "radpanel_postgres_slots_promotion > 0",
		},
		{
			// It leaves within a minute. What waits cannot be restored if the disk is lost, and beyond 4 GiB it is given up.
			ID: "archive-waiting", Severity: Ticket, For: 5 * time.Minute, Unit: Seconds,
			Summary: "WAL has waited for its backup for more than 15 minutes", Expression: "radpanel_postgres_archive_waiting_seconds > 900",
		},
		{
			// What fails stays failed until it runs again: files are copied every quarter of an hour, the certificate is asked for
			// every twenty minutes. One failure is seen for no longer than that and the half hour; one that is followed by another
			// is told, also if each takes half an hour to fail.
			ID: "unit-failed", Severity: Ticket, For: time.Hour, Unit: Count,
			Summary:    "A unit of a host fails: a backup, the certificate, or what keeps the host in line",
			Expression: `max by (instance, name) (max_over_time(node_systemd_unit_state{state="failed"}[30m])) > 0`,
		},
		{
			ID: "jobs-waiting", Severity: Ticket, For: 5 * time.Minute, Unit: Seconds,
			Summary: "Jobs have been due for more than 5 minutes", Expression: "max by (kind) (radpanel_jobs_oldest_seconds) > 300",
		},
	}
	faults = append(faults, Alert{
		// The service's own pool is no larger than the pooler's: transactions wait there only while the server cannot be
		// reached, or somebody else uses its connections. A promotion holds them for less than a second, once.
		ID: "pooler-waiting", Severity: Ticket, For: 5 * time.Minute, Unit: Seconds,
		Summary:    "Transactions wait at the pooler for a connection to the database",
		Expression: PoolerWait + " > " + decimal(PoolerWaitLimit.Seconds()),
	})
	if t.Blueprint.Database.Replicas > 0 {
		faults = append(faults, Alert{
			// A replica that lags gets no reads, so the primary carries them all.
			ID: "replica-behind", Severity: Ticket, For: 5 * time.Minute, Unit: Count,
			Summary:    "A read replica does not follow its primary",
			Expression: fmt.Sprintf("radpanel_postgres_replicas_streaming < %d or radpanel_postgres_replicas_lag_seconds > 30", t.Blueprint.Database.Replicas),
		})
	}
	return faults
}

// PoolerWait is how long a transaction has waited at each pooler in the last five minutes, on average, as PromQL. All
// instances tell the same of a pooler.
const PoolerWait = "max by (pooler) (rate(radpanel_pooler_wait_seconds_total[5m]) / (rate(radpanel_pooler_transactions_total[5m]) > 0))"

// PoolerWaitLimit is from when on that is told: a sixth of Tier 2's p95, for a request may make several transactions.
const PoolerWaitLimit = 50 * time.Millisecond

// decimal writes a figure as PromQL takes it.
func decimal(figure float64) string { return strconv.FormatFloat(figure, 'f', -1, 64) }

// PrometheusDuration writes a whole number of seconds as PromQL takes it, in one unit: "15m", "24h", "7d".
func PrometheusDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d%time.Hour == 0 && d > 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Minute == 0 && d > 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	default:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
}
