package supervisor_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newLogger starts the logger with a pipe that fills up if it does not read.
func newLogger(t *testing.T, folder string, size, files int) *os.File {
	t.Helper()
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	logger := exec.CommandContext(context.Background(), "perl", "scripts/logger", folder, strconv.Itoa(size), strconv.Itoa(files))
	logger.Stdin = reader
	var problems bytes.Buffer
	logger.Stderr = &problems
	require.NoError(t, logger.Start())
	require.NoError(t, reader.Close())
	t.Cleanup(func() {
		_ = writer.Close() // Closed already if the test did.
		assert.NoError(t, logger.Wait())
		assert.Empty(t, problems.String())
	})
	return writer
}

func readLog(t *testing.T, folder string) (old []string, all string) {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(folder, "@*"))
	require.NoError(t, err)
	slices.Sort(old)
	for _, file := range append(slices.Clone(old), filepath.Join(folder, "current")) {
		text, err := os.ReadFile(file)
		if err == nil {
			all += string(text)
		}
	}
	return old, all
}

func TestLoggerKeepsSoManyFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	log := newLogger(t, folder, 10_000, 3)
	const lines = 100_000
	for i := range lines {
		_, err := fmt.Fprintf(log, "line %05d\n", i)
		require.NoError(t, err)
	}
	require.NoError(t, log.Close())
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		old, all := readLog(t, folder)
		assert.Len(c, old, 3)
		kept := strings.Split(strings.TrimSuffix(all, "\n"), "\n")
		for i, line := range kept { // The end, whole and in order.
			if expected := fmt.Sprintf("line %05d", lines-len(kept)+i); line != expected {
				c.Errorf("expected %q, found %q", expected, line)
				break
			}
		}
	}, 20*time.Second, 20*time.Millisecond)
	old, _ := readLog(t, folder)
	for _, file := range old {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.True(t, bytes.HasSuffix(text, []byte("\n")), "a line is never cut")
	}
}

func TestLoggerNeverLetsTheWriterWait(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount a small disk here (it takes root): %v", err)
	}
	defer func() { assert.NoError(t, syscall.Unmount(folder, syscall.MNT_DETACH)) }()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ballast"), make([]byte, 200_000), 0o600))
	log := newLogger(t, folder, 1_000_000, 3)
	require.NoError(t, log.SetWriteDeadline(time.Now().Add(20*time.Second)))
	line := strings.Repeat("x", 99) + "\n"
	for range 20_000 { // Many times what the pipe and the disk hold.
		_, err := log.WriteString(line)
		require.NoError(t, err, "the writer had to wait")
	}
	require.NoError(t, os.Remove(filepath.Join(folder, "ballast")))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := log.WriteString("space again\n")
		require.NoError(c, err)
		_, all := readLog(t, folder)
		assert.Regexp(c, `\n\[[1-9]\d{5,} bytes of this log are lost: there was no space left on the disk\]\n`, all)
		assert.Contains(c, all, "space again\n")
	}, 20*time.Second, 20*time.Millisecond)
}
