package database_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// fill makes tables so large that the planner has the choice. The first user has ten panels, of which the first has a
// thousand records; most sessions, jobs and keys are old, as in a panel that has run for a while.
const fill = `
INSERT INTO users (bucket, id, email, password_hash, role)
SELECT bucket_of(id), id, 'user' || n || '@example.com', 'x', CASE WHEN n % 2000 = 0 THEN 'admin' ELSE 'user' END
FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, 8000) n) u;
INSERT INTO directory (email, user_id, bucket) SELECT email, id, bucket FROM users;
INSERT INTO totp (bucket, user_id, secret_encrypted, confirmed_at) SELECT bucket, id, 'x', now() FROM users ORDER BY email LIMIT 4000;
INSERT INTO recovery_codes (bucket, id, user_id, code_hash)
SELECT bucket, gen_random_uuid(), id, decode(md5(email), 'hex') FROM users;
INSERT INTO sessions (bucket, id, user_id, token_hash, created_at, last_seen_at, expires_at)
SELECT bucket, gen_random_uuid(), id, sha256(email::bytea), now() - age, now() - age, now() - age + interval '30 days'
FROM (SELECT *, (random() * interval '29 days') AS age FROM users) u;
INSERT INTO panels (bucket, id, user_id, name, deleted_at)
SELECT bucket, gen_random_uuid(), id, 'panel', CASE WHEN random() < 0.01 THEN now() - random() * interval '40 days' END FROM users;
INSERT INTO panels (bucket, id, user_id, name) SELECT bucket, gen_random_uuid(), id, 'panel ' || n
FROM (SELECT * FROM users ORDER BY email LIMIT 1) u, generate_series(1, 10) n;
INSERT INTO records (bucket, id, panel_id, user_id, title, data)
SELECT bucket, gen_random_uuid(), id, user_id, 'record ' || md5(random()::text), '{"a": 1}' FROM panels, generate_series(1, 2) n;
INSERT INTO records (bucket, id, panel_id, user_id, title, data)
SELECT bucket, gen_random_uuid(), id, user_id, 'record ' || md5(n::text), '{"a": 1}'
FROM (SELECT * FROM panels WHERE name = 'panel 1') p, generate_series(1, 1000) n;
INSERT INTO files (bucket, id, panel_id, user_id, name, content_type, size_bytes, sha256, store_key, created_at)
SELECT bucket, gen_random_uuid(), id, user_id, 'file', 'text/plain', 1, sha256('x'), id::text, now() - random() * interval '90 days' FROM panels;
INSERT INTO jobs (bucket, id, user_id, kind, state, finished_at, run_at, lease_until, payload)
SELECT bucket, gen_random_uuid(), id, 'panel-export', state,
       CASE WHEN state IN ('succeeded', 'failed') THEN now() - random() * interval '7 days' END, now(),
       CASE WHEN state = 'running' THEN now() + interval '1 minute' END, '{}'
FROM (SELECT *, CASE WHEN n % 1000 < 2 THEN 'queued' WHEN n % 1000 < 4 THEN 'running' WHEN n % 100 = 7 THEN 'failed' ELSE 'succeeded' END AS state
      FROM (SELECT *, row_number() OVER () AS n FROM users) u) u;
INSERT INTO idempotency_keys (bucket, user_id, key, request_hash, status, body, created_at)
SELECT bucket, id, 'key', 'x', 201, '{}', now() - random() * interval '24 hours' FROM users;
INSERT INTO page_load_minutes SELECT now() - n * interval '1 minute', true, 500, 1 FROM generate_series(0, 45000) n;
INSERT INTO uptime_minutes SELECT now() - n * interval '1 minute', 4, 0 FROM generate_series(0, 45000) n;
INSERT INTO file_removals (bucket, store_key, due_at) SELECT bucket, id::text, now() + random() * interval '1 day' FROM users;
`

// fillMillion brings the records to a million. The index of words is quicker made anew than filled.
const fillMillion = `
DO $$ DECLARE words text := pg_get_indexdef('records_by_words'::regclass);
BEGIN
    DROP INDEX records_by_words;
    INSERT INTO records (bucket, id, panel_id, user_id, title, data)
    SELECT bucket, gen_random_uuid(), id, user_id, 'record ' || md5(id::text || n), '{"a": 1}' FROM panels, generate_series(1, 122) n;
    EXECUTE words;
END $$;
`

// recorder takes the statement that a generated method would run.
type recorder struct {
	sql  string
	args []any
}

var errRecorded = errors.New("recorded, not run")

func (r *recorder) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	r.sql, r.args = sql, args
	return pgconn.CommandTag{}, errRecorded
}

