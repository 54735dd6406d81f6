package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/api"
)

// page is the answer of a list.
type page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
	Total      *int64 `json:"total"`
}

// walk reads a list to its end.
func walk[T any](t testing.TB, c *client, path string) (all []T) {
	t.Helper()
	cursor := ""
	for {
		var got page[T]
		c.do(t, "GET", path+"&cursor="+cursor, nil).is(t, http.StatusOK).decode(t, &got)
		all = append(all, got.Items...)
		if cursor = got.NextCursor; cursor == "" {
			return all
		}
	}
}

func (c *client) newPanel(t testing.TB, name string, columns ...string) (made api.Panel) {
	t.Helper()
	body := map[string]any{"name": name}
	if columns != nil {
		body["columns"] = columns
	}
	c.do(t, "POST", "/panels", body).is(t, http.StatusCreated).decode(t, &made)
	return made
}

func (c *client) newRecord(t testing.TB, panel api.Panel, title string, data any) (made api.Record) {
	t.Helper()
	c.do(t, "POST", path(panel, "records"), map[string]any{"title": title, "data": data}).is(t, http.StatusCreated).decode(t, &made)
	return made
}

// path leads to what belongs to a panel.
func path(panel api.Panel, parts ...any) string {
	path := "/panels/" + panel.ID.String()
	for _, part := range parts {
		path += fmt.Sprintf("/%v", part)
	}
	return path
}

func TestAPanelFromItsCreationToItsRestoration(t *testing.T) {
	t.Parallel()
	c := newService(t).signUp(t)
	answer := c.do(t, "POST", "/panels", map[string]any{"name": " Plants ", "description": "green", "columns": []string{"height"}}).is(t, http.StatusCreated)
	var made api.Panel
	answer.decode(t, &made)
	assert.Equal(t, "Plants", made.Name)
	assert.Equal(t, []string{"height"}, made.Columns)
	assert.Equal(t, "/api/v1/panels/"+made.ID.String(), answer.Header.Get("Location"))
	assert.Equal(t, `"1"`, answer.Header.Get("ETag"))
	assert.NotContains(t, string(answer.Body), "user_id")

	read := c.do(t, "GET", answer.Header.Get("Location"), nil).is(t, http.StatusOK)
	assert.JSONEq(t, string(answer.Body), string(read.Body))
	unchanged := c.do(t, "GET", path(made), nil, "If-None-Match", `"1"`).is(t, http.StatusNotModified)
	assert.Empty(t, unchanged.Body)
	assert.Equal(t, `"1"`, unchanged.Header.Get("ETag"))

	change := map[string]any{"name": "Ferns"}
	c.do(t, "PATCH", path(made), change).is(t, http.StatusPreconditionRequired)
	changed := c.do(t, "PATCH", path(made), change, "If-Match", `"1"`).is(t, http.StatusOK)
	assert.Equal(t, `"2"`, changed.Header.Get("ETag"))
	lost := c.do(t, "PATCH", path(made), change, "If-Match", `"1"`).is(t, http.StatusPreconditionFailed)
	assert.Equal(t, "/problems/stale-version", lost.problem(t).Type)
	var got api.Panel
	changed.decode(t, &got)
	assert.Equal(t, "green", got.Description)

	record := c.newRecord(t, made, "Fern", map[string]any{"height": 3})
	c.do(t, "DELETE", path(made), nil, "If-Match", `"1"`).is(t, http.StatusPreconditionFailed)
	c.do(t, "DELETE", path(made), nil).is(t, http.StatusNoContent)
	c.do(t, "GET", path(made), nil).is(t, http.StatusNotFound)
	c.do(t, "GET", path(made, "records"), nil).is(t, http.StatusNotFound)
	c.do(t, "GET", path(made, "records", record.ID), nil).is(t, http.StatusNotFound)
	assert.Empty(t, walk[api.Panel](t, c, "/panels?"))
	restored := c.do(t, "POST", path(made, "restoration"), nil).is(t, http.StatusOK)
	assert.Equal(t, `"4"`, restored.Header.Get("ETag"))
	c.do(t, "GET", path(made, "records", record.ID), nil).is(t, http.StatusOK)
}

