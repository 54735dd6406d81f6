package file_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/file"
)

func openDisk(t *testing.T) (*file.Disk, string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "files")
	disk, err := file.OpenDisk(folder)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, disk.Close()) })
	return disk, folder
}

func newKey(t *testing.T, bucket uint8) file.Key {
	t.Helper()
	return file.NewKey(bucket, uuid.Must(uuid.NewV7()))
}

// regularFiles is everything that a store left in its folder.
func regularFiles(t *testing.T, folder string) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			found = append(found, path)
		}
		return err
	}))
	return found
}

func read(t *testing.T, store file.Store, key file.Key) []byte {
	t.Helper()
	object, err := store.Open(t.Context(), key)
	require.NoError(t, err)
	defer func() { assert.NoError(t, object.Close()) }()
	content, err := io.ReadAll(object)
	require.NoError(t, err)
	assert.Equal(t, int64(len(content)), object.Info().Size)
	assert.Equal(t, key, object.Info().Key)
	return content
}

func TestDiskKeepsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	disk, folder := openDisk(t)
	key := newKey(t, 0x7f)
	content := make([]byte, 3<<20)
	_, err := rand.Read(content)
	require.NoError(t, err)

	size, err := disk.Put(t.Context(), key, bytes.NewReader(content))
	require.NoError(t, err)
	assert.Equal(t, int64(len(content)), size)
	assert.Equal(t, content, read(t, disk, key))

	_, err = disk.Put(t.Context(), key, strings.NewReader("second"))
	require.NoError(t, err, "an object is replaced")
	assert.Equal(t, "second", string(read(t, disk, key)))

	for _, path := range regularFiles(t, folder) {
		stat, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), stat.Mode().Perm(), "only the service reads %s", path)
	}

	require.NoError(t, disk.Delete(t.Context(), key))
	require.NoError(t, disk.Delete(t.Context(), key), "a removal may be repeated")
	_, err = disk.Open(t.Context(), key)
	require.ErrorIs(t, err, file.ErrNotFound)
	assert.Empty(t, regularFiles(t, folder))
}

func TestDiskKeepsNothingOfAFailedPut(t *testing.T) {
	t.Parallel()
	errCut := errors.New("connection reset by peer")
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(errCut)
	tests := map[string]struct {
		ctx    context.Context
		stream io.Reader
	}{
		"cut at the first byte": {t.Context(), iotest.ErrReader(errCut)},
		"cut in the middle":     {t.Context(), io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), iotest.ErrReader(errCut))},
		"cancelled":             {cancelled, strings.NewReader("never read")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk, folder := openDisk(t)
			kept, refused := newKey(t, 1), newKey(t, 1)
			_, err := disk.Put(t.Context(), kept, strings.NewReader("first"))
			require.NoError(t, err)

			_, err = disk.Put(test.ctx, refused, test.stream)
			require.ErrorIs(t, err, errCut)
			_, err = disk.Open(t.Context(), refused)
			require.ErrorIs(t, err, file.ErrNotFound)

			_, err = disk.Put(test.ctx, kept, test.stream)
			require.Error(t, err)
			assert.Equal(t, "first", string(read(t, disk, kept)), "the object that was there is untouched")
			assert.Len(t, regularFiles(t, folder), 1)
		})
	}
}

func TestReceiveRefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	for name, test := range map[string]struct {
		size    int
		refused bool
	}{
		"empty":          {0, false},
		"at the limit":   {limit, false},
		"one byte more":  {limit + 1, true},
		"far beyond":     {50 * limit, true},
		"within a sniff": {10, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk, folder := openDisk(t)
			content := strings.Repeat("x", test.size)
			upload, err := file.Receive(t.Context(), disk, newKey(t, 2), strings.NewReader(content), limit)
			if test.refused {
				require.ErrorIs(t, err, file.ErrTooLarge)
				require.ErrorContains(t, err, "100000 bytes")
				assert.Empty(t, regularFiles(t, folder), "nothing is left behind")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, int64(test.size), upload.Size)
			assert.Equal(t, sha256.Sum256([]byte(content)), upload.SHA256)
			assert.Equal(t, content, string(read(t, disk, upload.Key)))
		})
	}
}

