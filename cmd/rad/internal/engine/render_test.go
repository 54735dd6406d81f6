package engine

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
)

var update = flag.Bool("update", false, "write the golden files anew")

// recorded is one line of testdata/*.jsonl: an event of the real engine and when it came.
type recorded struct {
	AfterMS int                 `json:"after_ms"`
	Event   apitype.EngineEvent `json:"event"`
}

func readRecording(t *testing.T, name string) []recorded {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name+".jsonl"))
	require.NoError(t, err)
	var events []recorded
	scanner := bufio.NewScanner(bytes.NewReader(content))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var event recorded
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &event))
		events = append(events, event)
	}
	require.NotEmpty(t, events)
	return events
}

// clock is a time that a test sets.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// TestRecordedRunsAsPeopleAndProgramsSeeThem replays what the real engine said in runs of notes (see engine_test.go)
// through every renderer.
func TestRecordedRunsAsPeopleAndProgramsSeeThem(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"create", "same", "change", "failure", "preview"} {
		events := readRecording(t, name)
		for _, format := range []string{"terminal", "colour", "plain", "json"} {
			t.Run(name+"/"+format, func(t *testing.T) {
				t.Parallel()
				start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
				clock := &clock{now: start}
				var out bytes.Buffer
				renderer := newRenderer(format, &out, clock)
				renderer.Show(progress.Started{Command: commandOf(name), Stack: "local-mvp", Target: "local"})
				translator := newTranslator(renderer.Show, clock.Now, name == "preview", func(string) bool { return true })
				for _, event := range events {
					clock.now = start.Add(time.Duration(event.AfterMS) * time.Millisecond)
					translator.translate(event.Event)
				}
				progress.SortChanges(translator.changes)
				for _, change := range translator.changes {
					renderer.Show(change)
				}
				renderer.Show(summaryOf(name, translator, clock.now.Sub(start)))
				require.NoError(t, renderer.Close())
				checkGolden(t, name+"."+format+".golden", out.Bytes())
				assert.NotContains(t, out.String(), "correct-horse")
			})
		}
	}
}

func newRenderer(format string, out *bytes.Buffer, clock *clock) progress.Renderer {
	switch format {
	case "json":
		return progress.NewJSON(out, clock.Now)
	case "plain":
		return progress.NewPlain(out, progress.NewStyle(false), clock.Now)
	default:
		width := func() int { return 60 }
		return progress.NewTerminal(out, progress.NewStyle(format == "colour"), width, clock.Now, nil)
	}
}

func commandOf(recording string) string {
	if recording == "preview" {
		return "preview"
	}
	return "up"
}

func summaryOf(name string, translator *translator, elapsed time.Duration) progress.Summary {
	summary := progress.Summary{
		Command: commandOf(name), Stack: "local-mvp", Result: progress.Succeeded, Changes: translator.counts,
		Elapsed: progress.Duration(elapsed), Errors: translator.errors,
	}
	if len(translator.errors) > 0 {
		summary.Result, summary.ExitCode = progress.Failed, 1
	} else {
		summary.Outputs = translator.outputs
	}
	return summary
}

func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	assert.Equal(t, string(want), string(got))
}

// TestNoRecordingHoldsASecret guards the recordings themselves, which are in the repository.
func TestNoRecordingHoldsASecret(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.NotRegexp(t, `correct-horse|passphrase`, string(content), path)
	}
}
