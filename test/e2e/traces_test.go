package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/test/panelclient"
)

// tracePatience is how long a trace may take to be found: sent within a second or two, on a machine that other tests use.
const tracePatience = time.Minute

// traceDelay is how long one trace is looked for before another one is made.
const traceDelay = 10 * time.Second

// storedSpan is a span as the store of traces gives it.
type storedSpan struct {
	Trace      string `json:"traceID"`
	ID         string `json:"spanID"`
	Name       string `json:"operationName"`
	References []struct {
		Kind  string `json:"refType"`
		Trace string `json:"traceID"`
		Span  string `json:"spanID"`
	} `json:"references"`
	Tags []struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	} `json:"tags"`
}

// tag is the value of an attribute; nil if it has none of the name.
func (s storedSpan) tag(name string) any {
	for _, tag := range s.Tags {
		if tag.Key == name {
			return tag.Value
		}
	}
	return nil
}

// tracesWith asks the store at an address for those with a span that has the tags.
func tracesWith(t *testing.T, address string, tags map[string]string) [][]storedSpan {
	t.Helper()
	wanted, err := json.Marshal(tags)
	require.NoError(t, err)
	query := url.Values{"service": {"radpanel"}, "limit": {"20"}, "lookback": {"1h"}, "tags": {string(wanted)}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/api/traces?"+query.Encode(), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil // It was killed, and is not back yet.
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Logf("traces: %s %s", response.Status, body)
		return nil
	}
	var answer struct {
		Data []struct {
			Spans []storedSpan `json:"spans"`
		} `json:"data"`
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	var found [][]storedSpan
	for _, trace := range answer.Data {
		found = append(found, trace.Spans)
	}
	return found
}

// findTrace looks for the trace with a span that has the tags, and gives that span with the whole trace. Where more traces were
// worth a look at once than the service keeps, there is none.
func (s *stack) findTrace(t *testing.T, tags map[string]string) (span storedSpan, whole []storedSpan, found bool) {
	t.Helper()
	address := s.service("traces").Address
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(traceDelay); time.Now().Before(deadline); <-look.C {
		for _, spans := range tracesWith(t, address, tags) {
			i := slices.IndexFunc(spans, func(span storedSpan) bool {
				for name, value := range tags {
					if span.tag(name) != value {
						return false
					}
				}
				return true
			})
			if i >= 0 {
				return spans[i], spans, true
			}
		}
	}
	return storedSpan{}, nil, false
}

// A request's trace shows what it waited for, and leads on to the job that it asked for.
func TestARequestAndItsJobAreTraced(t *testing.T) {
	t.Parallel()
	s := newStack(t, "tier1")
	s.up()
	ada := s.user("ada@example.com")
	panel, err := ada.CreatePanel(t.Context(), "Customers")
	require.NoError(t, err)
	_, err = ada.CreateRecord(t.Context(), panel.ID, "Analytical Engines Ltd", map[string]any{"city": "London"})
	require.NoError(t, err)

	// Whoever is outside names a trace of their own, and one that is not to be kept.
	const outside = "0af7651916cd43dd8448eb211c80319c"
	systems := func(spans []storedSpan) map[any]int {
		count := map[any]int{}
		for _, span := range spans {
			count[span.tag("db.system.name")]++
		}
		return count
	}
	var job panelclient.Job
	var sent, ran storedSpan
	var request, work []storedSpan
	complete := false
	// A request that comes while the cache is not used asks the database alone, and one that comes with others that are worth a
	// look may not be kept.
	for deadline := time.Now().Add(cachePatience + tracePatience); !complete && time.Now().Before(deadline); {
		job = panelclient.Job{}
		require.NoError(t, ada.Do(t.Context(), http.MethodPost, "/panels/"+panel.ID+"/exports", nil, &job,
			panelclient.Header("Traceparent", "00-"+outside+"-b7ad6b7169203331-00")))
		require.NoError(t, ada.AwaitJob(t.Context(), job.ID))
		var hasRequest, hasWork bool
		sent, request, hasRequest = s.findTrace(t, map[string]string{"messaging.message.id": job.ID, "span.kind": "producer"})
		if hasRequest && systems(request)["redis"] > 0 {
			ran, work, hasWork = s.findTrace(t, map[string]string{"messaging.message.id": job.ID, "span.kind": "consumer"})
		}
		complete = hasWork
	}
	require.True(t, complete, "of no export both the request, with the cache, and the job were found; the last request: %+v", request)
	require.NotEqual(t, sent.Trace, ran.Trace)
	linked := func(span storedSpan, trace string) bool {
		return slices.ContainsFunc(span.References, func(r struct {
			Kind  string `json:"refType"`
			Trace string `json:"traceID"`
			Span  string `json:"spanID"`
		},
		) bool {
			return r.Kind == "FOLLOWS_FROM" && r.Trace == trace
		})
	}
	require.True(t, linked(ran, sent.Trace), "the job leads to the request: %+v", ran.References)

	server := slices.IndexFunc(request, func(span storedSpan) bool { return span.tag("span.kind") == "server" })
	require.GreaterOrEqual(t, server, 0)
	require.Equal(t, "POST /api/v1/panels/{panel_id}/exports", request[server].Name)
	require.NotEqual(t, outside, request[server].Trace, "a stranger does not choose the id")
	require.True(t, linked(request[server], outside), "but it can be found: %+v", request[server].References)
	require.Positive(t, systems(request)["postgresql"], "%+v", request)
	require.Positive(t, systems(request)["redis"], "%+v", request)
	require.Positive(t, systems(work)["postgresql"], "%+v", work)
	for _, span := range slices.Concat(request, work) {
		for _, tag := range span.Tags {
			text, _ := tag.Value.(string)
			require.NotContains(t, text, "Analytical", "what users enter is in no trace")
		}
	}

	// People find both by the id of the job, and the request's by its own.
	requestID, ok := request[server].tag("radpanel.request_id").(string)
	require.True(t, ok)
	for _, id := range []string{job.ID, requestID, sent.Trace} {
		out, err := s.Rad(t.Context(), "trace", s.Name, id)
		require.NoError(t, err)
		for _, line := range []string{`POST /api/v1/panels/{panel_id}/exports [202]`, `MGET [redis]`, `COMMIT [postgresql]`, ran.Name + " [succeeded]", "follows from trace " + sent.Trace} {
			require.Contains(t, out, line)
		}
	}
	out, err := s.Rad(t.Context(), "trace", s.Name)
	require.NoError(t, err)
	require.Contains(t, out, sent.Trace)
	_, err = s.Rad(t.Context(), "trace", s.Name, outside[:31]+"0")
	require.ErrorContains(t, err, "stack local-tier1 has no trace of")
}

// The panel never waits for whoever keeps its traces.
func TestNothingFailsWithoutTheStoreOfTraces(t *testing.T) {
	// Not beside other tests: what is shown is how the panel fares without a part, not without processors.
	s := newQuickStack(t, "tier1")
	s.up()
	watch := s.startWitness(s.user("reader@example.com"), 60)
	s.doesWithout("traces", watch, 60*time.Second)
	sent := func() float64 { return s.metric("panel", "radpanel_trace_spans_sent_total") }
	before := sent()
	require.Eventually(t, func() bool {
		// The trace of one with a job is kept. That there are too many jobs already is as good.
		_ = watch.client.Do(t.Context(), http.MethodPost, "/panels/"+watch.panel+"/exports", nil, nil)
		return sent() > before
	}, tracePatience, 500*time.Millisecond, "traces are sent again")
}
