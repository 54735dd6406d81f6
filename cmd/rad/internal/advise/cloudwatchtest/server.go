// Package cloudwatchtest gives tests a server that speaks CloudWatch's protocol (Smithy RPC v2 over CBOR) to AWS's own SDK. It
// cannot tell what CloudWatch would have of a stack, but it reduces samples to periods, answers page by page, refuses and
// throttles as CloudWatch says that it does.
package cloudwatchtest

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/stretchr/testify/assert"
)

const (
	errorNamespace = "com.amazonaws.cloudwatch#"

	operation = "/service/GraniteServiceVersion20100801/operation/GetMetricData"
	// Reach is how long CloudWatch keeps samples of a minute. Older ones are had by periods of five minutes or more.
	Reach = 15 * 24 * time.Hour
)

// Metric names a series.
type Metric struct{ Namespace, Name, Dimension, Value string }

// Sample is a figure at a time.
type Sample struct {
	At     time.Time
	Figure float64
}

// Server is a CloudWatch of a test's own.
type Server struct {
	t      testing.TB
	server *httptest.Server

	mu     sync.Mutex
	series map[Metric][]Sample
	// refusals are the error codes that the next requests get, in order.
	refusals []string
	// statuses are those of series that are not complete.
	statuses map[Metric]string
	// pageSize is how many figures an answer has at most: 100,800 of CloudWatch's own.
	pageSize int
	requests int
}

// Start starts an empty one. It ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, series: map[Metric][]Sample{}, statuses: map[Metric]string{}, pageSize: 100_800}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

// Config is how AWS's SDK asks the server.
func (s *Server) Config(region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(s.server.URL),
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	}
}

// Put adds samples of a series.
func (s *Server) Put(metric Metric, samples ...Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.series[metric] = append(s.series[metric], samples...)
}

// Refuse answers the next requests by errors of these codes, such as "ThrottlingException".
func (s *Server) Refuse(codes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals = append(s.refusals, codes...)
}

// Spoil gives a series another status than Complete, such as "InternalError".
func (s *Server) Spoil(metric Metric, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[metric] = status
}

// Page bounds answers to so many figures.
func (s *Server) Page(figures int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pageSize = figures
}

// Requests tells how many requests there were.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// ServeHTTP implements the server.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	assert.Equal(s.t, operation, r.URL.Path)
	assert.Equal(s.t, "rpc-v2-cbor", r.Header.Get("Smithy-Protocol"))
	assert.Contains(s.t, r.Header.Get("Authorization"), "/monitoring/aws4_request", "it is signed for CloudWatch")
	status, answer := http.StatusOK, cbor.Map{}
	raw, err := io.ReadAll(r.Body)
	if assert.NoError(s.t, err) {
		decoded, err := cbor.Decode(raw)
		request, is := decoded.(cbor.Map)
		if assert.NoError(s.t, err) && assert.True(s.t, is) {
			status, answer = s.answer(request)
		}
	}
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	w.Header().Set("Content-Type", "application/cbor")
	if kind, is := answer["__type"].(cbor.String); is {
		// By this the SDK tells errors: clients of the protocol before knew them by these codes.
		w.Header().Set("X-Amzn-Query-Error", strings.TrimPrefix(string(kind), errorNamespace)+";Sender")
	}
	w.WriteHeader(status)
	_, _ = w.Write(cbor.Encode(answer)) // Who has gone needs no answer.
}

func refusal(code, message string) (int, cbor.Map) {
	return http.StatusBadRequest, cbor.Map{"__type": cbor.String(errorNamespace + code), "message": cbor.String(message)}
}

