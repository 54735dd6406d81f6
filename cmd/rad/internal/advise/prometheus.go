package advise

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promapi "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// queryTimeout bounds all queries together. They take tens of milliseconds.
const queryTimeout = 20 * time.Second

// Prometheus takes measurements from the Prometheus of a stack.
type Prometheus struct {
	api promapi.API
}

// NewPrometheus gives the Prometheus that answers at an address, such as "127.0.0.1:9090".
func NewPrometheus(address string) (*Prometheus, error) {
	// No proxy: it is on this machine. No connection is kept: rad ends soon.
	client, err := api.NewClient(api.Config{
		Address: "http://" + address, RoundTripper: &http.Transport{DisableKeepAlives: true},
	})
	if err != nil {
		return nil, fmt.Errorf("Prometheus at %s: %w", address, err)
	}
	return &Prometheus{api: promapi.NewAPI(client)}, nil
}

// Measure reads the histories of everything that advice for a stack of the tier rests on, up to now. What Prometheus does
// not have is left out. An error says that it did not answer.
func (p *Prometheus) Measure(ctx context.Context, plan stacks.ScalingPlan, tier stacks.Tier, now time.Time) (Measurements, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	measured := Measurements{}
	for _, m := range append(Needed(plan, tier), PageLoad) {
		var series Series
		var err error
		series.Points, err = p.recent(ctx, m, promapi.Range{Start: now.Add(-Recent), End: now, Step: Step})
		if err == nil {
			series.Lows, err = p.read(ctx, fmt.Sprintf("min_over_time(%s[%dm])", m.record(), int(LowStep.Minutes())),
				promapi.Range{Start: now.Add(-History), End: now, Step: LowStep})
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Title(), err)
		}
		if len(series.Points) > 0 || len(series.Lows) > 0 {
			measured[m] = series
		}
	}
	return measured, nil
}

// recent gives the points of a measurement up to when it was last recorded. Prometheus goes on with a figure for minutes, each
// point of which has the time that it was asked for.
func (p *Prometheus) recent(ctx context.Context, m Measurement, span promapi.Range) ([]Point, error) {
	points, err := p.read(ctx, m.whileMeasured(), span)
	if err != nil || len(points) == 0 {
		return nil, err
	}
	recorded, err := p.read(ctx, "timestamp("+m.record()+")", span)
	if err != nil || len(recorded) == 0 {
		return nil, err
	}
	last := points[len(points)-1]
	at := time.UnixMilli(int64(math.Round(recorded[len(recorded)-1].Figure * 1000)))
	if !last.At.After(at) {
		return points, nil
	}
	points = slices.DeleteFunc(points, func(point Point) bool { return !point.At.Before(at) })
	return append(points, Point{At: at, Figure: last.Figure}), nil
}

// whileMeasured leaves out of a figure the times at which nobody answered who tells it. One that looks back on a while, as a
// rate does, would otherwise go on for minutes with what was measured before.
func (m Measurement) whileMeasured() string {
	jobs := m.jobs()
	if len(jobs) == 0 {
		return m.record()
	}
	return fmt.Sprintf(`%s unless on () (max by (job) (up{job=~%q}) == 0)`, m.record(), strings.Join(jobs, "|"))
}

// jobs are those without which there is no figure, of one that looks back on a while. None: Prometheus itself forgets it
// at once.
func (m Measurement) jobs() []string {
	switch m {
	case Of(stacks.HostCPU):
		return []string{monitoring.NodeJob}
	case Of(stacks.DatabaseReads), Of(stacks.DatabaseWriteWait):
		return []string{monitoring.PostgresJob}
	case Of(stacks.BalancerUse):
		return []string{monitoring.BalancerJob, monitoring.NodeJob}
	case Of(stacks.FarRequests):
		return []string{monitoring.BalancerJob}
	case Of(stacks.ResponseTimeP95), Of(stacks.QuietestHour), RequestsPerSecond:
		return []string{monitoring.ServiceJob}
	case Of(stacks.ErrorBudgetSpent):
		return []string{monitoring.FrontDoorJob}
	default:
		return nil
	}
}

// record is the name under which Prometheus keeps the figure.
func (m Measurement) record() string {
	for _, signal := range monitoring.Signals() {
		if signal.Name == string(m) {
			return signal.Record()
		}
	}
	return stacks.Metric(m).Definition().Record()
}

// read gives the points of an expression, which must be of one series at most.
func (p *Prometheus) read(ctx context.Context, expression string, span promapi.Range) ([]Point, error) {
	value, _, _, err := p.api.QueryRange(ctx, expression, span)
	if err != nil {
		return nil, err
	}
	matrix, is := value.(model.Matrix)
	if !is {
		return nil, fmt.Errorf("%s: expected a matrix, got %s", expression, value.Type())
	}
	switch len(matrix) {
	case 0:
		return nil, nil
	case 1:
		points := make([]Point, len(matrix[0].Values))
		for i, sample := range matrix[0].Values {
			points[i] = Point{At: sample.Timestamp.Time(), Figure: float64(sample.Value)}
		}
		return points, nil
	default:
		return nil, errors.New(expression + ": expected one series, got several")
	}
}
