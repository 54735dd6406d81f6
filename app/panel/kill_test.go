package panel

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/job"
)

// These variables make the test binary a worker that stops in the middle of its first job, says so, and waits to be
// killed (see TestKill9).
const (
	workerDatabase = "RADPANEL_TEST_WORKER_DATABASE_URL"
	workerFiles    = "RADPANEL_TEST_WORKER_FILES"
)

// half is how many bytes a stuckStore lets through.
const half = 50_000

// stuckStore gets stuck in the middle: of writing an object, or of reading one for the second time, which is when an
// import inserts.
type stuckStore struct {
	*file.Disk

	opened int
}

func (s *stuckStore) Put(ctx context.Context, key file.Key, r io.Reader) (int64, error) {
	return s.Disk.Put(ctx, key, &stuckReader{Reader: r, left: half})
}

func (s *stuckStore) Open(ctx context.Context, key file.Key) (file.Object, error) {
	object, err := s.Disk.Open(ctx, key)
	if s.opened++; s.opened < 2 || err != nil {
		return object, err
	}
	return stuckObject{object, &stuckReader{Reader: object, left: half}}, nil
}

type stuckObject struct {
	file.Object

	stuck *stuckReader
}

func (o stuckObject) Read(p []byte) (int, error) { return o.stuck.Read(p) }

type stuckReader struct {
	io.Reader

	left int
}

func (r *stuckReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.left -= n; r.left < 0 {
		fmt.Println("half done")
		select {}
	}
	return n, err
}

func workUntilKilled() int {
	db, err := database.Open(database.Options{URL: config.Secret(os.Getenv(workerDatabase)), Connections: 4, Wait: time.Second})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	disk, err := file.OpenDisk(os.Getenv(workerFiles))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	settings := options(db, &stuckStore{Disk: disk})
	settings.Lease = 5 * time.Second // What the test waits for its job to be taken up.
	worker, err := job.NewWorker(settings)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	worker.Start(context.Background())
	select {}
}

// killInTheMiddle lets another process begin the job that is queued, and kills it when it is half done.
func (f *fixture) killInTheMiddle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	process := exec.CommandContext(ctx, os.Args[0])
	process.Env = append(os.Environ(), workerDatabase+"="+f.database.URL.Reveal(), workerFiles+"="+f.folder)
	process.Stderr = os.Stderr
	output, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "half done\n", line)
	require.NoError(t, process.Process.Kill())
	_ = process.Wait() // Killed, as it should be.
}

func TestKill9(t *testing.T) {
	t.Parallel()
	const rows = 5_000
	var csv strings.Builder
	csv.WriteString("title,number\n")
	for i := range rows {
		fmt.Fprintf(&csv, "Row %d,%d\n", i, i)
	}
	for name, test := range map[string]struct {
		start func(t *testing.T, f *fixture, p dbgen.Panel) dbgen.Job
		check func(t *testing.T, f *fixture, p dbgen.Panel, result job.Result, content []byte)
	}{
		"in an export": {
			func(t *testing.T, f *fixture, p dbgen.Panel) dbgen.Job {
				f.fill(t, p, rows)
				return f.startExport(t, p)
			},
			func(t *testing.T, f *fixture, _ dbgen.Panel, _ job.Result, content []byte) {
				assert.Len(t, readAll(t, string(content)), rows+1)
				assert.Equal(t, 2, f.stored(t), "the result, and the half that the sweep removes")
				removed, err := f.store.RemoveIncomplete(t.Context(), time.Now().Add(time.Minute))
				require.NoError(t, err)
				assert.Equal(t, 1, removed)
			},
		},
		"in an export of an account": {
			func(t *testing.T, f *fixture, p dbgen.Panel) dbgen.Job {
				f.fill(t, p, rows)
				return f.startAccountExport(t)
			},
			func(t *testing.T, _ *fixture, _ dbgen.Panel, result job.Result, _ []byte) {
				assert.Equal(t, int64(rows), result.Records)
			},
		},
		"in an import": {
			func(t *testing.T, f *fixture, p dbgen.Panel) dbgen.Job {
				return f.startImport(t, p, strings.NewReader(csv.String()))
			},
			func(t *testing.T, f *fixture, p dbgen.Panel, result job.Result, _ []byte) {
				assert.Equal(t, int64(rows), result.Records)
				f.requireCount(t, p, rows)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			p := f.newPanel(t, "survivor")
			queued := test.start(t, f, p)
			f.killInTheMiddle(t)
			unfinished, err := f.db.GetJob(t.Context(), dbgen.GetJobParams{Bucket: queued.Bucket, ID: queued.ID, UserID: queued.UserID})
			require.NoError(t, err)
			require.Equal(t, job.StateRunning, unfinished.State)

			f.work(t)
			result, content := f.succeed(t, queued)
			assert.Equal(t, int32(2), f.finish(t, queued).Attempt)
			test.check(t, f, p, result, content)
		})
	}
}
