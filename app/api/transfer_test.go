package api_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/api"
	"github.com/radpanel/radpanel/app/job"
	"github.com/radpanel/radpanel/app/panel"
)

const (
	deadline = 20 * time.Second
	tick     = 5 * time.Millisecond
)

// work runs background jobs until the test ends.
func (s *service) work(t testing.TB) {
	t.Helper()
	metrics, err := job.NewMetrics(s.Metrics.Registry)
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	worker, err := job.NewWorker(job.Options{
		DB: s.DB, Handlers: panel.NewTransfers(s.DB, s.Files, log).Handlers(), Concurrency: 2, Log: log, Metrics: metrics,
		PollInterval: 10 * time.Millisecond,
	})
	require.NoError(t, err)
	worker.Start(t.Context())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		assert.NoError(t, worker.Stop(ctx))
	})
}

// stored is the number of objects and half objects in the file store.
func (s *service) stored(t testing.TB) (n int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(s.Config.FilesDirectory, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			n++
		}
		return err
	}))
	return n
}

func (c *client) upload(t testing.TB, panel api.Panel, name, content string) (made api.File) {
	t.Helper()
	c.do(t, "POST", path(panel, "files")+"?name="+url.QueryEscape(name), content, "Content-Type", "application/octet-stream").
		is(t, http.StatusCreated).decode(t, &made)
	return made
}

func (c *client) export(t testing.TB, panel api.Panel) (queued api.Job) {
	t.Helper()
	c.do(t, "POST", path(panel, "exports"), nil).is(t, http.StatusAccepted).decode(t, &queued)
	return queued
}

// finish waits until the job has ended.
func (c *client) finish(t testing.TB, queued api.Job) (ended api.Job) {
	t.Helper()
	require.Eventually(t, func() bool {
		c.do(t, "GET", "/jobs/"+queued.ID.String(), nil).is(t, http.StatusOK).decode(t, &ended)
		return ended.FinishedAt != nil
	}, deadline, tick)
	return ended
}

