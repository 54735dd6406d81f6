-- What the file store must forget, and how many records a panel has.

-- +goose Up

-- The outbox of removals: bytes go only after the row that owned them is gone for good, so a crash between the two
-- leaves bytes without a row (removed later), never a row without bytes. It has no foreign key to users: the
-- entries must outlive the account whose deletion wrote them.
CREATE TABLE file_removals (
    bucket    smallint    NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    store_key text        NOT NULL,
    due_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, store_key)
);
CREATE INDEX file_removals_due ON file_removals (due_at);

-- Triggers, not statements of the service, because most deletions are cascades (account -> panels -> files) that
-- no statement of the service names. On the subscriber of a logical replication they do not fire; there the
-- entries arrive as rows of file_removals.
-- +goose StatementBegin
CREATE FUNCTION remove_stored_files() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO file_removals (bucket, store_key)
    SELECT bucket, store_key FROM gone
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- A job owns what it reads (an uploaded import) and what it made (an export).
-- +goose StatementBegin
CREATE FUNCTION remove_stored_job_files() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO file_removals (bucket, store_key)
    SELECT bucket, payload ->> 'store_key' FROM gone WHERE payload ? 'store_key'
    UNION
    SELECT bucket, result ->> 'store_key' FROM gone WHERE result ? 'store_key'
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER files_deleted AFTER DELETE ON files
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION remove_stored_files();
CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION remove_stored_job_files();

-- Counting a panel's records by its index costs a pass over all of them on each page and on each create (for the
-- limit); the count is kept instead, by the statements that add and remove records. Panels with records that were
-- made before this column are counted once, here.
ALTER TABLE panels ADD COLUMN record_count bigint NOT NULL DEFAULT 0 CHECK (record_count >= 0);
UPDATE panels p SET record_count = counted.n
FROM (SELECT bucket, panel_id, count(*) AS n FROM records GROUP BY bucket, panel_id) counted
WHERE p.bucket = counted.bucket AND p.id = counted.panel_id;

-- +goose Down
ALTER TABLE panels DROP COLUMN record_count;
DROP TRIGGER jobs_deleted ON jobs;
DROP TRIGGER files_deleted ON files;
DROP FUNCTION remove_stored_job_files();
DROP FUNCTION remove_stored_files();
DROP TABLE file_removals;
