package scaling

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

const (
	// probeInterval is how often the front door is asked; several times a minute, so that a lost probe is no lost minute.
	probeInterval = 15 * time.Second
	probeTimeout  = 5 * time.Second
	// latestAge is how long the levels that Run measured are taken for those of now: it measures every minute.
	latestAge = 3 * time.Minute
	// uptimeWindow is what uptime looks back on, pageLoadWindow what page loads do.
	uptimeWindow   = 30 * 24 * time.Hour
	pageLoadWindow = 7 * 24 * time.Hour
	// LongestPageLoad bounds what is recorded of a page load.
	LongestPageLoad = time.Minute
)

// pageLoadBounds are the upper bounds of the histogram's buckets, in milliseconds. They are fine around the targets of
// the plan: 3 s, 1.5 s, 1 s.
func pageLoadBounds() []int32 {
	return []int32{
		50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1400, 1500, 1750,
		2000, 2250, 2500, 2750, 3000, 3500, 4000, 5000, 6000, 8000, 10_000, 15_000, 20_000, 30_000, 60_000,
	}
}

// ServiceLevels records what users get, for all instances together: the uptime of the front door and the time that pages
// take to load.
type ServiceLevels struct {
	DB *database.DB
	// URL is where the front door is asked: the panel's public URL, and the path that leads through it to the service.
	URL string
	// Log hears of what Run cannot do.
	Log *slog.Logger
	Now func() time.Time

	mu sync.Mutex
	// latest are the levels as Run measured them last, at the time taken.
	latest Levels
	taken  time.Time
}

// Levels are the service levels as measured; nil is what was not, for nothing is recorded yet.
type Levels struct {
	// UptimePercent is the share of minutes in which the front door answered at least once, since UptimeSince.
	UptimePercent *float64
	UptimeSince   *time.Time
	// PageLoadSeconds is the time within which 95 of 100 pages were loaded by browsers that had nothing in their cache.
	PageLoadSeconds *float64
	// PageLoads is how many that were.
	PageLoads int64
}

// AddPageLoad records that a browser has loaded a page. Cold says that it had nothing of the front end in its cache.
func (l *ServiceLevels) AddPageLoad(ctx context.Context, took time.Duration, cold bool) error {
	bounds := pageLoadBounds()
	bucket := bounds[len(bounds)-1]
	for i := len(bounds) - 1; i >= 0 && took <= time.Duration(bounds[i])*time.Millisecond; i-- {
		bucket = bounds[i]
	}
	return l.DB.AddPageLoad(ctx, dbgen.AddPageLoadParams{Cold: cold, UpToMs: bucket, At: l.Now()})
}

// Run asks the front door until ctx ends.
func (l *ServiceLevels) Run(ctx context.Context) {
	client := &http.Client{Timeout: probeTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		l.Probe(ctx, client)
		l.keep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// keep measures the levels for those who look at metrics, no more often than every minute: they are over weeks.
func (l *ServiceLevels) keep(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	if now.Sub(l.taken) < time.Minute && l.latest.UptimePercent != nil {
		return
	}
	levels, err := l.Measure(ctx)
	if err != nil {
		if ctx.Err() == nil {
			l.Log.WarnContext(ctx, "service levels were not measured", "error", err)
		}
		return
	}
	l.latest, l.taken = levels, now
}

// Latest gives the levels as Run measured them last; false when that is too long ago to be true.
func (l *ServiceLevels) Latest() (Levels, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest, !l.taken.IsZero() && l.Now().Sub(l.taken) < latestAge
}

// Probe asks the front door once, as a user would reach it, and records the answer.
func (l *ServiceLevels) Probe(ctx context.Context, client *http.Client) {
	err := ask(ctx, client, l.URL)
	if ctx.Err() != nil {
		return
	}
	var failures int32
	if err != nil {
		failures = 1
		l.Log.WarnContext(ctx, "the front door did not answer", "url", l.URL, "error", err)
	}
	err = l.DB.AddProbe(ctx, dbgen.AddProbeParams{At: l.Now(), Failures: failures})
	if err != nil && ctx.Err() == nil && !errors.Is(err, database.ErrFenced) {
		l.Log.WarnContext(ctx, "uptime was not recorded", "error", err)
	}
}

func ask(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4096)) // The status is the answer.
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d, expected 200", response.StatusCode)
	}
	return nil
}

// Measure gives the levels now.
func (l *ServiceLevels) Measure(ctx context.Context) (levels Levels, err error) {
	now := l.Now()
	up, err := l.DB.MeasureUptime(ctx, dbgen.MeasureUptimeParams{Since: now.Add(-uptimeWindow), Now: now})
	switch {
	case err == nil:
		minutes := now.Truncate(time.Minute).Sub(up.First) / time.Minute
		levels.UptimePercent, levels.UptimeSince = new(100*float64(up.Good)/float64(minutes)), &up.First
	case !errors.Is(err, database.ErrNotFound):
		return levels, err
	}
	buckets, err := l.DB.CountPageLoads(ctx, now.Add(-pageLoadWindow))
	if err != nil {
		return levels, err
	}
	for _, bucket := range buckets {
		levels.PageLoads += bucket.Loads
	}
	if levels.PageLoads > 0 {
		levels.PageLoadSeconds = new(quantile(0.95, buckets, levels.PageLoads).Seconds())
	}
	return levels, nil
}

// quantile estimates a quantile of a histogram as Prometheus does: values lie evenly within their bucket.
func quantile(q float64, buckets []dbgen.CountPageLoadsRow, total int64) time.Duration {
	rank, below := q*float64(total), 0.0
	lower := map[int32]int32{}
	previous := int32(0)
	for _, bound := range pageLoadBounds() {
		lower[bound] = previous
		previous = bound
	}
	for _, bucket := range buckets {
		if inside := float64(bucket.Loads); below+inside >= rank {
			from, to := float64(lower[bucket.UpToMs]), float64(bucket.UpToMs)
			return time.Duration((from + (to-from)*(rank-below)/inside) * float64(time.Millisecond))
		}
		below += float64(bucket.Loads)
	}
	return LongestPageLoad
}