func TestAFileFromItsUploadToItsDeletion(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	panel := c.newPanel(t, "Files")
	content := "\x89PNG\r\n\x1a\n" + strings.Repeat("pixels ", 1000)
	answer := c.do(t, "POST", path(panel, "files")+"?name=..%2Fholiday.png", content, "Content-Type", "text/html").is(t, http.StatusCreated)
	var made api.File
	answer.decode(t, &made)
	sum := sha256.Sum256([]byte(content))
	assert.Equal(t, "holiday.png", made.Name)
	assert.Equal(t, "image/png", made.ContentType, "what the client said is not believed")
	assert.Equal(t, int64(len(content)), made.SizeBytes)
	assert.Equal(t, hex.EncodeToString(sum[:]), made.SHA256)
	assert.JSONEq(t, string(answer.Body), string(c.do(t, "GET", answer.Header.Get("Location"), nil).is(t, http.StatusOK).Body))

	whole := c.do(t, "GET", path(panel, "files", made.ID, "content")+"?disposition=inline", nil).is(t, http.StatusOK)
	assert.Equal(t, content, string(whole.Body))
	assert.Equal(t, `inline; filename=holiday.png`, whole.Header.Get("Content-Disposition"))
	assert.Equal(t, "image/png", whole.Header.Get("Content-Type"))
	assert.Equal(t, "nosniff", whole.Header.Get("X-Content-Type-Options"))
	assert.Equal(t, "default-src 'none'; sandbox", whole.Header.Get("Content-Security-Policy"))
	assert.Equal(t, "private, no-cache", whole.Header.Get("Cache-Control"))
	assert.Equal(t, `"`+made.SHA256+`"`, whole.Header.Get("ETag"))
	saved := c.do(t, "GET", path(panel, "files", made.ID, "content"), nil).is(t, http.StatusOK)
	assert.Equal(t, `attachment; filename=holiday.png`, saved.Header.Get("Content-Disposition"))

	var files page[api.File]
	c.do(t, "GET", path(panel, "files"), nil).is(t, http.StatusOK).decode(t, &files)
	assert.Equal(t, []api.File{made}, files.Items)
	c.do(t, "DELETE", path(panel, "files", made.ID), nil).is(t, http.StatusNoContent)
	c.do(t, "DELETE", path(panel, "files", made.ID), nil).is(t, http.StatusNotFound)
	c.do(t, "GET", path(panel, "files", made.ID, "content"), nil).is(t, http.StatusNotFound)
	keeper := job.NewHousekeeper(job.HousekeepingOptions{DB: s.DB, Store: s.Files, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, keeper.Tidy(t.Context()))
	assert.Zero(t, s.stored(t))
}

func TestRangesOfAFile(t *testing.T) {
	t.Parallel()
	c := newService(t).signUp(t)
	panel := c.newPanel(t, "Files")
	made := c.upload(t, panel, "digits.txt", "0123456789")
	content := path(panel, "files", made.ID, "content")
	for asked, want := range map[string]string{"bytes=2-4": "234", "bytes=7-": "789", "bytes=-2": "89", "bytes=0-0": "0", "bytes=5-100": "56789"} {
		part := c.do(t, "GET", content, nil, "Range", asked).is(t, http.StatusPartialContent)
		assert.Equal(t, want, string(part.Body), asked)
		assert.Contains(t, part.Header.Get("Content-Range"), "/10")
	}
	c.do(t, "GET", content, nil, "Range", "bytes=10-").is(t, http.StatusRequestedRangeNotSatisfiable)
	c.do(t, "GET", content, nil, "Range", "bytes=2-4", "If-Range", `"another"`).is(t, http.StatusOK)
	c.do(t, "GET", content, nil, "If-None-Match", `"`+made.SHA256+`"`).is(t, http.StatusNotModified)
	head := c.do(t, "HEAD", content, nil).is(t, http.StatusOK)
	assert.Equal(t, "10", head.Header.Get("Content-Length"))
	assert.Empty(t, head.Body)
}

func TestNoFileRunsInThePanel(t *testing.T) {
	t.Parallel()
	c := newService(t).signUp(t)
	panel := c.newPanel(t, "Files")
	html := "<!DOCTYPE html><script>alert(document.cookie)</script>"
	for given, want := range map[string]string{
		"evil.html":                            "evil.html",
		`"><img src=x onerror=alert(1)>.png`:   `"><img src=x onerror=alert(1)>.png`,
		"a\r\nSet-Cookie: rad_session=x\r\n":   "aSet-Cookie: rad_session=x",
		"../../../etc/cron.d/x":                "x",
		`..\..\windows\x.exe`:                  "x.exe",
		"naïve – 名前 \U0001F600.txt":            "naïve – 名前 \U0001F600.txt",
		`quote".txt; filename="other.exe`:      `quote".txt; filename="other.exe`,
		"invoice\u202Efdp.exe":                 "invoicefdp.exe",
		"100% real; name*=utf-8''x%0d%0a.html": "100% real; name*=utf-8''x%0d%0a.html",
	} {
		made := c.upload(t, panel, given, html)
		assert.Equal(t, want, made.Name)
		answer := c.do(t, "GET", path(panel, "files", made.ID, "content")+"?disposition=inline", nil).is(t, http.StatusOK)
		kind, params, err := mime.ParseMediaType(answer.Header.Get("Content-Disposition"))
		require.NoError(t, err)
		assert.Equal(t, "attachment", kind, "HTML is never shown inline")
		assert.Equal(t, map[string]string{"filename": want}, params)
		assert.Empty(t, answer.Header.Values("Set-Cookie"))
		assert.Equal(t, "default-src 'none'; sandbox", answer.Header.Get("Content-Security-Policy"))
	}
	svg := c.upload(t, panel, "drawing.svg", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)
	answer := c.do(t, "GET", path(panel, "files", svg.ID, "content")+"?disposition=inline", nil).is(t, http.StatusOK)
	assert.True(t, strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment;"))
}

func TestUploadsThatAreRefusedLeaveNothing(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	panel := c.newPanel(t, "Files")
	limit := int(s.Config.FileSizeLimit)
	announced := strings.NewReader(strings.Repeat("x", limit+1))
	c.do(t, "POST", path(panel, "files")+"?name=large", announced).is(t, http.StatusRequestEntityTooLarge)
	streamed := bufio.NewReader(strings.NewReader(strings.Repeat("x", 3*limit))) // Of a length that is not told.
	c.do(t, "POST", path(panel, "files")+"?name=large", streamed).is(t, http.StatusRequestEntityTooLarge)
	c.do(t, "POST", path(panel, "files")+"?name=", "x").is(t, http.StatusUnprocessableEntity)
	c.do(t, "POST", path(panel, "files"), "x").is(t, http.StatusUnprocessableEntity)
	c.do(t, "POST", "/panels/"+uuid.NewString()+"/files?name=x", "x").is(t, http.StatusNotFound)
	c.do(t, "POST", path(panel, "imports"), strings.Repeat("x", limit+1), "Content-Type", "text/csv").is(t, http.StatusRequestEntityTooLarge)
	c.do(t, "POST", path(panel, "imports"), `{}`).is(t, http.StatusUnsupportedMediaType)
	assert.Zero(t, s.stored(t))

	whole := c.do(t, "POST", path(panel, "files")+"?name=fits", strings.Repeat("x", limit)).is(t, http.StatusCreated)
	assert.Equal(t, 1, s.stored(t), "%s", whole.Body)
}

func TestAnUploadThatIsCutLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	panel := c.newPanel(t, "Files")
	address, err := url.Parse(s.URL)
	require.NoError(t, err)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address.Host)
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "POST /api/v1%s?name=cut HTTP/1.1\r\nHost: x\r\nCookie: rad_session=%s\r\nContent-Length: 500000\r\n\r\n%s",
		path(panel, "files"), c.Token(), strings.Repeat("x", 200_000))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.stored(t) == 1 }, deadline, tick, "the upload is on its way")
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return s.stored(t) == 0 }, deadline, tick)
	var files page[api.File]
	c.do(t, "GET", path(panel, "files"), nil).is(t, http.StatusOK).decode(t, &files)
	assert.Empty(t, files.Items)
	require.Eventually(t, func() bool { return strings.Contains(s.Log.String(), `"status":408`) }, deadline, tick,
		"the client's fault does not count as the service's")
}

