// Package advise holds a stack's measurements against the plan, and says whether to stay on its tier. [Advise] decides
// from measurements alone; [Prometheus] takes them.
package advise

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

const (
	// Step is between the points of a recent history, which is as often as figures are taken.
	Step = 15 * time.Second
	// Recent is how far back figures are read so finely: twice what most of the plan's triggers hold for.
	Recent = 30 * time.Minute
	// LowStep is what each point of the long history stands for.
	LowStep = 15 * time.Minute
	// History is how far back the long history goes: the days that uptime is measured over.
	History = 30 * 24 * time.Hour

	// staleAfter is how old the newest figure may be: eight lost in a row are no coincidence.
	staleAfter = 2 * time.Minute
	// clockTolerance is how far in the future a figure may be dated.
	clockTolerance = time.Minute
	// longestGap is how long nothing may have been measured within a time that a figure is said to have been over its
	// threshold: as long as Prometheus itself goes on with an old figure.
	longestGap = 5 * time.Minute
)

// Measurement names what is measured of a stack: each metric of the plan's triggers, and the figures below.
type Measurement string

// What is measured beside the metrics of triggers.
const (
	ConcurrentUsers   Measurement = monitoring.ConcurrentUsers
	RequestsPerSecond Measurement = monitoring.RequestsPerSecond
	PageLoad          Measurement = monitoring.PageLoad
	Uptime            Measurement = monitoring.Uptime
	// UptimeObserved is how long the uptime has been known.
	UptimeObserved Measurement = monitoring.UptimeObserved
)

// What stands for all measurements at once, where what has them is missing itself.
const (
	Source      Measurement = "prometheus"
	CloudSource Measurement = "cloudwatch"
)

// Of is the measurement of a trigger's metric.
func Of(metric stacks.Metric) Measurement { return Measurement(metric) }

// Title is how people call it.
func (m Measurement) Title() string {
	switch m {
	case ConcurrentUsers:
		return "Concurrent users"
	case RequestsPerSecond:
		return "Requests"
	case PageLoad:
		return "Page load, p95"
	case Uptime:
		return "Uptime"
	case UptimeObserved:
		return "Time that the uptime is from"
	case Source:
		return "Prometheus"
	case CloudSource:
		return "CloudWatch"
	default:
		return stacks.Metric(m).Definition().Title
	}
}

// Unit is what its figures are counted in.
func (m Measurement) Unit() stacks.Unit {
	switch m {
	case ConcurrentUsers:
		return stacks.Count
	case RequestsPerSecond:
		return stacks.PerSecond
	case PageLoad, UptimeObserved:
		return stacks.Seconds
	case Uptime:
		return stacks.OfHundred
	default:
		return stacks.Metric(m).Definition().Unit
	}
}

// Needed are the measurements without which there is no advice for a stack of the tier: the metrics of the triggers that
// lead to the next one, and those of its capacity and SLO. Page loads are not among them: nobody may have loaded a page.
func Needed(plan stacks.ScalingPlan, tier stacks.Tier) []Measurement {
	var needed []Measurement
	if next, ok := plan.Next(tier); ok {
		for _, trigger := range next.Triggers {
			needed = append(needed, Of(trigger.Metric))
		}
	}
	for _, m := range []Measurement{
		Of(stacks.ResponseTimeP95), Of(stacks.DatabaseConnections), Of(stacks.StorageUsed), ConcurrentUsers, RequestsPerSecond, Uptime, UptimeObserved,
	} {
		if !slices.Contains(needed, m) {
			needed = append(needed, m)
		}
	}
	return needed
}

// Point is a figure at a time. A figure that is not a number says that there was nothing to measure: no requests, hence
// no response times.
type Point struct {
	At     time.Time
	Figure float64
}

// Series is how a figure went. Both histories are in order of time.
type Series struct {
	// Points are the figures of the last while, each [Step] or so.
	Points []Point
	// Lows are the least figures of each [LowStep] that ends at the point's time: the levels that were held.
	Lows []Point
	// Every is what each of Points stands for: the time before it in which it was measured. 0: an instant.
	Every time.Duration
}

// staleAfter is how old the newest figure may be: one that stands for a while is there only once that has passed.
func (s Series) staleAfter() time.Duration { return staleAfter + 2*s.Every }

// longestGap is how long nothing may have been measured between two points.
func (s Series) longestGap() time.Duration { return max(longestGap, 2*s.Every) }

// Measurements are what was measured of a stack.
type Measurements map[Measurement]Series

// Missing is a measurement that is not there, or that cannot be believed.
type Missing struct {
	Measurement Measurement `json:"measurement" doc:"what is measured, such as host_cpu"`
	Problem     string      `json:"problem" doc:"what is wrong with it, and how old it is"`
	Expected    string      `json:"expected" doc:"what was expected"`
	Action      string      `json:"action" doc:"what to do"`
}

// newest gives the last figure of a series, and what is wrong with it, if anything.
func (s Series) newest(now time.Time) (last Point, problem string) {
	if len(s.Points) == 0 {
		if len(s.Lows) == 0 {
			return Point{}, "never measured"
		}
		return Point{}, "last measured before " + written(s.Lows[len(s.Lows)-1].At)
	}
	last = s.Points[len(s.Points)-1]
	switch age := now.Sub(last.At); {
	case age > s.staleAfter():
		return last, fmt.Sprintf("last measured %s ago, at %s", duration(age), written(last.At))
	case age < -clockTolerance:
		return last, fmt.Sprintf("last measured at %s, which is %s from now: a clock was changed", written(last.At), duration(-age))
	case math.IsInf(last.Figure, 0):
		return last, "measured as infinite"
	default:
		return last, ""
	}
}

func written(at time.Time) string { return at.UTC().Format(time.DateTime) }

// overSince tells since when a condition has held up to the newest point without a break; false when it does not hold
// there. What is not a number is a break, and so is a time in which nothing was measured.
func (s Series) overSince(holds func(float64) bool) (time.Time, bool) {
	var since, later time.Time
	for _, p := range slices.Backward(s.Points) {
		if !holds(p.Figure) || !later.IsZero() && (p.At.After(later) || later.Sub(p.At) > s.longestGap()) {
			return since, !since.IsZero()
		}
		later, since = p.At, p.At.Add(-s.Every)
	}
	if since.IsZero() {
		return since, false
	}
	if s.Points[len(s.Points)-1].At.Sub(since) < Recent-longestGap {
		return since, true // Nothing was measured before: the quarter hour that it lies in is not known whole.
	}
	for i := len(s.Lows) - 1; i > 0; i-- {
		low, before := s.Lows[i], s.Lows[i-1]
		begin := low.At.Add(-LowStep)
		if !begin.Before(since) {
			continue // The finer history has it.
		}
		// Without one before it, the quarter hour may have been measured in part.
		if !holds(low.Figure) || since.Sub(low.At) > longestGap || begin.Sub(before.At) > longestGap {
			break
		}
		since = begin
	}
	return since, true
}
