package file_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/file/s3test"
)

func openS3(t *testing.T) (*file.S3, *s3test.Server) {
	t.Helper()
	server := s3test.Start(t)
	store, err := file.OpenS3(server.Config())
	require.NoError(t, err)
	return store, server
}

func TestS3KeepsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	store, server := openS3(t)
	for _, size := range []int{0, 1, 1 << 20, 11 << 20} { // The last in parts.
		content := make([]byte, size)
		_, _ = rand.Read(content)
		key := newKey(t, 0x7f)
		n, err := store.Put(t.Context(), key, bytes.NewReader(content))
		require.NoError(t, err)
		assert.EqualValues(t, size, n)
		assert.True(t, bytes.Equal(content, read(t, store, key)), "%d bytes", size)
	}
	key := newKey(t, 0x7f)
	for _, text := range []string{"first", "second"} {
		_, err := store.Put(t.Context(), key, strings.NewReader(text))
		require.NoError(t, err)
	}
	server.Kill()
	server.Restart()
	assert.Equal(t, "second", string(read(t, store, key)))

	object, err := store.Open(t.Context(), key)
	require.NoError(t, err)
	_, err = object.Seek(3, io.SeekStart)
	require.NoError(t, err)
	rest, err := io.ReadAll(object)
	require.NoError(t, err)
	assert.Equal(t, "ond", string(rest))
	require.NoError(t, object.Close())

	require.NoError(t, store.Delete(t.Context(), key))
	require.NoError(t, store.Delete(t.Context(), key), "that there is none is no error")
	_, err = store.Open(t.Context(), key)
	require.ErrorIs(t, err, file.ErrNotFound)
}

func TestS3KeepsNothingOfAFailedPut(t *testing.T) {
	t.Parallel()
	store, _ := openS3(t)
	broken := errors.New("cable pulled")
	for _, size := range []int64{100, 12 << 20} {
		key := newKey(t, 1)
		_, err := store.Put(t.Context(), key, io.MultiReader(io.LimitReader(zeroes{}, size), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken)
		_, err = store.Open(t.Context(), key)
		require.ErrorIs(t, err, file.ErrNotFound)
	}
	_, err := store.RemoveIncomplete(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestS3ListsOneBucket(t *testing.T) {
	t.Parallel()
	store, _ := openS3(t)
	want := map[file.Key]bool{}
	for n := range 30 {
		bucket := uint8(n % 2)
		key := newKey(t, bucket)
		_, err := store.Put(t.Context(), key, strings.NewReader("x"))
		require.NoError(t, err)
		if bucket == 1 {
			want[key] = true
		}
	}
	got := map[file.Key]bool{}
	for info, err := range store.List(t.Context(), 1) {
		require.NoError(t, err)
		assert.EqualValues(t, 1, info.Size)
		assert.WithinDuration(t, time.Now(), info.StoredAt, time.Minute)
		got[info.Key] = true
	}
	assert.Equal(t, want, got)
}

func TestABrowserTalksToS3BySignedAddressesOnly(t *testing.T) {
	t.Parallel()
	store, _ := openS3(t)
	key := newKey(t, 3)
	address, headers, err := store.SignUpload(t.Context(), key, 5, time.Minute)
	require.NoError(t, err)
	put := func(url, body string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(body))
		require.NoError(t, err)
		request.Header = headers.Clone()
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	assert.Equal(t, http.StatusForbidden, put(address, "too long"), "exactly so many bytes as were announced")
	assert.Equal(t, http.StatusForbidden, put(strings.Replace(address, key.ID().String(), uuid.NewString(), 1), "hello"))
	unsigned, _, _ := strings.Cut(address, "?")
	assert.Equal(t, http.StatusForbidden, put(unsigned, "hello"))
	assert.Equal(t, http.StatusOK, put(address, "hello"))
	assert.Equal(t, "hello", string(read(t, store, key)))

	wanted := http.Header{"Content-Type": {"text/plain"}, "Content-Disposition": {`attachment; filename="a.txt"`}, "Cache-Control": {"private, no-cache"}}
	address, err = store.SignDownload(t.Context(), key, time.Minute, wanted)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	request.Header.Set("Range", "bytes=1-3")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusPartialContent, response.StatusCode)
	assert.Equal(t, "ell", string(body))
	for name := range wanted {
		assert.Equal(t, wanted.Get(name), response.Header.Get(name))
	}
}

// While there is a peer, nobody is sent past the service: the address would be of no use when the panel goes back to a stack that
// has none.
func TestNothingIsSignedWhileThereIsAPeer(t *testing.T) {
	t.Parallel()
	store, _ := openS3(t)
	shared, key := &file.Shared{Store: store}, newKey(t, 3)
	signed := func() (addresses []string) {
		upload, _, err := shared.SignUpload(t.Context(), key, 5, time.Minute)
		require.NoError(t, err)
		download, err := shared.SignDownload(t.Context(), key, time.Minute, http.Header{})
		require.NoError(t, err)
		return []string{upload, download}
	}
	assert.NotContains(t, signed(), "")
	shared.Join(&file.Peer{URL: "http://127.0.0.1:1"})
	assert.Equal(t, []string{"", ""}, signed())
	shared.Join(nil)
	assert.NotContains(t, signed(), "")
}

// A front, such as a CDN, passes on under the server's own name what was signed for that.
func TestABrowserReachesS3ByAFront(t *testing.T) {
	t.Parallel()
	_, server := openS3(t)
	settings := server.Config()
	behind, err := url.Parse(settings.S3Endpoint)
	require.NoError(t, err)
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }})
	t.Cleanup(front.Close)
	settings.S3Front = front.URL
	store, err := file.OpenS3(settings)
	require.NoError(t, err)
	key := newKey(t, 3)
	send := func(method, address, body string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		got, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(got)
	}
	upload, _, err := store.SignUpload(t.Context(), key, 5, time.Minute)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(upload, front.URL+"/"), upload)
	status, _ := send(http.MethodPut, upload, "hello")
	assert.Equal(t, http.StatusOK, status)
	download, err := store.SignDownload(t.Context(), key, time.Minute, nil)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(download, front.URL+"/"), download)
	status, body := send(http.MethodGet, download, "")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "hello", body)
	status, _ = send(http.MethodGet, strings.Replace(download, "X-Amz-Signature=", "X-Amz-Signature=0", 1), "")
	assert.Equal(t, http.StatusForbidden, status)
}

