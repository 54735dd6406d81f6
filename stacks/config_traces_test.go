package stacks_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

func TestLoadTraceEndpoint(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"tier1", "local-tier1", "local-tier2"} {
		for _, endpoint := range []string{
			"https://traces.example.com", "https://traces.example.com:4318/v1/traces", "http://127.0.0.1:4318", "http://[::1]:4318/v1/traces", "http://localhost:4318",
		} {
			stack, err := stacks.Load(name, map[string]string{"traceEndpoint": endpoint})
			require.NoError(t, err)
			assert.Equal(t, endpoint, stack.Settings.TraceEndpoint)
		}
	}
}

func TestLoadRefusesTraceEndpoint(t *testing.T) {
	t.Parallel()
	const allowed = ": allowed is an https URL, or an http one of the same machine, without user and query, such as " +
		"https://traces.example.com/v1/traces, from Tier 1 on"
	for value, problem := range map[string]string{
		"traces.example.com":                   "not such a URL",
		"https://":                             "not such a URL",
		"https://me:secret@traces.example.com": "not such a URL",
		"https://traces.example.com?key=x":     "not such a URL",
		"http://traces.example.com":            "not encrypted",
		"http://10.0.0.1:4318":                 "not encrypted",
		"grpc://traces.example.com":            "not encrypted",
	} {
		_, err := stacks.Load("local-tier1", map[string]string{"traceEndpoint": value})
		require.EqualError(t, err, `rad-panel:traceEndpoint: "`+value+`": `+problem+allowed)
	}
	_, err := stacks.Load("local-mvp", map[string]string{"traceEndpoint": "http://127.0.0.1:4318"})
	require.ErrorContains(t, err, "it has no effect on MVP, which the plan gives no traces: remove it")
}
