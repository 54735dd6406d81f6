-- What a promotion needs: it moves the running panel to another database, and of the two exactly one may be written to.

-- +goose Up

-- A schema of its own, in which the service may only read (but for one table): the service may write to every table of
-- public. None of it is replicated: each database has its own word.
CREATE SCHEMA promotion;
GRANT USAGE ON SCHEMA promotion TO PUBLIC;

-- Whether this database may be written to. A promotion says so, in both databases; see docs/promotion.md.
CREATE TABLE promotion.fence (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    writable boolean NOT NULL DEFAULT true,
    -- Counts the moves of the panel from database to database: the writable one has the greatest.
    epoch    bigint  NOT NULL DEFAULT 1,
    -- The tier whose instances do the background work. Empty: all.
    tier     text    NOT NULL DEFAULT ''
);
INSERT INTO promotion.fence DEFAULT VALUES;
GRANT SELECT ON promotion.fence TO PUBLIC;

-- How far the files of two stacks are alike. The instances of the stack that the panel moves to write it, also while the
-- database is not writable. Without a row there is no other stack.
CREATE TABLE promotion.alignment (
    tier       text        PRIMARY KEY,
    -- An instance of the other stack, such as http://127.0.0.1:20001.
    peer_url   text        NOT NULL,
    -- When the last comparison of all files began that found and left none missing on either side.
    alike_at   timestamptz,
    checked_at timestamptz NOT NULL DEFAULT now(),
    copied     bigint      NOT NULL DEFAULT 0,
    missing    bigint      NOT NULL DEFAULT 0,
    problem    text        NOT NULL DEFAULT ''
);
GRANT SELECT, UPDATE ON promotion.alignment TO PUBLIC;

-- Serves the look for recent files, by which the two stacks of a promotion keep theirs alike.
CREATE INDEX files_by_age ON files (created_at);

-- A row that is written on one side and awaited on the other: what came before it has arrived.
CREATE TABLE promotion.markers (
    id         uuid        PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Refuses writes to a database that is fenced. The lock is held to the end of the transaction: whoever fences takes it
-- exclusively, and so waits until every transaction that was let through has ended. A snapshot that is older than the
-- fence would not see it, so levels that keep one snapshot are refused for writing. Logical replication passes: its
-- sessions fire no ordinary triggers.
-- +goose StatementBegin
CREATE FUNCTION promotion.check_fence() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'writes need the isolation level read committed' USING ERRCODE = 'RP002';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(7238174202);
    IF NOT (SELECT writable FROM promotion.fence) THEN
        RAISE EXCEPTION 'this database is fenced: the panel writes to another one, or will in a moment'
            USING ERRCODE = 'RP001';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['directory', 'users', 'totp', 'recovery_codes', 'sessions', 'panels', 'records', 'files', 'jobs',
        'idempotency_keys', 'file_removals', 'page_load_minutes', 'uptime_minutes']
    LOOP
        EXECUTE format('CREATE TRIGGER fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION promotion.check_fence()', name);
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'fence' AND NOT tgisinternal
    LOOP
        EXECUTE 'DROP TRIGGER fence ON ' || name;
    END LOOP;
END
$$;
-- +goose StatementEnd
DROP INDEX files_by_age;
DROP SCHEMA promotion CASCADE;
