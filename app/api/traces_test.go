package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/test/tracetest"
)

const tracePatience = 20 * time.Second

func TestATraceShowsWhatARequestWaitedFor(t *testing.T) {
	t.Parallel()
	store := tracetest.New(t)
	s := newService(t, func(c *config.Config) { c.TraceEndpoint = store.URL })
	user := s.signUp(t)
	refused := user.do(t, "POST", "/panels", map[string]any{"name": strings.Repeat("hunter2", 100)}).is(t, http.StatusUnprocessableEntity)
	user.do(t, "POST", "/panels", map[string]any{"name": "hunter2", "columns": []string{}}).is(t, http.StatusCreated)

	made, whole := store.Await(t, tracePatience, func(span tracetest.Span) bool {
		return span.Name == "POST /api/v1/panels" && span.Attributes["http.response.status_code"] == int64(http.StatusCreated)
	})
	statements := map[string]bool{}
	for _, span := range whole {
		if span.Kind == "client" {
			assert.Equal(t, "postgresql", span.Attributes["db.system.name"])
			statements[span.Name] = true
		}
		for _, value := range span.Attributes {
			assert.NotContains(t, fmt.Sprint(value), "hunter2", "what users enter is in no trace")
		}
	}
	for _, statement := range []string{"FindSession", "BEGIN", "CreatePanel", "COMMIT"} {
		assert.True(t, statements[statement], "%s is not among %v", statement, statements)
	}
	assert.Contains(t, s.Log.String(), `"trace_id":"`+made.Trace+`"`)

	// The id in a problem leads to the trace.
	id := strings.TrimPrefix(refused.problem(t).Instance, "urn:request:")
	require.NotEmpty(t, id)
	store.Await(t, tracePatience, func(span tracetest.Span) bool { return span.Attributes["radpanel.request_id"] == id })
}

// Whoever comes through the front door is outside; whoever asks the service itself is one of our own programs.
func TestTheFrontDoorIsWhereTracesBegin(t *testing.T) {
	t.Parallel()
	const inside, outside, span = "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	store := tracetest.New(t)
	s := newService(t, func(c *config.Config) { c.TraceEndpoint = store.URL })
	anybody := s.anonymous()
	anybody.do(t, "GET", "/panels", nil, "Traceparent", "00-"+inside+"-"+span+"-01").is(t, http.StatusUnauthorized)
	anybody.do(t, "GET", "/panels", nil, "Traceparent", "00-"+outside+"-"+span+"-01", "X-Forwarded-For", "203.0.113.7").is(t, http.StatusUnauthorized)
	anybody.do(t, "GET", "/livez", nil, "Traceparent", "00-"+inside+"-"+span+"-01")
	continued, _ := store.Await(t, tracePatience, func(span tracetest.Span) bool { return span.Trace == inside })
	assert.Equal(t, span, continued.Parent)
	begun, _ := store.Await(t, tracePatience, func(span tracetest.Span) bool { return len(span.Links) > 0 })
	assert.Equal(t, outside, begun.Links[0].Trace)
	assert.NotEqual(t, outside, begun.Trace)
}
