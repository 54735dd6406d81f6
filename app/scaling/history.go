package scaling

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/api"
	promapi "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/radpanel/radpanel/app/config"
)

// historyTimeout bounds all queries of one history.
const historyTimeout = 5 * time.Second

// ErrNoHistory says that there is nobody to ask for a history.
var ErrNoHistory = errors.New("no Prometheus is configured: RAD_PROMETHEUS_URL is not set")

// Span is how far back a history goes, and how finely.
type Span struct{ Length, Step time.Duration }

// Spans are those that people choose from: each has two to four hundred points, as many as a chart is wide.
func Spans() map[string]Span {
	const day = 24 * time.Hour
	return map[string]Span{
		"hour": {time.Hour, 15 * time.Second}, "day": {day, 5 * time.Minute}, "week": {7 * day, 30 * time.Minute}, "month": {30 * day, 2 * time.Hour},
	}
}

// Curve is how one figure went.
type Curve struct {
	// ID is the trigger's, or the SLO's part: slo-p95, slo-page-load, slo-uptime.
	ID   string
	Unit Unit
	// Limit is the trigger's threshold or the SLO's target.
	Limit float64
	// Values are one for each step, the last at the history's end: of each step the one nearest to the limit, or beyond it.
	// Nil is what was not measured.
	Values []*float64
}

// Graph is how the figures went up to Until.
type Graph struct {
	Until    time.Time
	Span     Span
	Triggers []Curve
	SLO      []Curve
}

// Historian asks the stack's Prometheus how the figures went.
type Historian struct {
	api  promapi.API
	plan *config.Plan
	tier string
	now  func() time.Time
}

// NewHistorian returns a Historian; one that has nobody to ask if none is configured.
func NewHistorian(cfg config.Config, plan *config.Plan, now func() time.Time) (*Historian, error) {
	h := &Historian{plan: plan, tier: cfg.Tier, now: now}
	if cfg.PrometheusURL == "" {
		return h, nil
	}
	// No proxy: Prometheus is beside the service.
	client, err := api.NewClient(api.Config{Address: cfg.PrometheusURL, RoundTripper: &http.Transport{IdleConnTimeout: time.Minute}})
	if err != nil {
		return nil, fmt.Errorf("RAD_PROMETHEUS_URL: %w", err)
	}
	h.api = promapi.NewAPI(client)
	return h, nil
}

// curve is a curve to be, and where it comes from.
type curve struct {
	Curve

	record string
	// lowest takes the least of each step, because it is the low figures that are bad.
	lowest bool
}

// Graph reads the history of the triggers that lead to the next tier and of the tier's SLO. It is [ErrNoHistory] when there
// is no Prometheus, another error when it does not answer.
func (h *Historian) Graph(ctx context.Context, span Span) (Graph, error) {
	// Up to now, not to the last whole step: a panel that has just come up would have nothing to show for minutes, or hours.
	graph := Graph{Until: h.now().Truncate(time.Second), Span: span, Triggers: []Curve{}, SLO: []Curve{}}
	current, next := h.plan.Tier(h.tier)
	if h.api == nil || current == nil {
		return graph, ErrNoHistory
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	if next != nil {
		for _, trigger := range next.Triggers {
			read, err := h.read(ctx, graph.Until, span, curve{
				Curve: Curve{ID: trigger.ID, Unit: unitOf(trigger.Metric), Limit: trigger.Threshold}, record: h.plan.Records[trigger.Metric],
			})
			if err != nil {
				return graph, err
			}
			graph.Triggers = append(graph.Triggers, read)
		}
	}
	for _, level := range []curve{
		{Curve: Curve{ID: "slo-p95", Unit: UnitSeconds, Limit: current.SLO.P95.Seconds()}, record: h.plan.Records[responseTime]},
		{Curve: Curve{ID: "slo-page-load", Unit: UnitSeconds, Limit: current.SLO.PageLoad.Seconds()}, record: "radpanel_page_load_p95_seconds"},
		{Curve: Curve{ID: "slo-uptime", Unit: UnitPercent, Limit: current.SLO.UptimePercent}, record: "radpanel_uptime_percent", lowest: true},
	} {
		read, err := h.read(ctx, graph.Until, span, level)
		if err != nil {
			return graph, err
		}
		graph.SLO = append(graph.SLO, read)
	}
	return graph, nil
}

func (h *Historian) read(ctx context.Context, until time.Time, span Span, c curve) (Curve, error) {
	c.Values = make([]*float64, span.Length/span.Step+1)
	if c.record == "" {
		return c.Curve, nil // The plan's file is older than the service.
	}
	choose := "max"
	if c.lowest {
		choose = "min"
	}
	// At least a minute, or a step would have no sample when one is late. Instances see the same: one curve.
	within := max(span.Step, time.Minute)
	expression := fmt.Sprintf("%[1]s(%[1]s_over_time(%[2]s[%[3]ds]))", choose, c.record, int(within.Seconds()))
	since := until.Add(-span.Length)
	value, _, _, err := h.api.QueryRange(ctx, expression, promapi.Range{Start: since, End: until, Step: span.Step})
	if err != nil {
		return c.Curve, fmt.Errorf("history of %s: %w", c.ID, err)
	}
	matrix, is := value.(model.Matrix)
	if !is {
		return c.Curve, fmt.Errorf("history of %s: expected a matrix, got %s", c.ID, value.Type())
	}
	for _, series := range matrix {
		for _, sample := range series.Values {
			i := int(sample.Timestamp.Time().Sub(since) / span.Step)
			if figure := number(float64(sample.Value)); i >= 0 && i < len(c.Values) && figure != nil {
				c.Values[i] = figure
			}
		}
	}
	return c.Curve, nil
}
