package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/radpanel/radpanel/app/telemetry"
	"github.com/radpanel/radpanel/test/tracetest"
)

const patience = 20 * time.Second

func newTracing(t *testing.T, change func(*telemetry.TracingOptions)) (*telemetry.Tracing, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	options := telemetry.TracingOptions{
		Ratio: 1, PerSecond: 1000, Slow: time.Hour, Version: "v1", Tier: "tier1", Instance: "127.0.0.1:8000",
		Registry: registry, Log: slog.New(slog.DiscardHandler),
	}
	change(&options)
	tracing, err := telemetry.NewTracing(options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = stop(tracing, time.Second) })
	return tracing, registry
}

func stop(tracing *telemetry.Tracing, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return tracing.Stop(ctx)
}

// request makes the trace of a request with what is done for it.
func request(t *testing.T, tracing *telemetry.Tracing, status int, do func(context.Context)) trace.SpanContext {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/panels/7?q=hunter2", nil)
	ctx, span := tracing.StartRequest(r.Context(), r, false)
	if do != nil {
		do(ctx)
	}
	telemetry.EndRequest(span, "GET /api/v1/panels/{panel_id}", status)
	return span.SpanContext()
}

func TestARequestIsTraced(t *testing.T) {
	t.Parallel()
	store := tracetest.New(t)
	tracing, _ := newTracing(t, func(o *telemetry.TracingOptions) { o.Endpoint = store.URL })
	made := request(t, tracing, 200, func(ctx context.Context) {
		_, child := telemetry.StartChild(ctx, "GetPanel", trace.WithSpanKind(trace.SpanKindClient))
		telemetry.Failed(child, "23505")
		child.End()
	})
	root, whole := store.Await(t, patience, func(s tracetest.Span) bool { return s.Kind == "server" })
	assert.Equal(t, made.TraceID().String(), root.Trace)
	assert.Equal(t, "GET /api/v1/panels/{panel_id}", root.Name)
	assert.Empty(t, root.Parent)
	assert.False(t, root.Failed)
	assert.Equal(t, "GET", root.Attributes["http.request.method"])
	assert.Equal(t, "/api/v1/panels/{panel_id}", root.Attributes["http.route"])
	assert.Equal(t, "/api/v1/panels/7", root.Attributes["url.path"])
	assert.EqualValues(t, 200, root.Attributes["http.response.status_code"])
	assert.Equal(t, "radpanel", root.Resource["service.name"])
	assert.Equal(t, "tier1", root.Resource["radpanel.tier"])
	require.Len(t, whole, 2)
	child := whole[slices.IndexFunc(whole, func(s tracetest.Span) bool { return s.Kind == "client" })]
	assert.Equal(t, root.ID, child.Parent)
	assert.True(t, child.Failed)
	assert.Equal(t, "23505", child.Attributes["error.type"])
}

func TestWhatIsNotTracedCostsNothing(t *testing.T) {
	t.Parallel()
	var none *telemetry.Tracing
	made := request(t, none, 500, func(ctx context.Context) {
		assert.False(t, telemetry.IsTraced(ctx))
		assert.Nil(t, telemetry.TraceParent(ctx))
		inner, span := telemetry.StartChild(ctx, "GetPanel")
		assert.Equal(t, ctx, inner)
		span.End()
	})
	assert.False(t, made.IsValid())
	require.NoError(t, none.Stop(t.Context()))
}

// What is worth a look is kept, whatever the ratio.
func TestFailuresSlowRequestsAndJobsAreKept(t *testing.T) {
	t.Parallel()
	store := tracetest.New(t)
	tracing, registry := newTracing(t, func(o *telemetry.TracingOptions) {
		o.Endpoint, o.Ratio, o.Slow = store.URL, 0, 50*time.Millisecond
	})
	job := uuid.Must(uuid.NewV7())
	var asked *string
	wanted := []trace.SpanContext{
		request(t, tracing, 503, nil),
		request(t, tracing, 200, func(ctx context.Context) {
			_, span := telemetry.StartChild(ctx, "slow", trace.WithTimestamp(time.Now()))
			time.Sleep(60 * time.Millisecond) // What takes long is what is tested.
			span.End()
		}),
		request(t, tracing, 202, func(ctx context.Context) {
			inner, span := telemetry.StartEnqueue(ctx, "export", job)
			asked = telemetry.TraceParent(inner)
			span.End()
		}),
	}
	unwanted := request(t, tracing, 200, nil)
	_, span := tracing.StartJob(t.Context(), "export", job, 1, asked)
	span.End()

	ran, _ := store.Await(t, patience, func(s tracetest.Span) bool { return s.Kind == "consumer" })
	sent, _ := store.Await(t, patience, func(s tracetest.Span) bool { return s.Kind == "producer" })
	assert.Equal(t, "process export", ran.Name)
	assert.Equal(t, []tracetest.Link{{Trace: sent.Trace, Span: sent.ID}}, ran.Links, "the job leads to the request")
	assert.Equal(t, job.String(), ran.Attributes["messaging.message.id"])
	for _, one := range wanted {
		store.Await(t, patience, func(s tracetest.Span) bool { return s.Trace == one.TraceID().String() })
	}
	for _, span := range store.Spans() {
		assert.NotEqual(t, unwanted.TraceID().String(), span.Trace)
	}
	assert.InDelta(t, 4, count(t, registry, "radpanel_traces_total", "notable"), 0)
	assert.InDelta(t, 1, count(t, registry, "radpanel_traces_total", "out"), 0)
}

