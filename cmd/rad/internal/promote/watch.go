package promote

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// SLO is what a panel that has just been promoted has to keep.
type SLO struct {
	// P95 is the time within which 95 of 100 requests are answered.
	P95 time.Duration
	// Errors is the share of requests that may fail on the service's side.
	Errors float64
	// Requests is how few of them are too few to judge by.
	Requests float64
}

const (
	// watchInterval is between judgements. Two in a row have to be bad: one may be a hiccup.
	watchInterval = 5 * time.Second
	badInARow     = 2
)

// BreachError is a breach of the SLO.
type BreachError struct{ What string }

// Error says what was breached.
func (e *BreachError) Error() string { return "the SLO is breached: " + e.What }

// served is what instances have served so far.
type served struct {
	requests, errors float64
	// within counts requests by the upper bound of their time, in seconds.
	within map[float64]float64
}

// watched is what is looked at: the instances that serve, and an address that leads through the front door to one of them.
type watched struct {
	instances []string
	door      string
}

func watch(ctx context.Context, what watched, length time.Duration, slo SLO, say func(string)) error {
	end := time.After(length)
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	before, err := what.measure(ctx)
	bad := 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end:
			return nil
		case <-tick.C:
		}
		now, nowErr := what.measure(ctx)
		breach := ""
		switch {
		case nowErr != nil:
			breach = nowErr.Error()
		case err == nil:
			breach = judge(before, now, slo)
			say(fmt.Sprintf("%.0f requests in %s, %.2f %% failed", now.requests-before.requests, watchInterval,
				100*(now.errors-before.errors)/max(1, now.requests-before.requests)))
		}
		before, err = now, nowErr
		if bad++; breach == "" {
			bad = 0
		}
		if bad == badInARow {
			return &BreachError{What: breach}
		}
	}
}

// judge says what is wrong with what was served between two measurements; empty: nothing.
func judge(before, now served, slo SLO) string {
	requests, errors := now.requests-before.requests, now.errors-before.errors
	if requests < slo.Requests || requests < 0 { // Counters begin anew with an instance.
		return ""
	}
	if share := errors / requests; share > slo.Errors {
		return fmt.Sprintf("%.1f %% of %.0f requests failed, expected at most %.1f %%", 100*share, requests, 100*slo.Errors)
	}
	for _, bound := range slices.Sorted(maps.Keys(now.within)) {
		if bound >= slo.P95.Seconds() {
			if within := (now.within[bound] - before.within[bound]) / requests; within < 0.95 {
				return fmt.Sprintf("%.1f %% of %.0f requests took at most %g s, expected 95 %%", 100*within, requests, bound)
			}
			break
		}
	}
	return ""
}

func (w watched) measure(ctx context.Context) (served, error) {
	total := served{within: map[float64]float64{}}
	if err := w.knock(ctx); err != nil {
		return total, err
	}
	for _, url := range w.instances {
		families, err := scrape(ctx, url+"/metrics")
		if err != nil {
			return total, err
		}
		for _, metric := range families["radpanel_http_requests_total"].GetMetric() {
			value := metric.GetCounter().GetValue()
			total.requests += value
			for _, label := range metric.GetLabel() {
				if label.GetName() == "status" && strings.HasPrefix(label.GetValue(), "5") {
					total.errors += value
				}
			}
		}
		for _, metric := range families["radpanel_http_request_duration_seconds"].GetMetric() {
			for _, bucket := range metric.GetHistogram().GetBucket() {
				total.within[bucket.GetUpperBound()] += float64(bucket.GetCumulativeCount())
			}
		}
	}
	return total, nil
}

// knock asks at the front door, as users do.
func (w watched) knock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, watchInterval)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.door, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the panel does not answer: %w", err)
	}
	_ = response.Body.Close() // The status is the answer.
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the panel answers %s at %s", response.Status, w.door)
	}
	return nil
}

func scrape(ctx context.Context, url string) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(ctx, watchInterval)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // Only read.
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, fmt.Errorf("metrics of %s: %w", url, err)
	}
	return families, nil
}