// What a CDN on AWS tells objects from pages by.
func TestAnObjectAtAmazonIsAtItsKeyAlone(t *testing.T) {
	t.Parallel()
	key := newKey(t, 0x7f)
	for front, origin := range map[string]string{
		"": "https://files-1234567.s3.dualstack.eu-central-1.amazonaws.com", "https://panel.example.com": "https://panel.example.com",
	} {
		store, err := file.OpenS3(config.Config{
			S3Region: "eu-central-1", S3Bucket: "files-1234567", S3AccessKey: "access", S3SecretKey: "secret", S3Front: front,
		})
		require.NoError(t, err)
		address, err := store.SignDownload(t.Context(), key, time.Minute, nil)
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(address, origin+"/"+key.String()+"?X-Amz-"), address)
	}
}

func TestAnS3ThatDoesNotAnswerIsSaidToBeUnavailable(t *testing.T) {
	t.Parallel()
	store, server := openS3(t)
	key := newKey(t, 1)
	_, err := store.Put(t.Context(), key, strings.NewReader("kept"))
	require.NoError(t, err)
	server.Kill()
	_, err = store.Put(t.Context(), newKey(t, 1), strings.NewReader("x"))
	require.ErrorIs(t, err, file.ErrUnavailable)
	_, err = store.Open(t.Context(), key)
	require.ErrorIs(t, err, file.ErrUnavailable)
	require.ErrorIs(t, store.Delete(t.Context(), key), file.ErrUnavailable)
	server.Restart()
	server.Freeze()
	bounded, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = store.Open(bounded, key)
	require.ErrorIs(t, err, file.ErrUnavailable)
	server.Thaw()
	assert.Equal(t, "kept", string(read(t, store, key)))
}

// A move is broken off by a server that is killed, and run again; all the while everything can be read.
func TestObjectsMoveFromDiskToS3(t *testing.T) {
	t.Parallel()
	store, server := openS3(t)
	disk, folder := openDisk(t)
	moving := &file.Moving{New: store, Old: disk}
	contents := map[file.Key][]byte{}
	for n := range 40 {
		content := make([]byte, 1+n*10_000)
		_, _ = rand.Read(content)
		key := newKey(t, uint8(n))
		contents[key] = content
		_, err := disk.Put(t.Context(), key, bytes.NewReader(content))
		require.NoError(t, err)
	}
	moved := 0
	err := moving.Move(t.Context(), func(file.Info) {
		if moved++; moved == 10 {
			server.Kill()
		}
	})
	require.ErrorIs(t, err, file.ErrUnavailable)
	server.Restart()
	for key, content := range contents {
		assert.True(t, bytes.Equal(content, read(t, moving, key)), "while it is being moved")
	}
	require.NoError(t, moving.Move(t.Context(), func(file.Info) { moved++ }))
	assert.Empty(t, regularFiles(t, folder), "nothing is left on the disk")
	for key, content := range contents {
		assert.True(t, bytes.Equal(content, read(t, store, key)))
		upload, err := file.Examine(t.Context(), moving, key)
		require.NoError(t, err)
		assert.EqualValues(t, len(content), upload.Size)
	}
	require.NoError(t, moving.Move(t.Context(), func(file.Info) { assert.Fail(t, "there is nothing to move") }))
}