func TestTracesAreBounded(t *testing.T) {
	t.Parallel()
	store := tracetest.New(t)
	tracing, registry := newTracing(t, func(o *telemetry.TracingOptions) { o.Endpoint, o.PerSecond = store.URL, 3 })
	for range 100 {
		request(t, tracing, 200, nil)
		request(t, tracing, 500, nil)
	}
	ratio, notable := count(t, registry, "radpanel_traces_total", "ratio"), count(t, registry, "radpanel_traces_total", "notable")
	assert.GreaterOrEqual(t, ratio, 3.0)
	assert.GreaterOrEqual(t, notable, 3.0, "the ordinary ones do not push out the others")
	assert.Less(t, ratio+notable, 100.0)
	assert.InDelta(t, 200, ratio+notable+count(t, registry, "radpanel_traces_total", "over_rate"), 0)

	long := request(t, tracing, 500, func(ctx context.Context) {
		for range 1000 {
			_, span := telemetry.StartChild(ctx, "InsertRecord")
			span.End()
		}
	})
	assert.True(t, long.IsValid())
	assert.InDelta(t, 745, count(t, registry, "radpanel_trace_spans_dropped_total", "full"), 0, "a trace has 256 spans at most")
}

// A request and the job that it asked for end within moments of each other, with whatever else is worth a look just then.
func TestOtherTracesDoNotPushOutThoseOfJobs(t *testing.T) {
	t.Parallel()
	store := tracetest.New(t)
	tracing, _ := newTracing(t, func(o *telemetry.TracingOptions) { o.Endpoint, o.PerSecond = store.URL, 1 })
	for range 100 {
		request(t, tracing, 500, nil)
	}
	_, span := tracing.StartJob(t.Context(), "export", uuid.Must(uuid.NewV7()), 1, nil)
	span.End()
	store.Await(t, patience, func(s tracetest.Span) bool { return s.Kind == "consumer" })

	for range 100 {
		_, span := tracing.StartJob(t.Context(), "export", uuid.Must(uuid.NewV7()), 1, nil)
		span.End()
	}
	require.NoError(t, stop(tracing, patience))
	jobs := 0
	for _, span := range store.Spans() {
		if span.Kind == "consumer" {
			jobs++
		}
	}
	assert.Less(t, jobs, 50, "they are bounded too")
}

// What goes on after the answer is nobody's: it cannot wait for it.
func TestWhatHasNotEndedWithItsTraceIsLeftOut(t *testing.T) {
	t.Parallel()
	store := tracetest.New(t)
	tracing, registry := newTracing(t, func(o *telemetry.TracingOptions) { o.Endpoint = store.URL })
	late := func() float64 { return count(t, registry, "radpanel_trace_spans_dropped_total", "late") }
	var inside context.Context
	var going trace.Span
	request(t, tracing, 200, func(ctx context.Context) {
		inside, going = telemetry.StartChild(ctx, "GetPanel")
		_, ended := telemetry.StartChild(ctx, "GetUser")
		ended.End()
	})
	going.End()
	assert.False(t, going.IsRecording())
	_, whole := store.Await(t, patience, func(s tracetest.Span) bool { return s.Name == "GetUser" })
	assert.Len(t, whole, 2)
	assert.InDelta(t, 1, late(), 0)

	_, begun := telemetry.StartChild(inside, "GetRecord")
	assert.False(t, begun.IsRecording())
	begun.End()
	assert.InDelta(t, 1, late(), 0, "it was not begun")
}

// Parts of a request run beside each other.
func TestPartsOfARequestRunAtOnce(t *testing.T) {
	t.Parallel()
	store := tracetest.New(t)
	tracing, _ := newTracing(t, func(o *telemetry.TracingOptions) { o.Endpoint = store.URL })
	const parts = 50
	request(t, tracing, 200, func(ctx context.Context) {
		var all sync.WaitGroup
		for i := range parts {
			all.Go(func() {
				inner, span := telemetry.StartChild(ctx, "GetPanel")
				_, within := telemetry.StartChild(inner, "GET")
				within.End()
				span.SetAttributes(attribute.Int("number", i))
				span.End()
			})
		}
		all.Wait()
	})
	_, whole := store.Await(t, patience, func(s tracetest.Span) bool { return s.Kind == "server" })
	assert.Len(t, whole, 1+2*parts)
	ids := map[string]bool{}
	for _, span := range whole {
		ids[span.ID] = true
	}
	assert.Len(t, ids, 1+2*parts)
	for _, span := range whole {
		assert.True(t, span.Parent == "" || ids[span.Parent], span.Parent)
	}
}

