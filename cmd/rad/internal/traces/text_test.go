package traces_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/traces"
)

const began = 1_795_788_000_000_000

func span(id, name, parent string, after, took int64, tags ...traces.Tag) traces.Span {
	s := traces.Span{Trace: "aa", ID: id, Name: name, StartedAt: began + after, Took: took, Tags: tags}
	if parent != "" {
		s.References = []traces.Reference{{Kind: "CHILD_OF", Trace: "aa", Span: parent}}
	}
	return s
}

func trace() traces.Trace {
	root := span("1", "process export", "", 0, 48_200, traces.Tag{Key: "radpanel.job.outcome", Value: "retried"}, traces.Tag{Key: "error.type", Value: "retried"})
	root.References = []traces.Reference{{Kind: "FOLLOWS_FROM", Trace: "bb", Span: "9"}}
	return traces.Trace{
		span("3", "COMMIT", "2", 1300, 100, traces.Tag{Key: "db.system.name", Value: "postgresql"}),
		span("4", "lost its parent", "77", 900, 1),
		root,
		span("2", "store a file on the disk", "1", 1000, 40_000),
	}
}

func TestATraceIsATree(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, traces.Tree(&out, trace()))
	assert.Equal(t, `trace aa, began 2026-11-27 14:00:00
follows from trace bb
  0.0 ms  48.2 ms  process export [retried] failed: retried
  1.0 ms  40.0 ms    store a file on the disk
  1.3 ms   0.1 ms      COMMIT [postgresql]
  0.9 ms   0.0 ms  lost its parent
`, out.String())
}

func TestTracesAreListed(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, traces.List(&out, []traces.Trace{trace()}))
	assert.Equal(t, `BEGAN                TOOK     SPANS  TRACE  WHAT
2026-11-27 14:00:00  48.2 ms  4      aa     process export [retried] failed: retried
`, out.String())
}
