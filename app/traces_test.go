package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/cache/cachetest"
	"github.com/radpanel/radpanel/test/tracetest"
)

func (p *process) metrics(t *testing.T) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/metrics", nil)
	require.NoError(t, err)
	response, err := p.client.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

// made sends a request that makes something, and gives its id.
func (p *process) made(t *testing.T, token, path string, body any) (id string) {
	t.Helper()
	encoded, err := json.Marshal(body)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+path, bytes.NewReader(encoded))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.AddCookie(&http.Cookie{Name: "rad_session", Value: token})
	response, err := p.client.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Less(t, response.StatusCode, 300)
	var answer struct{ ID string }
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return answer.ID
}

// What is asked for in one process's request, and done by its worker, is found from either end. What was kept last is sent
// before the process ends.
func TestARequestLeadsToItsJob(t *testing.T) {
	t.Parallel()
	store := tracetest.New(t)
	cfg := testConfig(t, server.NewDatabase(t))
	cfg.TraceEndpoint, cfg.TraceSlow, cfg.TracesPerSecond = store.URL, time.Minute, 100
	cfg.CacheURL = cachetest.Start(t, "64mb").URL()
	p := start(t, cfg)
	p.await(t, "ready")
	token := p.signUp(t)
	panel := p.made(t, token, "/api/v1/panels", map[string]any{"name": "Customers", "columns": []string{}})
	require.Eventually(t, func() bool { return strings.Contains(p.metrics(t), "radpanel_cache_trusted 1\n") }, patience, 5*time.Millisecond)
	asked := p.made(t, token, "/api/v1/panels/"+panel+"/exports", map[string]any{})
	p.await(t, "job succeeded")
	p.stop(t)

	ran, work := store.Await(t, patience, func(s tracetest.Span) bool {
		return s.Kind == "consumer" && s.Attributes["messaging.message.id"] == asked
	})
	sent, request := store.Await(t, patience, func(s tracetest.Span) bool {
		return s.Kind == "producer" && s.Attributes["messaging.message.id"] == asked
	})
	assert.Equal(t, []tracetest.Link{{Trace: sent.Trace, Span: sent.ID}}, ran.Links)
	assert.Empty(t, ran.Parent)
	assert.Equal(t, "succeeded", ran.Attributes["radpanel.job.outcome"])
	names := func(spans []tracetest.Span) (all []string) {
		for _, span := range spans {
			all = append(all, span.Kind+" "+span.Name)
		}
		return all
	}
	assert.Subset(t, names(request), []string{
		"server POST /api/v1/panels/{panel_id}/exports", "client MGET", "client CreateJob", "client BEGIN", "client COMMIT",
	})
	assert.Subset(t, names(work), []string{"client CompleteJob", "internal store a file on the disk"})
	assert.Contains(t, p.logText(), `"trace_id":"`+ran.Trace+`"`, "what is logged of the job leads to its trace")
	for _, span := range store.Spans() {
		assert.NotEqual(t, "ClaimJobs", span.Name, "looking for work is no part of anything")
	}
}

// A store of traces that takes connections and never answers costs no request anything, nor the end of the process.
func TestAStoreOfTracesThatHangsIsNobodysProblem(t *testing.T) {
	t.Parallel()
	hung, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, hung.Close()) }()
	cfg := testConfig(t, server.NewDatabase(t))
	cfg.TraceEndpoint, cfg.TraceRatio, cfg.TraceSlow, cfg.TracesPerSecond = "http://"+hung.Addr().String(), 1, time.Minute, 1000
	p := start(t, cfg)
	p.await(t, "ready")
	token := p.signUp(t)
	for range 500 {
		status, err := p.request(t.Context(), http.MethodGet, "/api/v1/session", token, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	p.await(t, "traces cannot be sent; they are dropped until they can")
	p.stop(t)
}