func TestARecordFromItsCreationToItsDeletion(t *testing.T) {
	t.Parallel()
	c := newService(t).signUp(t)
	panel := c.newPanel(t, "Plants")
	answer := c.do(t, "POST", path(panel, "records"), `{"title":"Fern","data":{"big":12345678901234567890,"text":"<b>"}}`).is(t, http.StatusCreated)
	assert.Contains(t, string(answer.Body), `12345678901234567890`, "no digit is lost")
	var made api.Record
	answer.decode(t, &made)
	assert.Equal(t, "/api/v1"+path(panel, "records", made.ID), answer.Header.Get("Location"))
	assert.JSONEq(t, string(answer.Body), string(c.do(t, "GET", path(panel, "records", made.ID), nil).is(t, http.StatusOK).Body))

	changed := c.do(t, "PATCH", path(panel, "records", made.ID), `{"data":{"a":[1,{"b":null}]}}`, "If-Match", `"1"`).is(t, http.StatusOK)
	var got api.Record
	changed.decode(t, &got)
	assert.Equal(t, "Fern", got.Title)
	assert.JSONEq(t, `{"a":[1,{"b":null}]}`, string(got.Data))
	c.do(t, "PATCH", path(panel, "records", made.ID), `{"title":"x"}`).is(t, http.StatusPreconditionRequired)
	c.do(t, "PATCH", path(panel, "records", made.ID), `{"title":"x"}`, "If-Match", `"1"`).is(t, http.StatusPreconditionFailed)
	c.do(t, "PATCH", path(panel, "records", made.ID), `{"title":"x"}`, "If-Match", `*`).is(t, http.StatusOK)
	c.do(t, "GET", path(panel, "records", made.ID), nil, "If-None-Match", `"3"`).is(t, http.StatusNotModified)

	c.do(t, "DELETE", path(panel, "records", made.ID), nil, "If-Match", `"1"`).is(t, http.StatusPreconditionFailed)
	c.do(t, "DELETE", path(panel, "records", made.ID), nil, "If-Match", `"3"`).is(t, http.StatusNoContent)
	c.do(t, "DELETE", path(panel, "records", made.ID), nil).is(t, http.StatusNotFound)
}

func TestListsArePaged(t *testing.T) {
	t.Parallel()
	c := newService(t).signUp(t)
	panel := c.newPanel(t, "Letters")
	const n = 23
	for i := range n {
		c.newRecord(t, panel, fmt.Sprintf("%c letter", 'a'+(i*7)%26), nil)
	}
	for _, sort := range []string{"created", "-created", "title", "-title", "updated", "-updated"} {
		assert.Len(t, walk[api.Record](t, c, path(panel, "records")+"?limit=5&sort="+sort), n, sort)
	}
	var first page[api.Record]
	c.do(t, "GET", path(panel, "records")+"?limit=5&sort=title", nil).is(t, http.StatusOK).decode(t, &first)
	require.NotNil(t, first.Total)
	assert.Equal(t, int64(n), *first.Total)
	var found page[api.Record]
	c.do(t, "GET", path(panel, "records")+"?q=B%20LET", nil).is(t, http.StatusOK).decode(t, &found)
	assert.Len(t, found.Items, 1)
	assert.Nil(t, found.Total, "a search does not count")

	other := c.newPanel(t, "Other")
	for _, wrong := range []string{
		path(panel, "records") + "?sort=-title&cursor=" + first.NextCursor,
		path(panel, "records") + "?sort=title&q=a&cursor=" + first.NextCursor,
		path(other, "records") + "?sort=title&cursor=" + first.NextCursor,
		path(panel, "records") + "?cursor=AAAA",
		path(panel, "records") + "?sort=size",
		path(panel, "records") + "?limit=0",
		path(panel, "records") + "?limit=201",
		"/panels?sort=title",
		"/panels?q=" + strings.Repeat("x", 201),
	} {
		c.do(t, "GET", wrong, nil).is(t, http.StatusUnprocessableEntity)
	}
	for i := range 6 {
		c.newPanel(t, fmt.Sprintf("p%d", i))
	}
	for _, sort := range []string{"name", "-name", "created", "-created", "updated", "-updated"} {
		assert.Len(t, walk[api.Panel](t, c, "/panels?limit=3&sort="+sort), 8, sort)
	}
	assert.Len(t, walk[api.Panel](t, c, "/panels?limit=4&q=P"), 6)
}

