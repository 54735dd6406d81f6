package progress_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
)

// clock is a time that a test sets.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func TestRiskToDataComesFirst(t *testing.T) {
	t.Parallel()
	changes := []progress.Change{
		{Resource: "new", Operation: progress.Create},
		{Resource: "b", Operation: progress.Update},
		{Resource: "a", Operation: progress.Update},
		{Resource: "old", Operation: progress.Delete},
		{Resource: "swapped", Operation: progress.Replace},
		{Resource: "database", Operation: progress.Replace, Risk: progress.RiskData},
		{Resource: "files", Operation: progress.Delete, Risk: progress.RiskData},
	}
	progress.SortChanges(changes)
	var names []string
	for _, change := range changes {
		names = append(names, change.Resource)
	}
	assert.Equal(t, []string{"files", "database", "old", "swapped", "a", "b", "new"}, names)
}

func TestPropertiesAsPeopleSeeThem(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("y", 100)
	tests := []struct {
		name     string
		property progress.Property
		want     []string
	}{
		{"update", progress.Property{Path: "port", Kind: "update", Old: "80", New: "81"}, []string{"port: 80 -> 81"}},
		{"add", progress.Property{Path: "port", Kind: "add", New: "81"}, []string{"port: 81"}},
		{"delete", progress.Property{Path: "port", Kind: "delete", Old: "80"}, []string{"port: 80 -> (none)"}},
		{"why a replacement", progress.Property{Path: "port", Kind: "update", Replaces: true, Old: "80", New: "81"}, []string{"port (forces the replacement): 80 -> 81"}},
		{"a long value", progress.Property{Path: "key", Kind: "add", New: long}, []string{"key: " + long[:59] + "…"}},
		{
			"a text",
			progress.Property{Path: "conf", Kind: "update", Old: "a\nb\nc\nd\n", New: "a\nB\nB2\nc\nd\n"},
			[]string{"conf:", "  - b", "  + B", "  + B2"},
		},
		{
			"a text that grew a lot",
			progress.Property{Path: "conf", Kind: "update", Old: "a\n", New: "a\n" + strings.Repeat("n\n", 12)},
			append(append([]string{"conf:"}, slices.Repeat([]string{"  + n"}, 8)...), "  + … 4 more lines"),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			clock := newClock()
			renderer := progress.NewPlain(&out, progress.NewStyle(false), clock.Now)
			renderer.Show(progress.Change{Resource: "nginx", Operation: progress.Update, Properties: []progress.Property{test.property}})
			require.NoError(t, renderer.Close())
			want := "   0.0s  ~ nginx                  update\n"
			for _, line := range test.want {
				want += "   0.0s      " + line + "\n"
			}
			assert.Equal(t, want, out.String())
		})
	}
}

func TestALongActivityIsToldInALogNowAndThen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	clock := newClock()
	renderer := progress.NewPlain(&out, progress.NewStyle(false), clock.Now)
	for second := range 31 {
		renderer.Show(progress.Activity{Text: "compiling", Elapsed: progress.Duration(time.Duration(second) * time.Second)})
		clock.now = clock.now.Add(time.Second)
	}
	renderer.Show(progress.Activity{Text: "built", Lasting: true})
	assert.Equal(t, "   0.0s  compiling\n  15.0s  compiling (15.0s)\n  30.0s  compiling (30.0s)\n  31.0s  built\n", out.String())
}

func TestTheLivePartNeverWrapsNorLeavesTheScreen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	clock := newClock()
	renderer := progress.NewTerminal(&out, progress.NewStyle(false), func() int { return 40 }, clock.Now, nil)
	for i := range 40 {
		renderer.Show(progress.Step{Resource: fmt.Sprintf("service%d", i), Operation: progress.Create, Status: progress.StatusStarted})
	}
	renderer.Show(progress.Message{Severity: progress.Note, Resource: "service0", Text: strings.Repeat("waiting\n", 20)})
	out.Reset()
	clock.now = clock.now.Add(time.Second)
	renderer.Show(progress.Message{Severity: progress.Note, Resource: "service1", Text: "short"})
	frame := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	assert.Len(t, frame, 13)
	assert.Contains(t, frame[len(frame)-1], "and 28 more")
	for _, line := range frame[1:] {
		assert.LessOrEqual(t, len([]rune(line)), 39, line)
	}
	require.NoError(t, renderer.Close())
	assert.True(t, strings.HasSuffix(out.String(), "\r\x1b[13A\x1b[J"), "closing clears the live part")
}

func TestTheTerminalMovesWithItsTicks(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ticks := make(chan time.Time)
	frames := make(chanWriter, 10)
	renderer := progress.NewTerminal(frames, progress.NewStyle(false), func() int { return 80 }, clock.Now, ticks)
	renderer.Show(progress.Step{Resource: "panel", Operation: progress.Create, Status: progress.StatusStarted})
	assert.Equal(t, ". panel                  creating 0.0s\n", <-frames)
	ticks <- time.Time{}
	assert.Equal(t, "\r\x1b[1A\x1b[Jo panel                  creating 0.0s\n", <-frames)
	require.NoError(t, renderer.Close())
}

type chanWriter chan string

func (c chanWriter) Write(content []byte) (int, error) {
	c <- string(content)
	return len(content), nil
}

func TestDurationsInJSONAreSeconds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0", 1234567 * time.Microsecond: "1.235", time.Minute: "60"} {
		content, err := json.Marshal(progress.Duration(d))
		require.NoError(t, err)
		assert.Equal(t, want, string(content))
	}
	assert.Equal(t, "99.9s", progress.Duration(99900*time.Millisecond).String())
	assert.Equal(t, "2m3s", progress.Duration(123*time.Second).String())
}

func TestEveryEventIsOneLineOfJSONWithItsTypeAndTime(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	renderer := progress.NewJSON(&out, newClock().Now)
	for _, event := range progress.Events() {
		renderer.Show(event)
	}
	renderer.Show(progress.Message{Text: "two\nlines"})
	require.NoError(t, renderer.Close())
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	require.Len(t, lines, len(progress.Events())+1)
	for i, event := range progress.Events() {
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(lines[i]), &line), lines[i])
		assert.Equal(t, event.Kind(), line["type"])
		assert.Equal(t, "2026-01-02T03:04:05Z", line["time"])
	}
}

// broken is a pipe whose reader left.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestAReaderThatLeftIsToldOfAtTheEnd(t *testing.T) {
	t.Parallel()
	clock := newClock()
	for name, renderer := range map[string]progress.Renderer{
		"plain":    progress.NewPlain(broken{}, progress.NewStyle(false), clock.Now),
		"json":     progress.NewJSON(broken{}, clock.Now),
		"terminal": progress.NewTerminal(broken{}, progress.NewStyle(false), func() int { return 80 }, clock.Now, nil),
	} {
		renderer.Show(progress.Started{Command: "up"})
		require.ErrorContains(t, renderer.Close(), "broken pipe", name)
	}
}