func (r *recorder) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	r.sql, r.args = sql, args
	return nil, errRecorded
}

func (r *recorder) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	r.sql, r.args = sql, args
	return recordedRow{}
}

func (r *recorder) CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error) {
	return 0, errRecorded
}

type recordedRow struct{}

func (recordedRow) Scan(...any) error { return errRecorded }

// world is one of everything in the filled database, from which plausible arguments are made.
type world struct {
	user                       uuid.UUID
	panel, record, file, job   uuid.UUID
	session, worker            uuid.UUID
	email, storeKey            string
	tokenHash, codeHash, bytes []byte
}

func readWorld(t *testing.T, conn *pgx.Conn) world {
	t.Helper()
	w := world{worker: uuid.New(), bytes: []byte("x")}
	require.NoError(t, conn.QueryRow(t.Context(), `
		SELECT p.user_id, p.id, r.id, f.id, f.store_key, j.id, s.id, s.token_hash, c.code_hash, d.email
		FROM panels p JOIN records r ON r.panel_id = p.id JOIN files f ON f.panel_id = p.id JOIN jobs j ON j.user_id = p.user_id
		JOIN sessions s ON s.user_id = p.user_id JOIN recovery_codes c ON c.user_id = p.user_id JOIN directory d ON d.user_id = p.user_id
		WHERE p.name = 'panel 1' LIMIT 1`).Scan(
		&w.user, &w.panel, &w.record, &w.file, &w.storeKey, &w.job, &w.session, &w.tokenHash, &w.codeHash, &w.email))
	return w
}

// argument returns a plausible value for a parameter of a statement. statement is its name, such as "GetPanel".
func (w world) argument(t *testing.T, statement, name string, kind reflect.Type) reflect.Value {
	t.Helper()
	if kind.Kind() == reflect.Pointer {
		value := reflect.New(kind.Elem())
		value.Elem().Set(w.argument(t, statement, name, kind.Elem()))
		return value
	}
	var value any
	switch kind {
	case reflect.TypeFor[uuid.UUID]():
		value = w.id(statement, name)
	case reflect.TypeFor[[]uuid.UUID]():
		value = []uuid.UUID{w.record, w.file, w.job}
	case reflect.TypeFor[time.Time]():
		// "Before" and "older than" ask for what is long ago; all else is about now.
		value = time.Now().Add(-5 * time.Minute)
		if strings.Contains(name, "Before") || strings.HasPrefix(statement, "Purge") {
			value = time.Now().Add(-29 * 24 * time.Hour)
		}
	case reflect.TypeFor[time.Duration]():
		value = time.Minute
	case reflect.TypeFor[bool]():
		value = true
	case reflect.TypeFor[[]byte]():
		value = map[string][]byte{"TokenHash": w.tokenHash, "CodeHash": w.codeHash}[name]
	case reflect.TypeFor[json.RawMessage]():
		value = json.RawMessage(`{}`)
	case reflect.TypeFor[int16]():
		value = database.BucketOf(w.user)
	case reflect.TypeFor[[]int16]():
		value = []int16{database.BucketOf(w.user)}
	case reflect.TypeFor[int32](), reflect.TypeFor[int64]():
		value = reflect.ValueOf(50).Convert(kind).Interface()
	case reflect.TypeFor[string]():
		value = w.text(name)
	case reflect.TypeFor[[]string]():
		value = []string{"failed", "queued"}
	default:
		require.Fail(t, "teach argument this type", "%s.%s has type %s", statement, name, kind)
	}
	return reflect.ValueOf(value)
}

func (w world) id(statement, name string) uuid.UUID {
	switch name {
	case "UserID":
		return w.user
	case "PanelID":
		return w.panel
	case "Worker":
		return w.worker
	case "Before", "SinceID": // Little is newer than a few minutes.
		return uuid.Max
	case "After":
		return uuid.Nil
	case "Kept":
		return w.session
	}
	for part, id := range map[string]uuid.UUID{
		"User": w.user, "FindBucket": w.user, "Administrator": w.user, "Record": w.record, "File": w.file, "Job": w.job, "Session": w.session,
	} {
		if strings.Contains(statement, part) {
			return id
		}
	}
	return w.panel
}

func (w world) text(name string) string {
	switch name {
	case "Email", "After", "Low", "argument":
		return w.email
	case "High":
		return w.email + "\U0010FFFF"
	case "StoreKey":
		return w.storeKey
	case "State", "Status":
		return "failed"
	default:
		return "key"
	}
}

