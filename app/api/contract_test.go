package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// document is what the contract test reads of the OpenAPI document.
type document struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	OperationID string                     `json:"operationId"`
	Security    []map[string][]string      `json:"security"`
	Responses   map[string]json.RawMessage `json:"responses"`
	Parameters  []struct {
		Name string `json:"name"`
		In   string `json:"in"`
	} `json:"parameters"`
	RequestBody *struct {
		Content map[string]struct {
			Schema schema `json:"schema"`
		} `json:"content"`
	} `json:"requestBody"`

	method, path string
}

type schema struct {
	Ref        string            `json:"$ref"`
	Properties map[string]schema `json:"properties"`
}

func readDocument(t *testing.T, s *service) (document, []operation) {
	t.Helper()
	var d document
	s.anonymous().do(t, "GET", "/openapi.json", nil).is(t, http.StatusOK).decode(t, &d)
	var operations []operation
	for path, methods := range d.Paths {
		for method, op := range methods {
			op.method, op.path = strings.ToUpper(method), path
			operations = append(operations, op)
		}
	}
	slices.SortFunc(operations, func(a, b operation) int { return strings.Compare(a.OperationID, b.OperationID) })
	require.Greater(t, len(operations), 40)
	return d, operations
}

// hostileTexts go into paths, queries and headers.
var hostileTexts = []string{
	"", " ", "0", "-1", "1e9", "99999999999999999999", "null", "true", "\x00", "a\x00b", "\xff\xfe", "\xed\xa0\x80", "💥", "ﷺ\u202e",
	"'; DROP TABLE users; --", "%", "_", "%s%n%x", "../../../etc/passwd", "..", "/", "\\", "{}", "[]", "<script>", "\r\nX-Injected: 1",
	strings.Repeat("x", 300), strings.Repeat("💥", 600), strings.Repeat("9", 400), "00000000-0000-0000-0000-000000000000",
	"ffffffff-ffff-ffff-ffff-ffffffffffff", "{0190d5a0-0000-7000-8000-000000000000}",
}

// hostileAccepts go into the header Accept, which has a parser of its own.
var hostileAccepts = []string{"a;q,b", "application/json;,text/html", ";,", ",", "application/json;q", "*/*;q=x,;", "json", "application/json;q=0", "text/html"}

// hostileValues go into JSON bodies as they are.
var hostileValues = []string{
	`null`, `true`, `0`, `-1`, `0.5`, `1e400`, `-1e400`, `1e-400`, `99999999999999999999`, `""`, `" "`, `"x"`,
	`"\u0000"`, `"a\u0000b"`, "\"\xff\"", "\"\xed\xa0\x80\"", `"\ud800"`, `"\udc00\ud800"`, "\"\x01\"", `"💥"`,
	`"'; DROP TABLE users; --"`, `"%s%n%x"`, `"2024-02-30T25:00:00Z"`, `"00000000-0000-0000-0000-000000000000"`,
	`[]`, `[null]`, `[[]]`, `["\u0000"]`, `["x","x"]`, `{}`, `{"":""}`, `{"a\u0000":1}`, `{"a":{"b":[1,null,{"c":"\u0000"}]}}`, `{"a":1,"a":2}`,
	`{"n":1e400}`, `{"n":123456789012345678901234567890e9999}`, `{"s":"\ud800"}`,
	`"` + strings.Repeat("x", 5000) + `"`, `"` + strings.Repeat("💥", 20000) + `"`,
	strings.Repeat("[", 5000) + strings.Repeat("]", 5000), strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000),
	`[` + strings.Repeat(`"x",`, 5000) + `"x"]`, `{"k":"` + strings.Repeat("x", 70000) + `"}`, `{`, `"`, `[1,]`, ``,
}

