package advise

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

const (
	// overdueAfter is how long a fired trigger may be over its threshold before the promotion is overdue: a week has every
	// day of the week in it, and time to plan the move.
	overdueAfter = 7 * day
	// capacityHold is how long a capacity must be used up: as long as most of the plan's triggers hold.
	capacityHold = 15 * time.Minute
)

// Advise holds measurements against the plan.
//
// It says to promote when a trigger of the next tier has fired, or when a capacity of the tier was used up for fifteen
// minutes. The promotion is overdue when a trigger has fired and, besides, has been over for a week without a break, or a
// capacity is used up, or the error budget of thirty days is spent: users feel it by then. An error budget that is spent
// while no trigger has fired is noted, and no reason to promote: a larger tier would not have saved it.
//
// When a measurement that the advice rests on is missing or stale, the advice is [Refused] and says which.
func Advise(stack stacks.Stack, plan stacks.ScalingPlan, measured Measurements, now time.Time) Advice {
	a := Advice{
		Stack: stack.Name, Target: string(stack.Target), Tier: stack.Tier(), At: now.UTC(), title: stack.Plan.Title,
		Reasons: []string{}, Notes: []string{}, Missing: missing(stack, plan, measured, now),
		Triggers: []Trigger{}, SLO: []Level{}, Use: []Use{}, Next: nextOf(stack, plan),
	}
	if len(a.Missing) > 0 {
		a.Verdict = Refused
		a.Reasons = append(a.Reasons, "There is no advice without these measurements.")
		return a
	}
	if next, ok := plan.Next(stack.Tier()); ok {
		for _, trigger := range next.Triggers {
			a.Triggers = append(a.Triggers, hold(trigger, measured[Of(trigger.Metric)], now))
		}
	}
	a.SLO = levels(stack.Plan.SLO, measured, now)
	a.Use = uses(stack.Plan.Capacity, measured)
	a.decide()
	return a
}

// Refuse is the advice when there is nothing to hold against the plan at all.
func Refuse(stack stacks.Stack, plan stacks.ScalingPlan, why Missing, now time.Time) Advice {
	a := Advise(stack, plan, nil, now)
	a.Missing = []Missing{why}
	return a
}

// Rehearse lets every trigger of a plan fire at once, as the alerts of a stack do that rehearses them.
func Rehearse(plan *stacks.ScalingPlan) {
	for _, tier := range plan.Tiers {
		for i := range tier.Triggers {
			tier.Triggers[i].For = 0
		}
	}
}

// missing lists what there is no advice without, and is not there.
func missing(stack stacks.Stack, plan stacks.ScalingPlan, measured Measurements, now time.Time) []Missing {
	list := []Missing{}
	for _, m := range Needed(plan, stack.Tier()) {
		last, problem := measured[m].newest(now)
		if problem == "" && math.IsNaN(last.Figure) {
			problem = "measured as not a number"
		}
		if problem == "" || quiet(m, measured, now) {
			continue
		}
		list = append(list, Missing{
			Measurement: m, Problem: problem, Expected: "a figure of the last " + duration(measured[m].staleAfter()), Action: whereToLook(stack),
		})
	}
	return list
}

// whereToLook says how to find out why nothing is measured.
func whereToLook(stack stacks.Stack) string {
	if stack.Target == stacks.AWS {
		return "`aws cloudwatch list-metrics --namespace " + monitoring.AlarmNamespace + " --recently-active PT3H --dimensions Name=" +
			monitoring.AlarmDimension + ",Value=" + stack.Name + "` lists what the hosts send"
	}
	return "`rad status " + stack.Name + "` tells which service does not run"
}

// quiet tells whether a figure is not there because there were no requests that it could be had of: nothing is wrong then.
func quiet(m Measurement, measured Measurements, now time.Time) bool {
	switch stacks.Metric(m) {
	case stacks.ResponseTimeP95, stacks.FarRequests, stacks.QuietestHour:
	default:
		return false
	}
	if last, problem := measured[m].newest(now); problem == "" && math.IsNaN(last.Figure) {
		return true
	}
	requests, problem := measured[RequestsPerSecond].newest(now)
	return problem == "" && requests.Figure == 0
}

