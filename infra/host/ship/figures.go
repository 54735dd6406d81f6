package ship

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/prometheus/client_golang/api"
	promapi "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/radpanel/radpanel/infra/monitoring"
)

const (
	// figuresReach is how far back figures are sent that could not be sent in time, or while nobody ran. Prometheus keeps
	// them; an alarm looks at most a day back, but the present matters most.
	figuresReach = 3 * time.Hour
	startReach   = 5 * time.Minute
	// figuresAtOnce is how many one call takes (CloudWatch API, PutMetricData).
	figuresAtOnce = 1000
	askTimeout    = 10 * time.Second
)

// figures carries what Prometheus has recorded.
type figures struct {
	config     Config
	client     *cloudwatch.Client
	prometheus promapi.API
}

func newFigures(config Config) (*figures, error) {
	client, err := api.NewClient(api.Config{Address: config.Prometheus})
	if err != nil {
		return nil, fmt.Errorf("carry figures: Prometheus %q: %w", config.Prometheus, err)
	}
	return &figures{config: config, client: config.figures(), prometheus: promapi.NewAPI(client)}, nil
}

// run sends the figures of each step that has ended, in order. What cannot be sent is sent with the next.
func (f *figures) run(ctx context.Context) {
	step := f.config.Pace.Figures
	sent := time.Now().Add(-startReach).Truncate(step)
	for {
		now := time.Now().Truncate(step)
		if earliest := now.Add(-figuresReach); sent.Before(earliest) {
			sent = earliest
		}
		if now.After(sent) {
			if err := f.carry(ctx, sent.Add(step), now); err != nil && ctx.Err() == nil {
				f.config.Log.ErrorContext(ctx, "figures wait in Prometheus", "since", sent, "error", err)
			} else {
				sent = now
			}
		}
		if !sleep(ctx, time.Until(now.Add(step))) {
			return
		}
	}
}

// carry sends the figures from one moment to another.
func (f *figures) carry(ctx context.Context, from, to time.Time) error {
	var data []types.MetricDatum
	for _, figure := range f.config.Figures {
		samples, err := f.ask(ctx, figure.Record(), from, to)
		if err != nil {
			return err
		}
		for _, sample := range samples {
			if math.IsNaN(float64(sample.Value)) || math.IsInf(float64(sample.Value), 0) {
				continue // Nothing happened that could be measured, such as a request.
			}
			data = append(data, types.MetricDatum{
				MetricName: aws.String(figure.Name), Timestamp: aws.Time(sample.Timestamp.Time()), Value: aws.Float64(float64(sample.Value)),
				Dimensions: []types.Dimension{{Name: aws.String(monitoring.AlarmDimension), Value: aws.String(f.config.Stack)}},
			})
		}
	}
	for len(data) > 0 {
		some := data[:min(len(data), figuresAtOnce)]
		data = data[len(some):]
		if _, err := f.client.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{
			Namespace: aws.String(monitoring.AlarmNamespace), MetricData: some,
		}); err != nil {
			return err
		}
	}
	return nil
}

// ask gives what Prometheus has recorded under a name: one series, of the whole stack.
func (f *figures) ask(ctx context.Context, record string, from, to time.Time) ([]model.SamplePair, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// The greatest, should there be several by mistake: too many may make an alarm, too few may hide one.
	value, _, _, err := f.prometheus.QueryRange(ctx, "max("+record+")", promapi.Range{Start: from, End: to, Step: f.config.Pace.Figures})
	if err != nil {
		return nil, fmt.Errorf("%s: Prometheus: %w", record, err)
	}
	series, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("%s: Prometheus gave %s: expected a matrix", record, value.Type())
	}
	var samples []model.SamplePair
	for _, s := range series {
		samples = append(samples, s.Values...)
	}
	return samples, nil
}