// validBodies are what each operation with a JSON body accepts. An operation that is not here fails the test.
func validBodies(f fixture) map[string]map[string]string {
	quoted := func(s string) string { return fmt.Sprintf("%q", s) }
	return map[string]map[string]string{
		"sign-up":              {"email": quoted("new" + uuid.NewString() + "@example.com"), "password": quoted(password), "name": `"New"`},
		"sign-in":              {"email": quoted(f.client.Email), "password": quoted(password), "totp_code": `"000000"`, "recovery_code": `"A"`},
		"update-account":       {"name": `"Ada"`},
		"change-password":      {"current_password": quoted(password), "new_password": quoted(password)},
		"delete-account":       {"current_password": quoted(password)},
		"set-up-totp":          {"current_password": quoted(password)},
		"confirm-totp":         {"code": `"123456"`},
		"remove-totp":          {"current_password": quoted(password)},
		"renew-recovery-codes": {"current_password": quoted(password)},
		"report-page-load":     {"load_ms": `400`, "cold": `true`},
		"begin-upload":         {"name": `"a.txt"`, "size_bytes": `5`},
		"complete-upload":      {"completion": `"forged"`},
		"update-user":          {"role": `"user"`, "status": `"active"`},
		"create-panel":         {"name": `"Panel"`, "description": `"Text"`, "columns": `["a","b"]`},
		"update-panel":         {"name": `"Panel"`, "description": `"Text"`, "columns": `["a","b"]`},
		"create-record":        {"title": `"Record"`, "data": `{"a":1}`},
		"update-record":        {"title": `"Record"`, "data": `{"a":1}`},
		"delete-records":       {"ids": `["` + f.ids["record_id"] + `"]`},
	}
}

// otherBodies are what the operations with another body accept.
var otherBodies = map[string]string{"import-records": "title,a\nx,1\n", "upload-file": "some bytes"}

// validStatus is what a valid request gets where that is not 2xx in this test's world.
var validStatus = map[string]int{
	"confirm-totp":         http.StatusConflict, // Not set up.
	"remove-totp":          http.StatusConflict,
	"renew-recovery-codes": http.StatusConflict,
	"get-job-result":       http.StatusNotFound,            // No worker runs.
	"complete-upload":      http.StatusUnprocessableEntity, // The disk makes no tokens.
}

func TestNoInputGivesAServerError(t *testing.T) {
	t.Parallel()
	s := newService(t)
	d, operations := readDocument(t, s)
	admin, stranger := s.signUp(t), s.signUp(t)
	for _, op := range operations {
		t.Run(op.OperationID, func(t *testing.T) {
			t.Parallel()
			w := walker{service: s, operation: op, fixture: s.newFixture(t), admin: admin, stranger: stranger}
			w.body = w.validBody(t, d)
			w.valid(t)
			if op.OperationID == "delete-account" {
				w.body["current_password"] = `"not it"` // Or there would be nobody left to ask.
			}
			w.signedOut(t)
			w.othersIDs(t)
			w.hostilePaths(t)
			w.hostileQueries(t)
			w.hostileHeaders(t)
			w.hostileBodies(t, d)
		})
	}
}

// fixture is a user with one of everything that has an id.
type fixture struct {
	client *client
	ids    map[string]string
}

func (s *service) newFixture(t *testing.T) fixture {
	t.Helper()
	c := s.signUp(t)
	id := func(r answer) string {
		var made struct{ ID string }
		r.decode(t, &made)
		return made.ID
	}
	ids := map[string]string{"user_id": c.UserID}
	ids["panel_id"] = id(c.do(t, "POST", "/panels", map[string]any{"name": "x"}).is(t, http.StatusCreated))
	panel := "/panels/" + ids["panel_id"]
	ids["record_id"] = id(c.do(t, "POST", panel+"/records", map[string]any{"title": "x"}).is(t, http.StatusCreated))
	ids["file_id"] = id(c.do(t, "POST", panel+"/files?name=x", "bytes").is(t, http.StatusCreated))
	ids["job_id"] = id(c.do(t, "POST", panel+"/exports", nil).is(t, http.StatusAccepted))
	_, err := s.DB.Exec(t.Context(), "UPDATE jobs SET state = 'failed', finished_at = now(), error = 'x' WHERE id = $1", ids["job_id"])
	require.NoError(t, err)
	ids["session_id"] = c.sessionID(t)
	return fixture{c, ids}
}

func (c *client) sessionID(t *testing.T) string {
	t.Helper()
	var who struct{ Session struct{ ID string } }
	c.do(t, "GET", "/session", nil).is(t, http.StatusOK).decode(t, &who)
	return who.Session.ID
}

// walker sends one operation everything that it should and should not get.
type walker struct {
	*service

	operation operation
	fixture   fixture
	admin     *client
	stranger  *client
	body      map[string]string // JSON values by property; nil for operations without a JSON body.
}

