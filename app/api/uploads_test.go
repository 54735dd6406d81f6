package api_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/api"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/file/s3test"
)

func (c *client) beginUpload(t testing.TB, panel api.Panel, name string, size int) (target api.UploadTarget) {
	t.Helper()
	r := c.do(t, "POST", "/panels/"+panel.ID.String()+"/uploads", map[string]any{"name": name, "size_bytes": size})
	r.is(t, http.StatusOK)
	r.decode(t, &target)
	return target
}

// sendTo sends the bytes as the target says, without the session.
func sendTo(t testing.TB, target api.UploadTarget, content string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), target.Method, target.URL, strings.NewReader(content))
	require.NoError(t, err)
	for name, value := range target.Headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestFilesGoStraightToTheFileStoreAndBack(t *testing.T) {
	t.Parallel()
	store := s3test.Start(t)
	s := newService(t, func(c *config.Config) {
		with := store.Config()
		c.FileStore, c.S3Endpoint, c.S3Region, c.S3Bucket = with.FileStore, with.S3Endpoint, with.S3Region, with.S3Bucket
		c.S3AccessKey, c.S3SecretKey = with.S3AccessKey, with.S3SecretKey
	})
	ada, eve := s.signUp(t), s.signUp(t)
	panel := ada.newPanel(t, "Customers")
	completions := "/panels/" + panel.ID.String() + "/uploads/completions"

	target := ada.beginUpload(t, panel, "../notes.txt", 5)
	require.Equal(t, http.MethodPut, target.Method)
	ada.do(t, "POST", completions, map[string]any{"completion": target.Completion}).is(t, http.StatusConflict) // Not sent yet.
	require.Equal(t, http.StatusOK, sendTo(t, target, "hello"))
	eve.do(t, "POST", completions, map[string]any{"completion": target.Completion}).is(t, http.StatusNotFound)
	other := ada.newPanel(t, "Other")
	ada.do(t, "POST", "/panels/"+other.ID.String()+"/uploads/completions", map[string]any{"completion": target.Completion}).is(t, http.StatusUnprocessableEntity)

	// Several at once, as when the first answer got lost: one file, whose bytes stay.
	var completing sync.WaitGroup
	files := make([]api.File, 6)
	for i := range files {
		completing.Go(func() {
			r := ada.do(t, "POST", completions, map[string]any{"completion": target.Completion})
			if assert.Equal(t, http.StatusCreated, r.Status, "%s", r.Body) {
				r.decode(t, &files[i])
			}
		})
	}
	completing.Wait()
	for _, f := range files {
		assert.Equal(t, files[0], f)
	}
	assert.Equal(t, "notes.txt", files[0].Name)
	assert.EqualValues(t, 5, files[0].SizeBytes)
	assert.Contains(t, files[0].ContentType, "text/plain")
	assert.Equal(t, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", files[0].SHA256)

	content := "/panels/" + panel.ID.String() + "/files/" + files[0].ID.String() + "/content"
	eve.do(t, "GET", content, nil).is(t, http.StatusNotFound)
	r := ada.do(t, "GET", content, nil)
	r.is(t, http.StatusOK)
	assert.Equal(t, "hello", string(r.Body))
	assert.Equal(t, `attachment; filename=notes.txt`, r.Header.Get("Content-Disposition"))

	// Through the service, as programs do.
	uploaded := ada.upload(t, panel, "b.txt", "through the service")
	r = ada.do(t, "GET", "/panels/"+panel.ID.String()+"/files/"+uploaded.ID.String()+"/content", nil)
	assert.Equal(t, "through the service", string(r.Body))

	ada.do(t, "POST", "/panels/"+panel.ID.String()+"/uploads", map[string]any{"name": "x", "size_bytes": 2 << 20}).is(t, http.StatusRequestEntityTooLarge)
	short := ada.beginUpload(t, panel, "short", 10)
	assert.Equal(t, http.StatusForbidden, sendTo(t, short, "less"))

	store.Kill()
	r = ada.do(t, "GET", content, nil)
	r.is(t, http.StatusServiceUnavailable)
	assert.NotEmpty(t, r.Header.Get("Retry-After"))
	ada.do(t, "GET", "/panels/"+panel.ID.String()+"/files", nil).is(t, http.StatusOK)
}

// A panel on this machine is opened as localhost and as 127.0.0.1 alike, and a page may talk to the host alone that it is from.
func TestFilesGoToTheHostThatThePageIsFrom(t *testing.T) {
	t.Parallel()
	store := s3test.Start(t)
	settings := store.Config()
	var s *service
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { // As Nginx, it keeps the name.
		to := s.URL
		if strings.HasPrefix(r.In.URL.Path, "/"+settings.S3Bucket+"/") {
			to = settings.S3Endpoint
		}
		behind, err := url.Parse(to)
		assert.NoError(t, err)
		r.SetURL(behind)
		r.Out.Host = r.In.Host
	}})
	t.Cleanup(front.Close)
	_, port, err := net.SplitHostPort(front.Listener.Addr().String())
	require.NoError(t, err)
	s = newService(t, func(c *config.Config) {
		c.FileStore, c.S3Endpoint, c.S3Region, c.S3Bucket = settings.FileStore, settings.S3Endpoint, settings.S3Region, settings.S3Bucket
		c.S3AccessKey, c.S3SecretKey = settings.S3AccessKey, settings.S3SecretKey
		c.PublicURL, c.S3PublicEndpoint = "http://localhost:"+port, "http://localhost:"+port
	})
	ada := s.signUp(t)
	panel := ada.newPanel(t, "Customers")
	for _, name := range []string{"localhost", "127.0.0.1"} {
		host := net.JoinHostPort(name, port)
		ada.URL = "http://" + host
		target := ada.beginUpload(t, panel, "notes.txt", 5)
		require.True(t, strings.HasPrefix(target.URL, "http://"+host+"/"), "%s: %s", host, target.URL)
		require.Equal(t, http.StatusOK, sendTo(t, target, "hello"), host)
		var made api.File
		ada.do(t, "POST", "/panels/"+panel.ID.String()+"/uploads/completions", map[string]any{"completion": target.Completion}).
			is(t, http.StatusCreated).decode(t, &made)
		r := ada.do(t, "GET", "/panels/"+panel.ID.String()+"/files/"+made.ID.String()+"/content", nil).is(t, http.StatusOK)
		assert.Equal(t, "hello", string(r.Body), host)
	}
	ada.URL = s.URL // Of another port: nobody else is signed for than the public endpoint.
	assert.True(t, strings.HasPrefix(ada.beginUpload(t, panel, "notes.txt", 5).URL, "http://localhost:"+port+"/"))
}

func TestWithADiskAFileIsSentToTheService(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ada := s.signUp(t)
	panel := ada.newPanel(t, "Customers")
	target := ada.beginUpload(t, panel, "a b.txt", 5)
	assert.Equal(t, http.MethodPost, target.Method)
	assert.Empty(t, target.Completion)
	r := ada.do(t, target.Method, target.URL, "hello", "Content-Type", target.Headers["Content-Type"])
	r.is(t, http.StatusCreated)
	var made api.File
	r.decode(t, &made)
	assert.Equal(t, "a b.txt", made.Name)
}