func TestARepeatedUploadIsKeptOnce(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	panel := c.newPanel(t, "Files")
	target := path(panel, "files") + "?name=once.txt"
	var wait sync.WaitGroup
	var mu sync.Mutex
	made := map[string]int{}
	for range 8 {
		wait.Go(func() {
			for {
				answer := c.do(t, "POST", target, "content", "Idempotency-Key", "k")
				if answer.Status == http.StatusConflict {
					continue
				}
				mu.Lock()
				defer mu.Unlock()
				assert.Equal(t, http.StatusCreated, answer.Status)
				made[string(answer.Body)]++
				return
			}
		})
	}
	wait.Wait()
	assert.Len(t, made, 1)
	assert.Equal(t, 1, s.stored(t), "what was sent again is dropped")
	c.do(t, "POST", target, "other content", "Idempotency-Key", "k").is(t, http.StatusUnprocessableEntity)
	assert.Equal(t, 1, s.stored(t))
}

func TestExportAndImport(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.work(t)
	c := s.signUp(t)
	source := c.newPanel(t, "Plants – all", "height", "=note")
	for i := range 120 {
		c.newRecord(t, source, fmt.Sprintf("Plant %d", i), map[string]any{"height": i, "=note": "+1", "more": true})
	}
	answer := c.do(t, "POST", path(source, "exports"), nil, "Idempotency-Key", "e1").is(t, http.StatusAccepted)
	var queued, again api.Job
	answer.decode(t, &queued)
	assert.Equal(t, "panel-export", queued.Kind)
	assert.Equal(t, "/api/v1/jobs/"+queued.ID.String(), answer.Header.Get("Location"))
	c.do(t, "POST", path(source, "exports"), nil, "Idempotency-Key", "e1").is(t, http.StatusAccepted).decode(t, &again)
	assert.Equal(t, queued.ID, again.ID)

	ended := c.finish(t, queued)
	require.Equal(t, "succeeded", ended.State, ended.Error)
	assert.Equal(t, &api.JobResult{
		FileName: "Plants – all.csv", ContentType: "text/csv; charset=utf-8", SizeBytes: ended.Result.SizeBytes, Records: 120,
	}, ended.Result)
	result := c.do(t, "GET", "/jobs/"+queued.ID.String()+"/result", nil).is(t, http.StatusOK)
	assert.Equal(t, "text/csv; charset=utf-8", result.Header.Get("Content-Type"))
	_, params, err := mime.ParseMediaType(result.Header.Get("Content-Disposition"))
	require.NoError(t, err)
	assert.Equal(t, "Plants – all.csv", params["filename"])
	lines, err := csv.NewReader(bytes.NewReader(result.Body)).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, []string{"id", "title", "height", "'=note", "created_at", "updated_at"}, lines[0])
	require.Len(t, lines, 121)
	assert.Equal(t, []string{"Plant 0", "0", "'+1"}, lines[1][1:4])
	assert.NotContains(t, string(c.do(t, "GET", "/jobs/"+queued.ID.String(), nil).Body), "store_key")

	target := c.newPanel(t, "Copy")
	var load api.Job
	c.do(t, "POST", path(target, "imports"), result.Body, "Content-Type", "text/csv; charset=utf-8").is(t, http.StatusAccepted).decode(t, &load)
	loaded := c.finish(t, load)
	require.Equal(t, "succeeded", loaded.State, loaded.Error)
	assert.Equal(t, int64(120), loaded.Result.Records)
	assert.Equal(t, int64(120), loaded.ProgressTotal)
	records := walk[api.Record](t, c, path(target, "records")+"?limit=50")
	require.Len(t, records, 120)
	assert.JSONEq(t, `{"height":"0","=note":"+1"}`, string(records[0].Data))
	c.do(t, "GET", "/jobs/"+load.ID.String()+"/result", nil).is(t, http.StatusNotFound)

	c.do(t, "POST", path(target, "imports"), "title,a\nfine,1\n,2\n", "Content-Type", "text/csv").is(t, http.StatusAccepted).decode(t, &load)
	refused := c.finish(t, load)
	assert.Equal(t, "failed", refused.State)
	assert.Equal(t, "line 3: title: expected a text that is not empty", refused.Error)
	assert.Len(t, walk[api.Record](t, c, path(target, "records")+"?limit=200"), 120)
	assert.Len(t, walk[api.Job](t, c, "/jobs?limit=2"), 3)
}