// hold holds a trigger against its series.
func hold(trigger stacks.Trigger, series Series, now time.Time) Trigger {
	definition := trigger.Metric.Definition()
	held := Trigger{
		ID: trigger.ID, Condition: trigger.Condition(), Unit: definition.Unit, Threshold: trigger.Threshold, For: trigger.For.Seconds(),
		Trend: trendOf(series.Lows, trigger.For, trigger.Threshold, now), title: definition.Title,
	}
	last, problem := series.newest(now)
	if problem != "" || math.IsNaN(last.Figure) {
		return held // There is nothing to measure: see missing.
	}
	held.Value = &last.Figure
	if since, over := series.overSince(trigger.Fired); over {
		lasted := last.At.Sub(since)
		held.OverFor, held.Fired = lasted.Seconds(), lasted >= trigger.For
	}
	return held
}

func levels(slo stacks.SLO, measured Measurements, now time.Time) []Level {
	level := func(m Measurement, target float64, kept func(float64) bool) Level {
		l := Level{Measurement: m, Unit: m.Unit(), Target: target}
		if last, problem := measured[m].newest(now); problem == "" && !math.IsNaN(last.Figure) {
			l.Value, l.Kept = &last.Figure, new(kept(last.Figure))
		}
		return l
	}
	under := func(bound time.Duration) func(float64) bool {
		return func(figure float64) bool { return figure < bound.Seconds() }
	}
	uptime := level(Uptime, float64(slo.Uptime), func(figure float64) bool { return figure >= float64(slo.Uptime) })
	uptime.ErrorBudget = slo.ErrorBudget(History).Seconds()
	if observed, problem := measured[UptimeObserved].newest(now); problem == "" && uptime.Value != nil && uptime.ErrorBudget > 0 {
		// What is not known to be lost is still there.
		down := (100 - *uptime.Value) / 100 * min(observed.Figure, History.Seconds())
		uptime.BudgetSpent = significant(100*down/uptime.ErrorBudget, 6)
	}
	return []Level{
		level(Of(stacks.ResponseTimeP95), slo.P95.Seconds(), under(slo.P95)),
		level(PageLoad, slo.PageLoad.Seconds(), under(slo.PageLoad)),
		uptime,
	}
}

func uses(capacity stacks.Capacity, measured Measurements) []Use {
	use := func(m Measurement, capacity float64) Use {
		series := measured[m]
		last := series.Points[len(series.Points)-1] // It is needed, so it is there.
		u := Use{Measurement: m, Unit: m.Unit(), Value: last.Figure, Capacity: capacity}
		if since, exceeded := series.overSince(func(figure float64) bool { return figure >= capacity }); exceeded {
			u.ExceededFor = last.At.Sub(since).Seconds()
		}
		return u
	}
	return []Use{
		use(ConcurrentUsers, float64(capacity.ConcurrentUsers)),
		use(RequestsPerSecond, float64(capacity.RequestsPerSecond)),
		use(Of(stacks.DatabaseConnections), float64(capacity.DatabaseConnections)),
		use(Of(stacks.StorageUsed), float64(capacity.Storage)),
	}
}

func nextOf(stack stacks.Stack, plan stacks.ScalingPlan) *Next {
	tier, ok := plan.Next(stack.Tier())
	if !ok {
		return nil
	}
	total, err := plan.Budget(tier.Tier)
	if err != nil {
		total = tier.MonthlyCost // A plan whose first tier adds to nothing: its tests forbid it.
	}
	next := &Next{
		Tier: tier.Tier, Title: tier.Title, users: tier.Users, cost: tier.MonthlyCost, Cost: Cost{TotalLow: total.Low, TotalHigh: total.High},
	}
	if tier.MonthlyCost.Added {
		next.Cost.AddedLow, next.Cost.AddedHigh = tier.MonthlyCost.Low, tier.MonthlyCost.High
	}
	for _, action := range tier.Actions {
		next.Actions = append(next.Actions, action.Words)
	}
	from, to := string(stack.Tier()), string(tier.Tier)
	if stack.Name != stacks.Name(stack.Tier(), stack.Target) { // One of several stacks of its tier.
		from, to = stack.Name, stacks.Name(tier.Tier, stack.Target)
	}
	next.Command = "rad promote " + from + " " + to
	if stack.Target == stacks.AWS {
		next.Command += " --target aws"
	}
	return next
}