// statements returns every generated statement by name, with plausible arguments.
func (w world) statements(t *testing.T) map[string]recorder {
	t.Helper()
	statements := map[string]recorder{}
	queries := reflect.TypeFor[*dbgen.Queries]()
	for i := range queries.NumMethod() {
		method := queries.Method(i)
		if method.Name == "WithTx" || method.Name == "CreateRecoveryCodes" { // No statement; COPY has no plan.
			continue
		}
		r := &recorder{}
		in := []reflect.Value{reflect.ValueOf(dbgen.New(r)), reflect.ValueOf(t.Context())}
		if method.Type.NumIn() == 3 {
			in = append(in, w.parameters(t, method.Name, method.Type.In(2)))
		}
		method.Func.Call(in)
		require.NotEmpty(t, r.sql, method.Name)
		statements[method.Name] = *r
	}
	return statements
}

func (w world) parameters(t *testing.T, statement string, kind reflect.Type) reflect.Value {
	t.Helper()
	if !strings.HasSuffix(kind.Name(), "Params") {
		return w.argument(t, statement, "argument", kind)
	}
	params := reflect.New(kind).Elem()
	for i := range kind.NumField() {
		params.Field(i).Set(w.argument(t, statement, kind.Field(i).Name, kind.Field(i).Type))
	}
	return params
}

// plan is a node of PostgreSQL's answer to EXPLAIN.
type plan struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Cond     string `json:"Index Cond"`
	Plans    []plan
}

// smallIndexes are partial indexes of few rows, which may be read as a whole: the administrators, and the jobs that run.
var smallIndexes = []string{"users_administrators", "jobs_leased"}

// wholeTables lists the nodes that read a table or an index from end to end. What is under a limit ends early.
func (p plan) wholeTables(limited bool) (found []string) {
	limited = limited || p.Type == "Limit"
	switch {
	case p.Type == "Seq Scan" && slices.Contains([]string{"cache_state", "fence", "alignment"}, p.Relation): // They have one row.
	case p.Type == "Seq Scan":
		found = append(found, "sequential scan of "+p.Relation)
	case strings.Contains(p.Type, "Index") && p.Cond == "" && !limited && p.Index != "" && !slices.Contains(smallIndexes, p.Index):
		found = append(found, "scan of all of "+p.Index)
	}
	for _, child := range p.Plans {
		found = append(found, child.wholeTables(limited)...)
	}
	return found
}

func TestNoStatementReadsAWholeTable(t *testing.T) {
	t.Parallel()
	conn := server.NewDatabase(t).Connect(t)
	_, err := conn.Exec(t.Context(), fill)
	require.NoError(t, err)
	if !testing.Short() {
		_, err = conn.Exec(t.Context(), fillMillion)
		require.NoError(t, err)
	}
	_, err = conn.Exec(t.Context(), "VACUUM ANALYZE")
	require.NoError(t, err)

	w := readWorld(t, conn)
	statements := w.statements(t)
	assert.Greater(t, len(statements), 60)
	for name, statement := range statements {
		var text []byte
		err := conn.QueryRow(t.Context(), "EXPLAIN (FORMAT JSON) "+statement.sql, statement.args...).Scan(&text)
		require.NoError(t, err, "%s\n%v", statement.sql, statement.args)
		var answer []struct{ Plan plan }
		require.NoError(t, json.Unmarshal(text, &answer))
		assert.Empty(t, answer[0].Plan.wholeTables(false), "%s\n%s\n%s", name, statement.sql, text)
	}
}

// TestCascadesAreServedByIndexes: a foreign key whose columns no index begins with makes each deletion of a parent read
// all of its child table.
func TestCascadesAreServedByIndexes(t *testing.T) {
	t.Parallel()
	conn := server.NewDatabase(t).Connect(t)
	rows, err := conn.Query(t.Context(), `
		SELECT c.conrelid::regclass || ' (' || c.conname || ')' FROM pg_constraint c
		WHERE c.contype = 'f' AND NOT EXISTS (
			SELECT 1 FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indpred IS NULL
			AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)`)
	require.NoError(t, err)
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	assert.Empty(t, missing)
}

// TestBucketsLeadEveryUsersTable: without bucket in the primary key, a row filter on it makes the publisher's own
// updates fail, and a range of users could not be moved. What belongs to no user is named here.
func TestBucketsLeadEveryUsersTable(t *testing.T) {
	t.Parallel()
	conn := server.NewDatabase(t).Connect(t)
	rows, err := conn.Query(t.Context(), `
		SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname NOT IN ('directory', 'goose_db_version', 'cache_state',
			'page_load_minutes', 'uptime_minutes')
		AND NOT EXISTS (
			SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
			WHERE i.indrelid = c.oid AND i.indisprimary AND a.attname = 'bucket' AND a.attgenerated = '' AND a.attnotnull)`)
	require.NoError(t, err)
	others, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	assert.Empty(t, others)
}
