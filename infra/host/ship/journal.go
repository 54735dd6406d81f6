package ship

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// cursorFile keeps the cursor of the last entry that CloudWatch has taken. So an entry may go twice, after a crash, but
// none is left out, unless the journal forgets it before it could be sent.
const cursorFile = "cursor"

// journal carries the journal.
type journal struct {
	config Config
	client *cloudwatchlogs.Client
}

func newJournal(config Config) *journal { return &journal{config: config, client: config.logs()} }

func (j *journal) run(ctx context.Context) error {
	for {
		err := j.follow(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // Told to stop: what was not taken yet is read again.
		}
		j.config.Log.ErrorContext(ctx, "the journal is read again", "error", err, "in", j.config.Pace.Again)
		if !sleep(ctx, j.config.Pace.Again) {
			return nil
		}
	}
}

// follow reads the journal from where it was left, and sends it. While CloudWatch takes nothing, nothing is read: the
// journal itself, on the disk, is the buffer.
func (j *journal) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Without --merge, what is followed is of this boot alone: the last words of the boot before would be left out.
	arguments := append(j.config.Journal[1:len(j.config.Journal):len(j.config.Journal)],
		"--follow", "--no-tail", "--merge", "--all", "--output=json", "--output-fields="+fields())
	cursor, err := j.readCursor()
	if err != nil {
		return err
	}
	if cursor != "" {
		arguments = append(arguments, "--after-cursor="+cursor)
	}
	command := exec.CommandContext(ctx, j.config.Journal[0], arguments...) //nolint:gosec // The host's own command.
	command.WaitDelay = 5 * time.Second
	command.Stderr = &told{ctx, j.config.Log}
	out, err := command.StdoutPipe()
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	lines, ended := make(chan entry), make(chan error, 1)
	go func() {
		defer close(lines)
		ended <- j.read(ctx, bufio.NewReaderSize(out, 64<<10), lines)
	}()
	sendErr := j.gather(ctx, lines)
	cancel()
	for range lines { // The reader ends by the cancelled context.
	}
	readErr := <-ended
	return errors.Join(sendErr, readErr, command.Wait())
}

// told writes what journalctl has to say into the log: it goes on when it may not see all entries.
type told struct {
	ctx context.Context
	log *slog.Logger
}

func (t *told) Write(text []byte) (int, error) {
	t.log.WarnContext(t.ctx, "journalctl says", "text", strings.TrimSpace(string(text)))
	return len(text), nil
}

// read reads entries until the journal's reader ends. What is none is told and left out.
func (j *journal) read(ctx context.Context, lines *bufio.Reader, into chan<- entry) error {
	for {
		line, err := readLine(lines, lineLimit)
		var e entry
		switch {
		case errors.Is(err, errLineTooLong):
		case err != nil:
			return fmt.Errorf("read the journal: %w", err)
		default:
			e, err = readEntry(line)
		}
		if err != nil {
			j.config.Log.WarnContext(ctx, "an entry of the journal is left out", "error", err)
			continue
		}
		select {
		case into <- e:
		case <-ctx.Done():
			return nil
		}
	}
}

// gather puts entries together and sends them, when there are many or they have waited long enough.
func (j *journal) gather(ctx context.Context, entries <-chan entry) error {
	var b batch
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	send := func() error {
		if b.cursor == "" {
			return nil
		}
		if len(b.entries) > 0 {
			if err := j.send(ctx, b.entries); err != nil {
				return err
			}
		}
		cursor := b.cursor
		b = batch{}
		return j.writeCursor(cursor)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due.C:
			if err := send(); err != nil {
				return err
			}
		case e, open := <-entries:
			if !open {
				return send()
			}
			if !b.takes(e) {
				if err := send(); err != nil {
					return err
				}
			}
			if b.cursor == "" {
				due.Reset(j.config.Pace.Gather)
			}
			b.add(e)
		}
	}
}

// send sends entries until CloudWatch has taken them, or has said that it never will.
func (j *journal) send(ctx context.Context, entries []entry) error {
	for {
		answer, err := j.client.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{
			LogGroupName: aws.String(j.config.LogGroup), LogStreamName: aws.String(j.config.LogStream), LogEvents: events(entries),
		})
		var missing *types.ResourceNotFoundException
		var invalid *types.InvalidParameterException
		switch {
		case err == nil:
			j.tellRejected(ctx, answer.RejectedLogEventsInfo, len(entries))
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &missing):
			if err = j.makeStream(ctx); err == nil {
				continue
			}
		case errors.As(err, &invalid) && len(entries) > 1: // One of them is at fault, and must not hold up the others.
			half := len(entries) / 2
			return errors.Join(j.send(ctx, entries[:half]), j.send(ctx, entries[half:]))
		case errors.As(err, &invalid):
			j.config.Log.ErrorContext(ctx, "an event is left out: CloudWatch does not take it", "cursor", entries[0].cursor, "error", err)
			return nil
		}
		j.config.Log.ErrorContext(ctx, "CloudWatch does not take logs: they wait in the journal", "group", j.config.LogGroup, "error", err)
		if !sleep(ctx, j.config.Pace.Again) {
			return ctx.Err()
		}
	}
}

func (j *journal) makeStream(ctx context.Context) error {
	_, err := j.client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{
		LogGroupName: aws.String(j.config.LogGroup), LogStreamName: aws.String(j.config.LogStream),
	})
	var there *types.ResourceAlreadyExistsException
	if errors.As(err, &there) {
		return nil
	}
	return err
}

// tellRejected says how many of a call's events CloudWatch will never take: they are too old, or from the future.
func (j *journal) tellRejected(ctx context.Context, info *types.RejectedLogEventsInfo, sent int) {
	if info == nil {
		return
	}
	old := max(aws.ToInt32(info.TooOldLogEventEndIndex), aws.ToInt32(info.ExpiredLogEventEndIndex))
	early := 0
	if info.TooNewLogEventStartIndex != nil {
		early = sent - int(*info.TooNewLogEventStartIndex)
	}
	j.config.Log.WarnContext(ctx, "CloudWatch has left out some events: it takes those of the last 14 days, and of no more than two hours ahead",
		"too old", old, "ahead", early, "of", sent)
}

func (j *journal) cursorPath() string { return filepath.Join(j.config.Folder, cursorFile) }

func (j *journal) readCursor() (string, error) {
	raw, err := os.ReadFile(j.cursorPath())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("how far the journal has come: %w", err)
	}
	cursor := strings.TrimSpace(string(raw))
	if !cursorPattern.MatchString(cursor) {
		j.config.Log.Warn("it is not known how far the journal has come: it is sent from its beginning", "file", j.cursorPath(), "holds", cursor)
		return "", nil
	}
	return cursor, nil
}

// writeCursor keeps it whole or not at all.
func (j *journal) writeCursor(cursor string) error {
	aside, err := os.CreateTemp(j.config.Folder, ".cursor-")
	if err != nil {
		return fmt.Errorf("keep how far the journal has come: %w", err)
	}
	defer func() { _ = os.Remove(aside.Name()) }()
	_, err = aside.WriteString(cursor + "\n")
	if err = errors.Join(err, aside.Sync(), aside.Close()); err == nil {
		err = os.Rename(aside.Name(), j.cursorPath())
	}
	if err != nil {
		return fmt.Errorf("keep how far the journal has come: %w", err)
	}
	return nil
}