func (w *walker) isAdmins() bool { return strings.HasPrefix(w.operation.path, "/api/v1/admin/") }

// asker is who may use the operation, with a session of its own: some operations end it.
func (w *walker) asker(t *testing.T) *client {
	t.Helper()
	if w.isAdmins() {
		return w.admin.fresh(t)
	}
	return w.fixture.client.fresh(t)
}

func (w *walker) hasBody() bool { return w.operation.RequestBody != nil }

func (w *walker) validBody(t *testing.T, d document) map[string]string {
	t.Helper()
	if !w.hasBody() || otherBodies[w.operation.OperationID] != "" {
		return nil
	}
	body, known := validBodies(w.fixture)[w.operation.OperationID]
	require.True(t, known, "tell validBodies what %s accepts", w.operation.OperationID)
	for name := range w.properties(d) {
		assert.Contains(t, body, name, "tell validBodies about the new property")
	}
	return body
}

func (w *walker) properties(d document) map[string]schema {
	found := w.operation.RequestBody.Content["application/json"].Schema
	if found.Ref != "" {
		found = d.Components.Schemas[strings.TrimPrefix(found.Ref, "#/components/schemas/")]
	}
	return found.Properties
}

func encodeBody(body map[string]string) string {
	pairs := make([]string, 0, len(body))
	for name, value := range body {
		pairs = append(pairs, fmt.Sprintf("%q:%s", name, value))
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

// url is the operation's with the fixture's ids, or others in their place, and what is required of the query.
func (w *walker) url(replace map[string]string) string {
	path := w.operation.path
	for name, id := range w.fixture.ids {
		if other, ok := replace[name]; ok {
			id = other
		}
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(id))
	}
	if w.operation.OperationID == "upload-file" {
		path += "?name=x"
	}
	return path
}

func (w *walker) payload() any {
	switch {
	case w.body != nil:
		return encodeBody(w.body)
	case w.hasBody():
		return otherBodies[w.operation.OperationID]
	default:
		return nil
	}
}

func (w *walker) contentType() string {
	if w.operation.RequestBody != nil {
		for name := range w.operation.RequestBody.Content {
			return name
		}
	}
	return "application/json"
}

// send sends the operation and asserts what holds for every answer.
func (w *walker) send(t *testing.T, c *client, path string, body any, headers ...string) answer {
	t.Helper()
	if body != nil && !slices.Contains(headers, "Content-Type") {
		headers = append(headers, "Content-Type", w.contentType())
	}
	if !slices.Contains(headers, "If-Match") {
		headers = append(headers, "If-Match", "*")
	}
	r := c.do(t, w.operation.method, path, body, headers...)
	what := fmt.Sprintf("%s %.200s %.200v %.200q: %d %s", w.operation.method, path, body, headers, r.Status, r.Body)
	assert.Less(t, r.Status, 500, what)
	if r.Status >= 400 {
		assert.Equal(t, "application/problem+json", r.Header.Get("Content-Type"), what)
		r.problem(t)
	} else if r.Status != http.StatusNotModified {
		assert.Contains(t, w.operation.Responses, fmt.Sprint(r.Status), "documented: "+what)
	}
	assert.Empty(t, r.Header.Get("X-Injected"), what)
	return r
}

// valid proves that the walk gets to the handler. It uses a world of its own: the operation may delete it.
func (w *walker) valid(t *testing.T) {
	t.Helper()
	own := *w
	own.fixture = w.newFixture(t)
	if w.body != nil {
		own.body = validBodies(own.fixture)[w.operation.OperationID]
	}
	r := own.send(t, own.asker(t), own.url(nil), own.payload())
	want := validStatus[w.operation.OperationID]
	if want == 0 {
		assert.Less(t, r.Status, 300, "a valid request must succeed: %d %s", r.Status, r.Body)
	} else {
		assert.Equal(t, want, r.Status, "%s", r.Body)
	}
}

func (w *walker) signedOut(t *testing.T) {
	t.Helper()
	if w.operation.Security == nil {
		return
	}
	assert.Equal(t, http.StatusUnauthorized, w.send(t, w.anonymous(), w.url(nil), w.payload()).Status)
	if w.isAdmins() {
		assert.Equal(t, http.StatusForbidden, w.send(t, w.fixture.client.fresh(t), w.url(nil), w.payload()).Status)
	}
}

// othersIDs: what is another user's does not exist, to read or to change.
func (w *walker) othersIDs(t *testing.T) {
	t.Helper()
	if !strings.Contains(w.operation.path, "{") || w.isAdmins() {
		return
	}
	r := w.send(t, w.stranger.fresh(t), w.url(nil), w.payload())
	assert.Equal(t, http.StatusNotFound, r.Status, "%s", r.Body)
	r = w.send(t, w.asker(t), w.url(map[string]string{
		"panel_id": uuid.NewString(), "record_id": uuid.NewString(), "file_id": uuid.NewString(),
		"job_id": uuid.NewString(), "session_id": uuid.NewString(),
	}), w.payload())
	assert.Equal(t, http.StatusNotFound, r.Status, "%s", r.Body)
}

func (w *walker) hostilePaths(t *testing.T) {
	t.Helper()
	for name := range w.fixture.ids {
		if !strings.Contains(w.operation.path, "{"+name+"}") {
			continue
		}
		for _, text := range hostileTexts {
			r := w.send(t, w.asker(t), w.url(map[string]string{name: text}), w.payload())
			assert.GreaterOrEqual(t, r.Status, 300, "no such id: %q", text)
		}
	}
}

func (w *walker) hostileQueries(t *testing.T) {
	t.Helper()
	names := []string{"unknown"}
	for _, parameter := range w.operation.Parameters {
		if parameter.In == "query" {
			names = append(names, parameter.Name)
		}
	}
	for _, name := range names {
		for _, text := range hostileTexts {
			if len(names) == 1 && len(text) > 10 {
				continue // Nothing reads it.
			}
			path, _, _ := strings.Cut(w.url(nil), "?")
			w.send(t, w.asker(t), path+"?"+name+"="+url.QueryEscape(text)+"&"+name+"=x", w.payload())
		}
	}
}

func (w *walker) hostileHeaders(t *testing.T) {
	t.Helper()
	for _, parameter := range w.operation.Parameters {
		if parameter.In != "header" {
			continue
		}
		for _, text := range hostileTexts {
			if strings.ContainsAny(text, "\x00\r\n") {
				continue // No client sends these; net/http refuses them on both sides.
			}
			w.send(t, w.asker(t), w.url(nil), w.payload(), parameter.Name, text)
		}
	}
	for _, text := range []string{"\xff\xfe", strings.Repeat("x", 8000), "bytes=999999999999-", "bytes=-1"} {
		w.send(t, w.asker(t), w.url(nil), w.payload(), "User-Agent", text, "Accept", text, "X-Forwarded-For", text, "X-Request-Id", text, "Range", text)
	}
	for _, text := range hostileAccepts {
		w.send(t, w.asker(t), w.url(nil), w.payload(), "Accept", text)
	}
}

func (w *walker) hostileBodies(t *testing.T, d document) {
	t.Helper()
	if !w.hasBody() {
		return
	}
	for _, value := range hostileValues {
		w.send(t, w.asker(t), w.url(nil), value)
	}
	w.send(t, w.asker(t), w.url(nil), nil)
	w.send(t, w.asker(t), w.url(nil), w.payload(), "Content-Type", "application/xml")
	w.send(t, w.asker(t), w.url(nil), w.payload(), "Content-Type", "\xff")
	w.send(t, w.asker(t), w.url(nil), w.payload(), "Content-Encoding", "gzip")
	if w.body == nil {
		return
	}
	for name := range w.properties(d) {
		missing := mapWithout(w.body, name)
		w.send(t, w.asker(t), w.url(nil), encodeBody(missing))
		for _, value := range hostileValues {
			missing[name] = value
			r := w.send(t, w.asker(t), w.url(nil), encodeBody(missing))
			if strings.Contains(value, `\u0000`) || strings.Contains(value, "\xff") {
				assert.Equal(t, http.StatusUnprocessableEntity, r.Status, "%s %q: %s", name, value, r.Body)
			}
		}
	}
	extra := mapWithout(w.body, "")
	extra["unknown_property"] = "1"
	assert.Equal(t, http.StatusUnprocessableEntity, w.send(t, w.asker(t), w.url(nil), encodeBody(extra)).Status)
}

func mapWithout(m map[string]string, name string) map[string]string {
	out := make(map[string]string, len(m))
	for key, value := range m {
		if key != name {
			out[key] = value
		}
	}
	return out
}
