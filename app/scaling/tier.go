package scaling

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

const (
	// tierTimeout bounds the query for the figures of the whole tier, for which a page waits. It takes milliseconds.
	tierTimeout = 2 * time.Second
	// requestsRecord is where Prometheus keeps the API's requests a second.
	requestsRecord = "radpanel:requests_per_second:per_second"
	// alertSince tells, of each alert whose condition holds, since when it has without a break, in seconds since 1970.
	alertSince = "ALERTS_FOR_STATE"
)

// Complete puts into an instance's report what Prometheus knows of the whole tier: the triggers, also those that no instance
// measures, since when they have been over, requests, and response time. What Prometheus does not have stays the instance's. It
// is [ErrNoHistory] when there is no Prometheus, another error when it does not answer: the report is then the instance's.
func (h *Historian) Complete(ctx context.Context, report Report) (Report, error) {
	if h.api == nil {
		return report, ErrNoHistory
	}
	figures, since, err := h.latest(ctx, report)
	if err != nil {
		return report, fmt.Errorf("figures of the tier: %w", err)
	}
	if v, known := figures[requestsRecord]; known {
		report.Figures.RequestsPerSecond = number(v)
	}
	if v, known := figures[h.plan.Records[responseTime]]; known && !math.IsNaN(v) { // Not a number: there was no request yet.
		report.Figures.P95Seconds = &v
	}
	triggers := make([]Trigger, len(report.Triggers))
	for i, trigger := range report.Triggers {
		if v, known := figures[h.plan.Records[trigger.Metric]]; known {
			trigger.ofTier(v, since[trigger.ID], h.now())
		}
		triggers[i] = trigger
	}
	report.Triggers = triggers
	return report, nil
}

// ofTier takes over what Prometheus says of a trigger. over is zero when its condition does not hold.
func (t *Trigger) ofTier(value float64, over, now time.Time) {
	t.Measured = true
	if v := number(value); v != nil { // Not a number: there was nothing to measure. The instance may know of something newer.
		t.Value = v
	}
	t.OverSince, t.Fired = nil, false
	if !over.IsZero() {
		t.OverSince, t.Fired = &over, now.Sub(over) >= t.For
	}
}

// latest asks for the newest figures by the names of their records, and since when the alerts of the triggers have held.
func (h *Historian) latest(ctx context.Context, report Report) (figures map[string]float64, since map[string]time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, tierTimeout)
	defer cancel()
	records, alerts := []string{requestsRecord, h.plan.Records[responseTime]}, []string{}
	for _, trigger := range report.Triggers {
		records, alerts = append(records, h.plan.Records[trigger.Metric]), append(alerts, trigger.ID)
	}
	records = slices.DeleteFunc(records, func(record string) bool { return record == "" })
	expression := fmt.Sprintf(`{__name__=~%q} or %s{severity="growth",alertname=~%q}`, anyOf(records), alertSince, anyOf(alerts))
	value, _, _, err := h.api.Query(ctx, expression, h.now())
	if err != nil {
		return nil, nil, err
	}
	vector, is := value.(model.Vector)
	if !is {
		return nil, nil, fmt.Errorf("expected a vector, got %s", value.Type())
	}
	figures, since = map[string]float64{}, map[string]time.Time{}
	for _, sample := range vector {
		if name := string(sample.Metric[model.MetricNameLabel]); name != alertSince {
			figures[name] = float64(sample.Value)
		} else {
			since[string(sample.Metric[model.AlertNameLabel])] = time.Unix(int64(sample.Value), 0)
		}
	}
	return figures, since, nil
}

// anyOf is a regular expression that is one of the names.
func anyOf(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = regexp.QuoteMeta(name)
	}
	return strings.Join(quoted, "|")
}

// number is nil for what is none.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