func TestWhatIsWrongWithARequestIsNamed(t *testing.T) {
	t.Parallel()
	c := newService(t).signUp(t)
	panel := c.newPanel(t, "Plants")
	record := c.newRecord(t, panel, "Fern", nil)
	for _, test := range []struct {
		method, path, body, location string
	}{
		{"POST", "/panels", `{"name":""}`, "body.name"},
		{"POST", "/panels", `{"name":"  "}`, "body.name"},
		{"POST", "/panels", `{"name":"a\u0007b"}`, "body.name"},
		{"POST", "/panels", `{"name":"a","columns":["x","x"]}`, "body.columns[1]"},
		{"POST", "/panels", `{"name":"a","columns":"x"}`, "body.columns"},
		{"POST", "/panels", `{"name":"a","unknown":1}`, "body.unknown"},
		{"PATCH", path(panel), `{"name":"` + strings.Repeat("x", 201) + `"}`, "body.name"},
		{"POST", path(panel, "records"), `{"title":"\t"}`, "body.title"},
		{"POST", path(panel, "records"), `{"title":"a","data":[]}`, "body.data"},
		{"POST", path(panel, "records"), `{"title":"a","data":{"price":1e-400}}`, "body.data.price"},
		{"POST", path(panel, "records"), `{"title":"a","data":{"":1}}`, "body.data"},
		{"POST", path(panel, "records"), `{"title":"a","data":{"x":"` + strings.Repeat("y", 64<<10) + `"}}`, "body.data"},
		{"POST", path(panel, "records"), `{"title":"a","data":{"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}}`, "body.data.x"},
		{"PATCH", path(panel, "records", record.ID), `{"data":"text"}`, "body.data"},
		{"POST", path(panel, "records", "deletions"), `{"ids":[]}`, "body.ids"},
		{"POST", path(panel, "records", "deletions"), `{"ids":["x"]}`, "body.ids[0]"},
		{"GET", "/panels/not-an-id", ``, "path.panel_id"},
	} {
		answer := c.do(t, test.method, test.path, test.body, "If-Match", "*").is(t, http.StatusUnprocessableEntity)
		problem := answer.problem(t)
		require.NotEmpty(t, problem.Errors, "%s", answer.Body)
		assert.Equal(t, test.location, problem.Errors[0].Location, "%s", answer.Body)
	}
	both := c.do(t, "POST", path(panel, "records"), `{"title":" ","data":{"":1}}`).is(t, http.StatusUnprocessableEntity)
	assert.Len(t, both.problem(t).Errors, 2, "all mistakes at once")
}

func TestBulkDeletion(t *testing.T) {
	t.Parallel()
	c := newService(t).signUp(t)
	panel, other := c.newPanel(t, "Bulk"), c.newPanel(t, "Other")
	kept := c.newRecord(t, other, "kept", nil)
	ids := []uuid.UUID{kept.ID, uuid.New()}
	for range 5 {
		ids = append(ids, c.newRecord(t, panel, "r", nil).ID)
	}
	last := c.newRecord(t, panel, "last", nil)
	answer := c.do(t, "POST", path(panel, "records", "deletions"), map[string]any{"ids": ids}).is(t, http.StatusOK)
	assert.JSONEq(t, `{"deleted":5}`, string(answer.Body))
	c.do(t, "GET", path(other, "records", kept.ID), nil).is(t, http.StatusOK)
	var rest page[api.Record]
	c.do(t, "GET", path(panel, "records"), nil).is(t, http.StatusOK).decode(t, &rest)
	require.Len(t, rest.Items, 1)
	assert.Equal(t, last.ID, rest.Items[0].ID)
	assert.Equal(t, int64(1), *rest.Total)
}

