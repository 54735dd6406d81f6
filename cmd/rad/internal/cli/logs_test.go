package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheLastLinesOfALog(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", tailChunk)
	tests := []struct {
		name, content string
		lines         int
		want          string
	}{
		{"fewer than asked for", "one\ntwo\n", 5, "one\ntwo\n"},
		{"more than asked for", "one\ntwo\nthree\n", 2, "two\nthree\n"},
		{"none asked for", "one\ntwo\n", 0, ""},
		{"an unfinished line waits for its end", "one\ntwo\nthr", 2, "one\ntwo\n"},
		{"empty", "", 5, ""},
		{"lines longer than a chunk", long + "1\n" + long + "2\n" + long + "3\n", 2, long + "2\n" + long + "3\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "current")
			require.NoError(t, os.WriteFile(path, []byte(test.content), 0o600))
			var out bytes.Buffer
			require.NoError(t, showLogs(t.Context(), &out, []logFile{{"panel", path}}, test.lines, false))
			assert.Equal(t, test.want, out.String())
		})
	}
}

func TestSeveralLogsAreToldApart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a"), []byte("one\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "b"), []byte("two\n"), 0o600))
	var out bytes.Buffer
	files := []logFile{{"postgresql", filepath.Join(folder, "a")}, {"silent", filepath.Join(folder, "none")}, {"panel", filepath.Join(folder, "b")}}
	require.NoError(t, showLogs(t.Context(), &out, files, 5, false))
	assert.Equal(t, "postgresql | one\npanel      | two\n", out.String())
}

// screen is what a follower writes to, looked at while it writes.
type screen struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (s *screen) Write(content []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.Write(content)
}

func (s *screen) shows(text string) func() bool {
	return func() bool {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		return s.text.String() == text
	}
}

func TestFollowingGoesOnThroughARotation(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "current")
	appendTo := func(path, text string) {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		_, err = file.WriteString(text)
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := &screen{}
	ended := make(chan error, 1)
	go func() { ended <- showLogs(ctx, out, []logFile{{"panel", path}}, 5, true) }()

	appendTo(path, "first\nunfini") // The log appears after the follower.
	require.Eventually(t, out.shows("first\n"), 10*time.Second, 10*time.Millisecond)
	appendTo(path, "shed\n")
	require.Eventually(t, out.shows("first\nunfinished\n"), 10*time.Second, 10*time.Millisecond)
	appendTo(path, "last of the old\n")
	require.NoError(t, os.Rename(path, filepath.Join(folder, "@old")))
	appendTo(path, "first of the new\n")
	require.Eventually(t, out.shows("first\nunfinished\nlast of the old\nfirst of the new\n"), 10*time.Second, 10*time.Millisecond)

	cancel()
	require.NoError(t, <-ended)
}