func TestAccountExport(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.work(t)
	c := s.signUp(t)
	panel := c.newPanel(t, "Plants")
	c.upload(t, panel, "notes.txt", "notes")
	var queued api.Job
	c.do(t, "POST", "/account/exports", nil).is(t, http.StatusAccepted).decode(t, &queued)
	ended := c.finish(t, queued)
	require.Equal(t, "succeeded", ended.State, ended.Error)
	result := c.do(t, "GET", "/jobs/"+queued.ID.String()+"/result", nil).is(t, http.StatusOK)
	assert.Equal(t, "application/zip", result.Header.Get("Content-Type"))
	assert.True(t, strings.HasPrefix(result.Header.Get("Content-Disposition"), "attachment;"))
	archive, err := zip.NewReader(bytes.NewReader(result.Body), int64(len(result.Body)))
	require.NoError(t, err)
	var names []string
	for _, entry := range archive.File {
		names = append(names, entry.Name)
	}
	assert.ElementsMatch(t, []string{
		"account.json", "panels/001 Plants/panel.json", "panels/001 Plants/records.csv", "panels/001 Plants/records.json",
		"panels/001 Plants/files/notes.txt",
	}, names)
}

func TestAResultIsThereWhenItsJobHasSucceeded(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	queued := c.export(t, c.newPanel(t, "Plants"))
	assert.Equal(t, "queued", queued.State)
	c.do(t, "GET", "/jobs/"+queued.ID.String()+"/result", nil).is(t, http.StatusNotFound)
	c.do(t, "GET", "/jobs/"+uuid.NewString(), nil).is(t, http.StatusNotFound)
}

func TestTooManyJobsAreRefused(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.signUp(t)
	panel := c.newPanel(t, "Plants")
	for range 10 {
		c.export(t, panel)
	}
	refused := c.do(t, "POST", path(panel, "exports"), nil).is(t, http.StatusTooManyRequests)
	assert.Equal(t, "/problems/rate-limited", refused.problem(t).Type)
	assert.NotEmpty(t, refused.Header.Get("Retry-After"))
	c.do(t, "POST", path(panel, "imports"), "title\n", "Content-Type", "text/csv").is(t, http.StatusTooManyRequests)
	assert.Zero(t, s.stored(t), "the upload of a refused import is removed")
}

func TestAdministratorsSeeAndRetryJobs(t *testing.T) {
	t.Parallel()
	s := newService(t)
	admin, user := s.signUp(t), s.signUp(t)
	first := user.export(t, user.newPanel(t, "a"))
	second := admin.export(t, admin.newPanel(t, "b"))
	user.do(t, "GET", "/admin/jobs", nil).is(t, http.StatusForbidden)
	user.do(t, "POST", "/admin/jobs/"+first.ID.String()+"/retry", nil).is(t, http.StatusForbidden)

	all := walk[api.Job](t, admin, "/admin/jobs?limit=1")
	require.Len(t, all, 2)
	assert.Equal(t, second.ID, all[0].ID, "newest first")
	assert.Equal(t, user.UserID, all[1].UserID.String())
	assert.Empty(t, walk[api.Job](t, admin, "/admin/jobs?state=failed"))
	admin.do(t, "GET", "/admin/jobs?state=lost", nil).is(t, http.StatusUnprocessableEntity)

	admin.do(t, "POST", "/admin/jobs/"+first.ID.String()+"/retry", nil).is(t, http.StatusConflict)
	admin.do(t, "POST", "/admin/jobs/"+uuid.NewString()+"/retry", nil).is(t, http.StatusNotFound)
	_, err := s.DB.Exec(t.Context(), "UPDATE jobs SET state = 'failed', error = 'x', attempt = 5, finished_at = now() WHERE id = $1", first.ID)
	require.NoError(t, err)
	assert.Len(t, walk[api.Job](t, admin, "/admin/jobs?state=failed"), 1)
	var retried api.Job
	admin.do(t, "POST", "/admin/jobs/"+first.ID.String()+"/retry", nil).is(t, http.StatusOK).decode(t, &retried)
	assert.Equal(t, "queued", retried.State)
	s.work(t)
	assert.Equal(t, "succeeded", user.finish(t, first).State)
}