func TestOfManyUpdatesOneIsNotLost(t *testing.T) {
	t.Parallel()
	c := newService(t).signUp(t)
	panel := c.newPanel(t, "contended")
	var wins, losses atomic.Int32
	var wait sync.WaitGroup
	for i := range 10 {
		wait.Go(func() {
			switch answer := c.do(t, "PATCH", path(panel), map[string]any{"name": fmt.Sprint(i)}, "If-Match", `"1"`); answer.Status {
			case http.StatusOK:
				wins.Add(1)
			case http.StatusPreconditionFailed:
				losses.Add(1)
			default:
				assert.Fail(t, "unexpected", "%d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	assert.Equal(t, int32(1), wins.Load())
	assert.Equal(t, int32(9), losses.Load())
}

func TestARepeatedCreateMakesOneThing(t *testing.T) {
	t.Parallel()
	c := newService(t).signUp(t)
	panel := c.newPanel(t, "idempotent")
	body := `{"title":"once","data":{"n":1.50}}`
	var wait sync.WaitGroup
	var mu sync.Mutex
	bodies, fresh := map[string]int{}, 0
	for range 20 {
		wait.Go(func() {
			for {
				answer := c.do(t, "POST", path(panel, "records"), body, "Idempotency-Key", "key-1")
				if answer.Status == http.StatusConflict { // The first one still runs.
					continue
				}
				mu.Lock()
				defer mu.Unlock()
				assert.Equal(t, http.StatusCreated, answer.Status)
				bodies[string(answer.Body)+answer.Header.Get("Location")+answer.Header.Get("ETag")]++
				if answer.Header.Get("Idempotent-Replayed") == "" {
					fresh++
				}
				return
			}
		})
	}
	wait.Wait()
	assert.Equal(t, 1, fresh)
	assert.Len(t, bodies, 1, "all got the same answer")
	assert.Len(t, walk[api.Record](t, c, path(panel, "records")+"?"), 1)

	c.do(t, "POST", path(panel, "records"), `{"title":"other"}`, "Idempotency-Key", "key-1").is(t, http.StatusUnprocessableEntity)
	other := c.newPanel(t, "other")
	c.do(t, "POST", path(other, "records"), body, "Idempotency-Key", "key-1").is(t, http.StatusUnprocessableEntity)
	first := c.do(t, "POST", "/panels", `{"name":"p"}`, "Idempotency-Key", "key-2").is(t, http.StatusCreated)
	again := c.do(t, "POST", "/panels", `{"name":"p"}`, "Idempotency-Key", "key-2").is(t, http.StatusCreated)
	assert.Equal(t, string(first.Body), string(again.Body))
	assert.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
}

func TestTwoUsersDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	s := newService(t)
	mine, stranger := s.signUp(t), s.signUp(t)
	panel := mine.newPanel(t, "mine")
	record := mine.newRecord(t, panel, "mine", nil)
	upload := mine.upload(t, panel, "mine.txt", "mine")
	exported := mine.export(t, panel)
	theirs := stranger.newPanel(t, "theirs")

	for _, request := range []struct{ method, path, body string }{
		{"GET", path(panel), ""},
		{"PATCH", path(panel), `{"name":"x"}`},
		{"DELETE", path(panel), ""},
		{"POST", path(panel, "restoration"), ""},
		{"GET", path(panel, "records"), ""},
		{"POST", path(panel, "records"), `{"title":"x"}`},
		{"POST", path(panel, "records", "deletions"), `{"ids":["` + record.ID.String() + `"]}`},
		{"GET", path(panel, "records", record.ID), ""},
		{"PATCH", path(panel, "records", record.ID), `{"title":"x"}`},
		{"DELETE", path(panel, "records", record.ID), ""},
		{"GET", path(theirs, "records", record.ID), ""},
		{"PATCH", path(theirs, "records", record.ID), `{"title":"x"}`},
		{"DELETE", path(theirs, "records", record.ID), ""},
		{"GET", path(panel, "files"), ""},
		{"POST", path(panel, "files") + "?name=x", "x"},
		{"GET", path(panel, "files", upload.ID), ""},
		{"GET", path(panel, "files", upload.ID, "content"), ""},
		{"DELETE", path(panel, "files", upload.ID), ""},
		{"GET", path(theirs, "files", upload.ID), ""},
		{"GET", path(theirs, "files", upload.ID, "content"), ""},
		{"DELETE", path(theirs, "files", upload.ID), ""},
		{"POST", path(panel, "exports"), ""},
		{"POST", path(panel, "imports"), "title\nx\n"},
		{"GET", "/jobs/" + exported.ID.String(), ""},
		{"GET", "/jobs/" + exported.ID.String() + "/result", ""},
	} {
		headers := []string{"If-Match", "*"}
		if strings.HasSuffix(request.path, "/imports") {
			headers = append(headers, "Content-Type", "text/csv")
		}
		answer := stranger.do(t, request.method, request.path, request.body, headers...)
		assert.Equal(t, http.StatusNotFound, answer.Status, "%s %s: %s", request.method, request.path, answer.Body)
		anonymous := s.anonymous().do(t, request.method, request.path, request.body, headers...)
		assert.Equal(t, http.StatusUnauthorized, anonymous.Status, "%s %s", request.method, request.path)
	}
	var jobs page[json.RawMessage]
	stranger.do(t, "GET", "/jobs", nil).is(t, http.StatusOK).decode(t, &jobs)
	assert.Empty(t, jobs.Items)
	mine.do(t, "GET", path(panel, "records", record.ID), nil).is(t, http.StatusOK)
	mine.do(t, "GET", path(panel, "files", upload.ID, "content"), nil).is(t, http.StatusOK)
}
