package advise

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

const (
	// cloudTimeout bounds all that CloudWatch is asked together, with what the SDK repeats when it is told to slow down.
	cloudTimeout = time.Minute
	// cloudAttempts is how often the SDK asks at most. CloudWatch throttles whoever asks more than 50 times a second, and
	// others of the account may.
	cloudAttempts = 6
	// cloudSlack is how much more than [Recent] is read: figures are told late, and by whole periods.
	cloudSlack = 20 * time.Minute
)

// CloudWatch takes measurements of a stack on AWS.
type CloudWatch struct {
	client *cloudwatch.Client
	// stack is its name, and hosts are the ids of its instances by their names.
	stack string
	hosts map[string]string
}

// NewCloudWatch gives the CloudWatch of a configuration's region, for a stack and its instances' ids by their names.
func NewCloudWatch(cfg aws.Config, stack string, hosts map[string]string) *CloudWatch {
	if cfg.RetryMaxAttempts == 0 {
		cfg.RetryMaxAttempts = cloudAttempts
	}
	return &CloudWatch{client: cloudwatch.NewFromConfig(cfg), stack: stack, hosts: hosts}
}

// asked is one series of CloudWatch that is asked for: a figure of the stack, or of one of its hosts, as value says.
type asked struct {
	of    Measurement
	place monitoring.Place
	value string
}

// Measure reads the histories of everything that advice for a stack of the tier rests on, up to now, from where the alarms of
// the stack have them. What CloudWatch does not have is left out. An error says that it did not answer, or not whole.
func (c *CloudWatch) Measure(ctx context.Context, plan stacks.ScalingPlan, tier stacks.Tier, now time.Time) (Measurements, error) {
	ctx, cancel := context.WithTimeout(ctx, cloudTimeout)
	defer cancel()
	all := c.all(append(Needed(plan, tier), PageLoad))
	recent, err := c.read(ctx, all, now.Add(-Recent-cloudSlack).Truncate(cloudStep), now, func(a asked) (time.Duration, string) {
		return a.place.Every, a.place.Statistic
	})
	if err != nil {
		return nil, err
	}
	// The quarter hour that is not over yet has no least figure.
	lows, err := c.read(ctx, all, now.Add(-History).Truncate(LowStep), now.Truncate(LowStep), func(asked) (time.Duration, string) {
		return LowStep, "Minimum"
	})
	if err != nil {
		return nil, err
	}
	measured := Measurements{}
	for _, a := range all {
		if _, done := measured[a.of]; done {
			continue
		}
		// Of several hosts, the busiest: which one that is now is known only where all have told.
		measured[a.of] = Series{Points: greatest(recent[a.of], true), Lows: greatest(lows[a.of], false), Every: a.place.Every}
	}
	return measured, nil
}

// cloudStep is what times are cut to: CloudWatch answers faster then, and periods of five minutes begin there.
const cloudStep = 5 * time.Minute

// all gives what is asked for: of a figure that CloudWatch has of each host, all of them.
func (c *CloudWatch) all(measurements []Measurement) []asked {
	var list []asked
	for _, m := range measurements {
		place := monitoring.PlaceOf(string(m))
		if place.Dimension == monitoring.AlarmDimension {
			list = append(list, asked{m, place, c.stack})
			continue
		}
		for _, host := range slices.Sorted(maps.Keys(c.hosts)) {
			list = append(list, asked{m, place, c.hosts[host]})
		}
	}
	return list
}

// read reads series between two times, each by its own period and statistic: of each measurement, one for each host.
func (c *CloudWatch) read(ctx context.Context, all []asked, from, to time.Time, by func(asked) (time.Duration, string)) (map[Measurement][][]Point, error) {
	input := &cloudwatch.GetMetricDataInput{StartTime: &from, EndTime: &to, ScanBy: types.ScanByTimestampAscending}
	periods := map[string]time.Duration{}
	for i, a := range all {
		period, statistic := by(a)
		id := "q" + strconv.Itoa(i)
		periods[id] = period
		input.MetricDataQueries = append(input.MetricDataQueries, types.MetricDataQuery{
			Id: aws.String(id), ReturnData: aws.Bool(true),
			MetricStat: &types.MetricStat{
				Metric: &types.Metric{
					Namespace: aws.String(a.place.Namespace), MetricName: aws.String(a.place.MetricName),
					Dimensions: []types.Dimension{{Name: aws.String(a.place.Dimension), Value: aws.String(a.value)}},
				},
				Period: aws.Int32(int32(period.Seconds())), Stat: aws.String(statistic),
			},
		})
	}
	points := map[string][]Point{}
	pages := cloudwatch.NewGetMetricDataPaginator(c.client, input)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read figures: %w", err)
		}
		for _, said := range page.Messages { // Such as that not everything could be looked through.
			return nil, fmt.Errorf("read figures: %s: %s", aws.ToString(said.Code), aws.ToString(said.Value))
		}
		for _, result := range page.MetricDataResults {
			id := aws.ToString(result.Id)
			got, err := pointsOf(result, periods[id], to)
			if err != nil {
				return nil, err
			}
			points[id] = append(points[id], got...)
		}
	}
	found := map[Measurement][][]Point{}
	for i, a := range all {
		found[a.of] = append(found[a.of], points["q"+strconv.Itoa(i)])
	}
	return found, nil
}

// pointsOf reads one page of a series. CloudWatch dates a figure by the beginning of its period.
func pointsOf(result types.MetricDataResult, period time.Duration, now time.Time) ([]Point, error) {
	switch result.StatusCode {
	case types.StatusCodeComplete, types.StatusCodePartialData: // More is on the next page.
	default:
		what := string(result.StatusCode)
		for _, said := range result.Messages {
			what += ": " + aws.ToString(said.Value)
		}
		return nil, fmt.Errorf("read %s: %s", aws.ToString(result.Label), what)
	}
	if len(result.Timestamps) != len(result.Values) {
		return nil, errors.New("read " + aws.ToString(result.Label) + ": there are more times than figures, or fewer")
	}
	points := make([]Point, len(result.Values))
	for i, figure := range result.Values {
		at := result.Timestamps[i].Add(period)
		if at.After(now) { // The period is not over.
			at = now
		}
		points[i] = Point{At: at, Figure: figure}
	}
	return points, nil
}

// greatest gives, at each time, the greatest figure of several series, which are in order of time. With whole, only times at
// which all have one count.
func greatest(all [][]Point, whole bool) []Point {
	if len(all) == 1 {
		return all[0]
	}
	type summary struct {
		figure float64
		count  int
	}
	byTime := map[time.Time]summary{}
	for _, series := range all {
		for _, p := range series {
			known, seen := byTime[p.At.UTC()]
			if !seen || p.Figure > known.figure {
				known.figure = p.Figure
			}
			known.count++
			byTime[p.At.UTC()] = known
		}
	}
	var points []Point
	for at, known := range byTime {
		if !whole || known.count == len(all) {
			points = append(points, Point{At: at, Figure: known.figure})
		}
	}
	slices.SortFunc(points, func(a, b Point) int { return a.At.Compare(b.At) })
	return points
}