// A store that hangs, or is not there, keeps nobody waiting.
func TestAStoreThatHangsKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // It takes connections and never answers.
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	tracing, registry := newTracing(t, func(o *telemetry.TracingOptions) {
		o.Endpoint, o.PerSecond = "http://"+listener.Addr().String(), 1_000_000
	})
	started := time.Now()
	for range 20_000 {
		request(t, tracing, 200, nil)
	}
	assert.Less(t, time.Since(started), patience)
	assert.Positive(t, count(t, registry, "radpanel_trace_spans_dropped_total", "full"))
	stopping := time.Now()
	require.ErrorIs(t, stop(tracing, 200*time.Millisecond), context.DeadlineExceeded)
	assert.Less(t, time.Since(stopping), 3*time.Second)
}

func TestAStoreThatIsAwayIsSaidOnce(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&logs, nil))
	tracing, registry := newTracing(t, func(o *telemetry.TracingOptions) { o.Endpoint, o.Log = "http://127.0.0.1:1", log })
	request(t, tracing, 200, nil)
	require.Eventually(t, func() bool {
		return count(t, registry, "radpanel_trace_spans_dropped_total", "export") == 1
	}, patience, 10*time.Millisecond)
	request(t, tracing, 200, nil)
	require.NoError(t, stop(tracing, patience))
	assert.InDelta(t, 2, count(t, registry, "radpanel_trace_spans_dropped_total", "export"), 0)
	assert.Equal(t, 1, bytes.Count(logs.Bytes(), []byte("traces cannot be sent")))
}

// Who is outside cannot choose the id of a trace, nor whether it is kept.
func TestOnlyTracesFromInsideAreContinued(t *testing.T) {
	t.Parallel()
	const theirs, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	store := tracetest.New(t)
	tracing, registry := newTracing(t, func(o *telemetry.TracingOptions) { o.Endpoint = store.URL })
	ask := func(isFromInside bool, flags string) {
		r := httptest.NewRequestWithContext(t.Context(), "BREW", "/api/v1/panels", nil)
		r.Header.Set("Traceparent", "00-"+theirs+"-"+span+"-"+flags)
		_, made := tracing.StartRequest(r.Context(), r, isFromInside)
		telemetry.EndRequest(made, "", 405)
	}
	ask(true, "01")
	ask(true, "00") // Whoever asks does not want it.
	ask(false, "00")
	inside, _ := store.Await(t, patience, func(s tracetest.Span) bool { return s.Trace == theirs })
	assert.Equal(t, span, inside.Parent)
	assert.Equal(t, "HTTP", inside.Name)
	outside, _ := store.Await(t, patience, func(s tracetest.Span) bool { return s.Trace != theirs })
	assert.Empty(t, outside.Parent)
	assert.Equal(t, []tracetest.Link{{Trace: theirs, Span: span}}, outside.Links)
	assert.InDelta(t, 2, count(t, registry, "radpanel_traces_total", "ratio"), 0)
}

func TestLogLinesCarryTheTrace(t *testing.T) {
	t.Parallel()
	store := tracetest.New(t)
	tracing, _ := newTracing(t, func(o *telemetry.TracingOptions) { o.Endpoint = store.URL })
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, "info")
	require.NoError(t, err)
	made := request(t, tracing, 200, func(ctx context.Context) { log.InfoContext(ctx, "said") })
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	assert.Equal(t, made.TraceID().String(), line["trace_id"])
	assert.Equal(t, made.SpanID().String(), line["span_id"])
}

// count is the value of a counter with one label.
func count(t *testing.T, registry *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name && metric.GetLabel()[0].GetValue() == label {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func BenchmarkRequest(b *testing.B) {
	store := tracetest.New(b)
	for name, endpoint := range map[string]string{"off": "", "on": store.URL} {
		b.Run(name, func(b *testing.B) {
			tracing, err := telemetry.NewTracing(telemetry.TracingOptions{
				Endpoint: endpoint, Ratio: 0.1, PerSecond: 5, Slow: time.Second, Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
			})
			require.NoError(b, err)
			defer func() { _ = stop(tracing, time.Second) }()
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v1/panels/7", nil)
			b.ReportAllocs()
			for b.Loop() {
				ctx, span := tracing.StartRequest(r.Context(), r, false)
				for range 4 {
					_, child := telemetry.StartChild(ctx, "GetPanel", trace.WithSpanKind(trace.SpanKindClient))
					child.End()
				}
				telemetry.EndRequest(span, "GET /api/v1/panels/{panel_id}", 200)
			}
		})
	}
}