// decide reaches the verdict from the figures.
func (a *Advice) decide() {
	var fired, over []Trigger
	for _, trigger := range a.Triggers {
		switch {
		case trigger.Fired:
			fired = append(fired, trigger)
		case trigger.OverFor > 0:
			over = append(over, trigger)
		}
	}
	var exceeded []Use
	for _, use := range a.Use {
		if use.ExceededFor >= capacityHold.Seconds() {
			exceeded = append(exceeded, use)
		}
	}
	spent := a.budgetSpent() > 100
	long := slices.ContainsFunc(fired, func(t Trigger) bool { return t.OverFor >= overdueAfter.Seconds() })
	switch {
	case len(fired) == 0 && len(exceeded) == 0 || a.Next == nil:
		a.Verdict = Stay
	case len(fired) > 0 && (long || spent || len(exceeded) > 0):
		a.Verdict = Overdue
	default:
		a.Verdict = Promote
	}
	for _, trigger := range fired {
		a.Reasons = append(a.Reasons, fmt.Sprintf("%s has fired: it has been over %s for %s.",
			trigger.title, figure(trigger.Unit, trigger.Threshold), duration(seconds(trigger.OverFor))))
	}
	for _, use := range exceeded {
		a.Reasons = append(a.Reasons, fmt.Sprintf("%s: the tier's capacity of %s has been used up for %s.",
			use.Measurement.Title(), figure(use.Unit, use.Capacity), duration(seconds(use.ExceededFor))))
	}
	switch {
	case len(a.Reasons) > 0:
	case len(over) > 0:
		a.Reasons = append(a.Reasons, "No trigger has fired.")
	default:
		a.Reasons = append(a.Reasons, a.calm())
	}
	for _, trigger := range over {
		a.Notes = append(a.Notes, fmt.Sprintf("%s has been over its threshold for %s: it fires after %s.",
			trigger.title, duration(seconds(trigger.OverFor)), duration(seconds(trigger.For))))
	}
	a.noteSLO(spent, len(fired) > 0)
	if a.Next == nil && len(exceeded) > 0 {
		a.Notes = append(a.Notes, "This is the plan's last tier: it grows by more regions and shards, not by a promotion.")
	}
}

func (a *Advice) budgetSpent() float64 {
	for _, level := range a.SLO {
		if level.Measurement == Uptime {
			return level.BudgetSpent
		}
	}
	return 0
}

// calm says why to stay, when nothing has happened.
func (a *Advice) calm() string {
	if a.Next == nil {
		return "This is the plan's last tier: no trigger leads away from it."
	}
	closest, share := "", -1.0
	for _, trigger := range a.Triggers {
		if trigger.Value != nil && *trigger.Value/trigger.Threshold > share {
			closest, share = trigger.title, *trigger.Value/trigger.Threshold
		}
	}
	if closest == "" {
		return "No trigger has fired."
	}
	return fmt.Sprintf("No trigger has fired. Closest: %s, at %s of its threshold.", closest, percent(share))
}

// noteSLO notes promises that are not kept.
func (a *Advice) noteSLO(spent, fired bool) {
	var missed []string
	for _, level := range a.SLO {
		if level.Kept != nil && !*level.Kept && level.Measurement != Uptime {
			missed = append(missed, fmt.Sprintf("%s is %s, not under %s",
				level.Measurement.Title(), figure(level.Unit, *level.Value), figure(level.Unit, level.Target)))
		}
	}
	if len(missed) > 0 {
		a.Notes = append(a.Notes, "The SLO is missed now: "+strings.Join(missed, "; ")+".")
	}
	switch {
	case spent && fired:
		a.Reasons = append(a.Reasons, "The error budget of 30 days is spent.")
	case spent:
		a.Notes = append(a.Notes, "The error budget of 30 days is spent, though no trigger has fired: look for the fault, not for a larger tier.")
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