func TestReceiveBelievesTheBytes(t *testing.T) {
	t.Parallel()
	for want, content := range map[string]string{
		"image/png":                 "\x89PNG\x0D\x0A\x1A\x0A rest",
		"image/jpeg":                "\xFF\xD8\xFF rest",
		"text/html; charset=utf-8":  "<!DOCTYPE html><script>alert(1)</script>",
		"image/svg+xml":             `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`,
		"application/pdf":           "%PDF-1.7 rest",
		"text/plain; charset=utf-8": "just words",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			disk, _ := openDisk(t)
			upload, err := file.Receive(t.Context(), disk, newKey(t, 3), strings.NewReader(content), 1<<20)
			require.NoError(t, err)
			assert.Equal(t, want, upload.ContentType)
		})
	}
}

func TestDiskListsOneBucket(t *testing.T) {
	t.Parallel()
	disk, folder := openDisk(t)
	want := map[file.Key]int64{}
	for i := range 40 {
		key := newKey(t, 9)
		want[key] = int64(i)
		_, err := disk.Put(t.Context(), key, strings.NewReader(strings.Repeat("x", i)))
		require.NoError(t, err)
		_, err = disk.Put(t.Context(), newKey(t, 10), strings.NewReader("of another bucket"))
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "objects", "09", "README"), nil, 0o600))

	got := map[file.Key]int64{}
	for info, err := range disk.List(t.Context(), 9) {
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), info.StoredAt, time.Minute)
		got[info.Key] = info.Size
	}
	assert.Equal(t, want, got)

	for _, err := range disk.List(t.Context(), 200) {
		t.Error("a bucket without objects lists something", err)
	}
	first := 0
	for _, err := range disk.List(t.Context(), 9) {
		require.NoError(t, err)
		first++
		break
	}
	assert.Equal(t, 1, first, "a walk can be left early")
}

func TestDiskRemovesOnlyStaleIncompleteObjects(t *testing.T) {
	t.Parallel()
	disk, folder := openDisk(t)
	stale := filepath.Join(folder, "incoming", "left-by-a-crash")
	require.NoError(t, os.WriteFile(stale, []byte("half"), 0o600))
	hourAgo := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(stale, hourAgo, hourAgo))

	reader, writer := io.Pipe()
	var wait sync.WaitGroup
	key := newKey(t, 4)
	wait.Go(func() {
		_, err := disk.Put(context.WithoutCancel(t.Context()), key, reader)
		assert.NoError(t, err)
	})
	_, err := writer.Write([]byte("still coming"))
	require.NoError(t, err)

	removed, err := disk.RemoveIncomplete(t.Context(), time.Now().Add(-time.Minute))
	require.NoError(t, err)
	assert.Equal(t, 1, removed)
	require.NoFileExists(t, stale)

	require.NoError(t, writer.Close())
	wait.Wait()
	assert.Equal(t, "still coming", string(read(t, disk, key)))
}

func TestReadersOfAReplacedObjectSeeOneVersion(t *testing.T) {
	t.Parallel()
	disk, _ := openDisk(t)
	key := newKey(t, 5)
	versions := [2]string{strings.Repeat("a", 100_000), strings.Repeat("b", 150_000)}
	_, err := disk.Put(t.Context(), key, strings.NewReader(versions[0]))
	require.NoError(t, err)

	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					assert.Contains(t, versions[:], string(read(t, disk, key)))
				}
			}
		})
	}
	writers.Go(func() {
		for i := range 30 {
			_, err := disk.Put(t.Context(), key, strings.NewReader(versions[i%2]))
			assert.NoError(t, err)
		}
	})
	writers.Wait()
	close(stop)
	readers.Wait()
}

func TestWrite(t *testing.T) {
	t.Parallel()
	disk, folder := openDisk(t)
	key := newKey(t, 6)

	size, err := file.Write(t.Context(), disk, key, func(w io.Writer) error {
		_, err := io.WriteString(w, "made as it goes")
		return err
	})
	require.NoError(t, err)
	assert.Equal(t, int64(15), size)
	assert.Equal(t, "made as it goes", string(read(t, disk, key)))
	require.NoError(t, disk.Delete(t.Context(), key))

	errHalf := errors.New("the source broke")
	_, err = file.Write(t.Context(), disk, key, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return errHalf
	})
	require.ErrorIs(t, err, errHalf)
	assert.Empty(t, regularFiles(t, folder))

	assert.PanicsWithValue(t, "bug", func() {
		_, _ = file.Write(t.Context(), disk, key, func(w io.Writer) error {
			_, _ = io.WriteString(w, "half")
			panic("bug")
		})
	})
	assert.Empty(t, regularFiles(t, folder), "a panic refuses the object and reaches the caller")

	cancelled, cancel := context.WithCancel(t.Context())
	_, err = file.Write(cancelled, disk, key, func(w io.Writer) error {
		cancel()
		for {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return err
			}
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, regularFiles(t, folder))
}
