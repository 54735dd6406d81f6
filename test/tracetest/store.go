// Package tracetest takes traces as a collector does, by OTLP over HTTP, and shows them to a test.
package tracetest

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span as it arrived.
type Span struct {
	Name string
	// Kind is one of internal, server, client, producer, consumer.
	Kind                 string
	Trace, ID, Parent    string
	Attributes, Resource map[string]any
	Links                []Link
	Failed               bool
	Took                 time.Duration
}

// Link names a span of another trace.
type Link struct{ Trace, Span string }

// Store is a collector.
type Store struct {
	*httptest.Server

	mu    sync.Mutex
	spans []Span
}

// New starts one. It ends with the test.
func New(t testing.TB) *Store {
	t.Helper()
	s := &Store{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.take(r); err != nil {
			t.Errorf("what arrived as traces: %v", err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf") // An empty answer is one that took all.
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *Store) take(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var message collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &message); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ofResource := range message.GetResourceSpans() {
		resource := values(ofResource.GetResource().GetAttributes())
		for _, ofScope := range ofResource.GetScopeSpans() {
			for _, span := range ofScope.GetSpans() {
				s.spans = append(s.spans, read(span, resource))
			}
		}
	}
	return nil
}

func read(span *traces.Span, resource map[string]any) Span {
	kinds := map[traces.Span_SpanKind]string{
		traces.Span_SPAN_KIND_INTERNAL: "internal", traces.Span_SPAN_KIND_SERVER: "server", traces.Span_SPAN_KIND_CLIENT: "client",
		traces.Span_SPAN_KIND_PRODUCER: "producer", traces.Span_SPAN_KIND_CONSUMER: "consumer",
	}
	out := Span{
		Name: span.GetName(), Kind: kinds[span.GetKind()], Trace: hex.EncodeToString(span.GetTraceId()), ID: hex.EncodeToString(span.GetSpanId()),
		Parent: hex.EncodeToString(span.GetParentSpanId()), Attributes: values(span.GetAttributes()), Resource: resource,
		Failed: span.GetStatus().GetCode() == traces.Status_STATUS_CODE_ERROR,
		Took:   time.Duration(span.GetEndTimeUnixNano() - span.GetStartTimeUnixNano()),
	}
	for _, link := range span.GetLinks() {
		out.Links = append(out.Links, Link{hex.EncodeToString(link.GetTraceId()), hex.EncodeToString(link.GetSpanId())})
	}
	return out
}

func values(attributes []*common.KeyValue) map[string]any {
	out := map[string]any{}
	for _, attribute := range attributes {
		switch value := attribute.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[attribute.GetKey()] = value.StringValue
		case *common.AnyValue_IntValue:
			out[attribute.GetKey()] = value.IntValue
		case *common.AnyValue_BoolValue:
			out[attribute.GetKey()] = value.BoolValue
		default:
			out[attribute.GetKey()] = attribute.GetValue().String()
		}
	}
	return out
}

// Spans gives all that has arrived.
func (s *Store) Spans() []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.spans)
}

// Await waits for a span, and gives it with its whole trace, which arrives at once.
func (s *Store) Await(t testing.TB, within time.Duration, is func(Span) bool) (found Span, whole []Span) {
	t.Helper()
	require.Eventually(t, func() bool {
		all := s.Spans()
		i := slices.IndexFunc(all, is)
		if i < 0 {
			return false
		}
		found = all[i]
		whole = slices.DeleteFunc(all, func(span Span) bool { return span.Trace != found.Trace })
		return true
	}, within, 20*time.Millisecond, "such a span never arrived")
	return found, whole
}
