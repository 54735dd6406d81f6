package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	// followInterval is how often a followed log is looked at for more.
	followInterval = 200 * time.Millisecond
	// tailChunk is how much of a log is read at once from its end.
	tailChunk = 64 << 10
)

// logFile is the log of one service: the file that its supervisor writes now.
type logFile struct {
	service string
	path    string
}

func (a *App) logsCommand() *cobra.Command {
	follow, lines := false, 0
	command := &cobra.Command{
		Use:     "logs <stack> [service]",
		Short:   "Show what the services of a stack said last",
		Example: "  rad logs mvp\n  rad logs mvp panel --follow",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(command *cobra.Command, arguments []string) error {
			return a.logs(command.Context(), arguments, lines, follow)
		},
	}
	command.Flags().BoolVarP(&follow, "follow", "f", false, "go on showing what they say")
	command.Flags().IntVarP(&lines, "lines", "n", 50, "how many lines of each service")
	return command
}

func (a *App) logs(ctx context.Context, arguments []string, lines int, follow bool) error {
	if lines < 0 {
		return &usageError{problem: fmt.Sprintf("--lines %d: expected 0 or more", lines)}
	}
	selected, status, err := a.existingStack(ctx, arguments[:1])
	if err != nil {
		return err
	}
	var files []logFile
	var names []string
	for _, service := range status.Services {
		names = append(names, service.Name)
		if len(arguments) < 2 || arguments[1] == service.Name {
			files = append(files, logFile{service: service.Name, path: filepath.Join(service.Log, "current")})
		}
	}
	if len(files) == 0 {
		return &usageError{problem: fmt.Sprintf("stack %s has no service %s: it has %s", selected.name, strings.Join(arguments[1:], ""), strings.Join(names, ", "))}
	}
	return showLogs(ctx, a.Stdout, files, lines, follow)
}

// showLogs writes the last lines of each file, led by the service's name if there are several, and then what comes.
func showLogs(ctx context.Context, out io.Writer, files []logFile, lines int, follow bool) error {
	width := 0
	for _, file := range files {
		width = max(width, len(file.service))
	}
	tails := make([]*tail, 0, len(files))
	defer func() {
		for _, t := range tails {
			t.close()
		}
	}()
	for _, file := range files {
		t := &tail{path: file.path}
		if len(files) > 1 {
			t.prefix = fmt.Sprintf("%-*s | ", width, file.service)
		}
		tails = append(tails, t)
		if err := t.last(out, lines); err != nil {
			return err
		}
	}
	if !follow {
		return nil
	}
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil // Following ends with Ctrl-C: that is no failure.
		case <-ticker.C:
			for _, t := range tails {
				if err := t.more(out); err != nil {
					return err
				}
			}
		}
	}
}

// tail reads a log that grows and is rotated: renamed, and begun anew under its name.
type tail struct {
	path   string
	prefix string
	file   *os.File
	// rest is the begin of a line whose end was not written yet.
	rest []byte
}

// last writes the last lines, and leaves the file open at its end.
func (t *tail) last(out io.Writer, lines int) error {
	if err := t.open(); err != nil || t.file == nil {
		return err
	}
	size, err := t.file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("read log %s: %w", t.path, err)
	}
	var content []byte
	for offset := size; offset > 0 && bytes.Count(content, []byte("\n")) <= lines; {
		chunk := make([]byte, min(tailChunk, offset))
		offset -= int64(len(chunk))
		if _, err := t.file.ReadAt(chunk, offset); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read log %s: %w", t.path, err)
		}
		content = append(chunk, content...)
	}
	complete, rest := cutLast(content)
	t.rest = rest
	all := bytes.SplitAfter(complete, []byte("\n"))
	all = all[:len(all)-1] // What follows the last newline: nothing.
	return t.write(out, slices.Concat(all[max(0, len(all)-lines):]...))
}

// more writes what came since.
func (t *tail) more(out io.Writer) error {
	if t.file == nil {
		if err := t.open(); err != nil || t.file == nil {
			return err
		}
	}
	if err := t.read(out); err != nil {
		return err
	}
	now, err := os.Stat(t.path)
	if err != nil {
		return nil //nolint:nilerr // Between two files of a rotation.
	}
	held, err := t.file.Stat()
	if err == nil && !os.SameFile(now, held) {
		t.close()
		t.rest = nil
		return t.more(out)
	}
	return nil
}

func (t *tail) read(out io.Writer) error {
	content, err := io.ReadAll(t.file)
	if err != nil {
		return fmt.Errorf("read log %s: %w", t.path, err)
	}
	complete, rest := cutLast(append(t.rest, content...))
	t.rest = rest
	return t.write(out, complete)
}

// write writes whole lines, each with the prefix.
func (t *tail) write(out io.Writer, content []byte) error {
	writer := bufio.NewWriter(out)
	for line := range bytes.Lines(content) {
		_, _ = writer.WriteString(t.prefix) // Flush gives the error of any write.
		_, _ = writer.Write(line)
	}
	return writer.Flush()
}

func (t *tail) open() error {
	file, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // The service said nothing yet.
	}
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	t.file = file
	return nil
}

func (t *tail) close() {
	if t.file != nil {
		_ = t.file.Close() // Only read from.
		t.file = nil
	}
}

// cutLast cuts content behind its last newline.
func cutLast(content []byte) (complete, rest []byte) {
	end := bytes.LastIndexByte(content, '\n') + 1
	return content[:end], bytes.Clone(content[end:])
}
