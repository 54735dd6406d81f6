// Package scaling measures, from inside one instance, the figures that the plan's triggers watch, and remembers for how
// long each trigger has been over its threshold.
package scaling

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/telemetry"
)

const (
	// interval is how often the figures are taken.
	interval = 15 * time.Second
	// window is what rates and percentiles look back on.
	window = 5 * time.Minute
	// sampleTimeout bounds one round of measuring.
	sampleTimeout = 5 * time.Second
)

// Options are what a Monitor reads.
type Options struct {
	Config config.Config
	Plan   *config.Plan // Nil: no triggers to watch.
	DB     *database.DB
	Window *telemetry.Window
	Reads  func() int64 // Reading statements since the start.
	// CacheMemory tells how much the cache uses, in bytes. Nil: there is none.
	CacheMemory func(context.Context) (int64, error)
	Log         *slog.Logger
	Now         func() time.Time
	ProcDir     string // Default "/proc".
}

// Monitor takes the figures every few seconds. Make one with New and Run it.
type Monitor struct {
	Options

	started time.Time

	mu      sync.Mutex
	samples []sample // Oldest first, no longer ago than window.
	figures Figures
	taken   time.Time
	files   fileUse
	// shown is files, for those who must not wait.
	shown atomic.Pointer[fileUse]
	// over is since when each trigger, by id, has been over its threshold without a break.
	over map[string]time.Time
}

// New returns a Monitor that has measured nothing yet.
func New(options Options) *Monitor {
	if options.ProcDir == "" {
		options.ProcDir = "/proc"
	}
	return &Monitor{Options: options, started: options.Now(), over: map[string]time.Time{}}
}

// Run takes the figures until ctx ends.
func (m *Monitor) Run(ctx context.Context) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		m.Sample(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sample takes the figures now. What cannot be measured is left out and logged.
func (m *Monitor) Sample(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sample(ctx)
}

func (m *Monitor) sample(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	now := m.Now()
	m.remember(ctx, now)
	m.figures = m.measure(ctx, now)
	m.taken = now
	_, next := m.Plan.Tier(m.Config.Tier)
	if next == nil {
		return
	}
	for _, trigger := range next.Triggers {
		value, measured := m.figures.of(trigger.Metric)
		_, already := m.over[trigger.ID]
		switch {
		case m.figures.failed[trigger.Metric]:
			// A figure that could not be taken says nothing, least of all that an overload has ended.
		case !measured || value <= trigger.Threshold:
			delete(m.over, trigger.ID)
		case !already:
			m.over[trigger.ID] = now
		}
	}
}

// Report is what is known now.
type Report struct {
	MeasuredAt time.Time
	// Uptime is this instance's.
	Uptime   time.Duration
	Figures  Figures
	Triggers []Trigger
}

// Trigger is one of the next tier's triggers with its live figure.
type Trigger struct {
	config.PlanTrigger

	Unit Unit
	// Measured: somebody measures the metric. Without a Value there was nothing to measure, such as no request.
	Measured bool
	Value    *float64
	// OverSince is nil when the figure is not over the threshold.
	OverSince *time.Time
	// Fired: over for as long as the plan asks.
	Fired bool
}

// Report returns the newest figures; it takes them first when they are old.
func (m *Monitor) Report(ctx context.Context) Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Now().Sub(m.taken) >= interval {
		m.sample(ctx)
	}
	report := Report{MeasuredAt: m.taken, Uptime: m.Now().Sub(m.started), Figures: m.figures}
	_, next := m.Plan.Tier(m.Config.Tier)
	if next == nil {
		return report
	}
	for _, planned := range next.Triggers {
		trigger := Trigger{PlanTrigger: planned, Unit: unitOf(planned.Metric)}
		if value, measured := m.figures.of(planned.Metric); measured {
			trigger.Value = &value
		}
		trigger.Measured = trigger.Value != nil || planned.Metric == responseTime
		if since, over := m.over[planned.ID]; over {
			trigger.OverSince = &since
			trigger.Fired = m.taken.Sub(since) >= planned.For
		}
		report.Triggers = append(report.Triggers, trigger)
	}
	return report
}