func (s *Server) answer(request cbor.Map) (int, cbor.Map) {
	if len(s.refusals) > 0 {
		code := s.refusals[0]
		s.refusals = s.refusals[1:]
		return refusal(code, "as the test wants it")
	}
	from, err := cbor.AsTime(request["StartTime"])
	to, err2 := cbor.AsTime(request["EndTime"])
	if err := cmp.Or(err, err2); err != nil || !from.Before(to) {
		return refusal("InvalidParameterValue", "StartTime must be before EndTime")
	}
	skip := 0
	if token, is := request["NextToken"].(cbor.String); is {
		if skip, err = strconv.Atoi(string(token)); err != nil {
			return refusal("InvalidNextToken", string(token))
		}
	}
	left, more, results := s.pageSize, false, cbor.List{}
	queries, _ := request["MetricDataQueries"].(cbor.List)
	for _, query := range queries {
		asked, err := readQuery(query)
		if err != nil {
			return refusal("ValidationError", err.Error())
		}
		samples := reduce(s.series[asked.metric], asked, from, to)
		if text(request["ScanBy"]) != "TimestampAscending" {
			slices.Reverse(samples)
		}
		here := samples[min(skip, len(samples)):]
		skip = max(0, skip-len(samples))
		status := cmp.Or(s.statuses[asked.metric], "Complete")
		if len(here) > left {
			here, status, more = here[:left], "PartialData", true
		}
		left -= len(here)
		times, values := cbor.List{}, cbor.List{}
		for _, sample := range here {
			times = append(times, &cbor.Tag{ID: 1, Value: cbor.Float64(sample.At.Unix())})
			values = append(values, cbor.Float64(sample.Figure))
		}
		results = append(results, cbor.Map{
			"Id": cbor.String(asked.id), "Label": cbor.String(asked.metric.Name), "StatusCode": cbor.String(status), "Timestamps": times, "Values": values,
		})
	}
	answer := cbor.Map{"MetricDataResults": results, "Messages": cbor.List{}}
	if more {
		begun := 0
		if token, is := request["NextToken"].(cbor.String); is {
			begun, _ = strconv.Atoi(string(token)) // It was read above.
		}
		answer["NextToken"] = cbor.String(strconv.Itoa(begun + s.pageSize))
	}
	return http.StatusOK, answer
}

// query is one series that is asked for.
type query struct {
	id        string
	metric    Metric
	period    time.Duration
	statistic string
}

func text(value cbor.Value) string {
	s, _ := value.(cbor.String)
	return string(s)
}

func readQuery(value cbor.Value) (query, error) {
	whole, _ := value.(cbor.Map)
	stat, _ := whole["MetricStat"].(cbor.Map)
	metric, _ := stat["Metric"].(cbor.Map)
	dimensions, _ := metric["Dimensions"].(cbor.List)
	if len(dimensions) != 1 {
		return query{}, fmt.Errorf("%d dimensions: the series of stacks and hosts have one", len(dimensions))
	}
	dimension, _ := dimensions[0].(cbor.Map)
	seconds, err := cbor.AsInt32(stat["Period"])
	if err != nil || seconds <= 0 || seconds%60 != 0 {
		return query{}, fmt.Errorf("period %v: expected a multiple of 60", stat["Period"])
	}
	return query{
		id: text(whole["Id"]), period: time.Duration(seconds) * time.Second, statistic: text(stat["Stat"]),
		metric: Metric{text(metric["Namespace"]), text(metric["MetricName"]), text(dimension["Name"]), text(dimension["Value"])},
	}, nil
}

// reduce gives a figure for each period in which there were samples, dated by its beginning.
func reduce(samples []Sample, asked query, from, to time.Time) []Sample {
	if asked.period < 5*time.Minute && from.Before(to.Add(-Reach)) {
		return nil // Nothing is kept so finely for so long.
	}
	type bucket struct{ least, sum, count float64 }
	buckets := map[time.Time]bucket{}
	for _, sample := range samples {
		if sample.At.Before(from) || !sample.At.Before(to) {
			continue
		}
		at := sample.At.UTC().Truncate(asked.period)
		b := buckets[at]
		if b.count == 0 || sample.Figure < b.least {
			b.least = sample.Figure
		}
		b.sum, b.count = b.sum+sample.Figure, b.count+1
		buckets[at] = b
	}
	var reduced []Sample
	for at, b := range buckets {
		figure := b.least
		if strings.EqualFold(asked.statistic, "Average") {
			figure = b.sum / b.count
		}
		reduced = append(reduced, Sample{at, figure})
	}
	slices.SortFunc(reduced, func(a, b Sample) int { return a.At.Compare(b.At) })
	return reduced
}
