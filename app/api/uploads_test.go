package api_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/api"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/file/s3test"
	"github.com/radpanel/radpanel/app/job"
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
	s := newUploadService(t, store)
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

// newUploadService is a service whose files go straight to an S3 server.
func newUploadService(t *testing.T, store *s3test.Server) *service {
	t.Helper()
	with := store.Config()
	return newService(t, func(c *config.Config) {
		c.FileStore, c.S3Endpoint, c.S3Region, c.S3Bucket = with.FileStore, with.S3Endpoint, with.S3Region, with.S3Bucket
		c.S3AccessKey, c.S3SecretKey = with.S3AccessKey, with.S3SecretKey
	})
}

// What fails for the moment takes no bytes away: the same completion is sent again, and others may have the same bytes.
func TestACompletionThatIsRefusedForTheMomentCanBeSentAgain(t *testing.T) {
	t.Parallel()
	s := newUploadService(t, s3test.Start(t))
	c := s.signUp(t)
	panel := c.newPanel(t, "Customers")
	target := c.beginUpload(t, panel, "notes.txt", 5)
	require.Equal(t, http.StatusOK, sendTo(t, target, "hello"))
	completion := map[string]any{"completion": target.Completion}

	conn := s.Database.Connect(t)
	_, err := conn.Exec(t.Context(), "UPDATE promotion.fence SET writable = false")
	require.NoError(t, err)
	c.do(t, "POST", path(panel, "uploads", "completions"), completion).is(t, http.StatusServiceUnavailable)
	_, err = conn.Exec(t.Context(), "UPDATE promotion.fence SET writable = true")
	require.NoError(t, err)

	var made api.File
	c.do(t, "POST", path(panel, "uploads", "completions"), completion).is(t, http.StatusCreated).decode(t, &made)
	assert.Equal(t, "hello", string(c.do(t, "GET", path(panel, "files", made.ID, "content"), nil).is(t, http.StatusOK).Body))
}

// A row would come back whose bytes are about to go.
func TestACompletionDoesNotBringADeletedFileBack(t *testing.T) {
	t.Parallel()
	s := newUploadService(t, s3test.Start(t))
	c := s.signUp(t)
	panel := c.newPanel(t, "Customers")
	target := c.beginUpload(t, panel, "notes.txt", 5)
	require.Equal(t, http.StatusOK, sendTo(t, target, "hello"))
	complete := func() answer {
		return c.do(t, "POST", path(panel, "uploads", "completions"), map[string]any{"completion": target.Completion})
	}
	var made api.File
	complete().is(t, http.StatusCreated).decode(t, &made)
	c.do(t, "DELETE", path(panel, "files", made.ID), nil).is(t, http.StatusNoContent)
	assert.Contains(t, complete().is(t, http.StatusConflict).problem(t).Detail, "deleted")

	keeper := job.NewHousekeeper(job.HousekeepingOptions{DB: s.DB, Store: s.Files, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, keeper.Tidy(t.Context()))
	assert.Contains(t, complete().is(t, http.StatusConflict).problem(t).Detail, "deleted")
	assert.Empty(t, walk[api.File](t, c, path(panel, "files")+"?limit=50"))
}

func TestAnUploadIsCompletedWithinAnHour(t *testing.T) {
	t.Parallel()
	s := newUploadService(t, s3test.Start(t))
	c := s.signUp(t)
	panel := c.newPanel(t, "Customers")
	first, second := c.beginUpload(t, panel, "a.txt", 5), c.beginUpload(t, panel, "b.txt", 5)
	for _, target := range []api.UploadTarget{first, second} {
		require.Equal(t, http.StatusOK, sendTo(t, target, "hello"))
	}
	complete := func(target api.UploadTarget) answer {
		return c.do(t, "POST", path(panel, "uploads", "completions"), map[string]any{"completion": target.Completion})
	}
	s.Clock.Advance(50 * time.Minute)
	complete(first).is(t, http.StatusCreated)
	s.Clock.Advance(11 * time.Minute)
	complete(first).is(t, http.StatusCreated) // It answers with the same file.
	assert.Contains(t, complete(second).is(t, http.StatusConflict).problem(t).Detail, "too long ago")
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
