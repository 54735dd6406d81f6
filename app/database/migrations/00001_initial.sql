-- The first schema. Rules that every table keeps (see docs/data.md):
--   * a row that belongs to a user carries the user's bucket, and bucket leads the primary key, so that a
--     row-filtered publication can move a range of buckets to another database with no change of schema;
--   * bucket is a plain column with a CHECK: a row filter cannot read a generated one, and a filter column
--     outside the replica identity makes the publisher's own UPDATE fail;
--   * ids are UUIDv7 made by the service: a promotion has no sequence to move.

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION bucket_of(user_id uuid) RETURNS smallint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN pg_catalog.get_byte(pg_catalog.uuid_send(user_id), 15)::smallint;
-- +goose StatementEnd

CREATE TABLE directory (
    email       text        PRIMARY KEY CHECK (email = lower(email) AND length(email) <= 254),
    user_id     uuid        NOT NULL UNIQUE,
    bucket      smallint    NOT NULL CHECK (bucket = bucket_of(user_id)),
    home_region text        NOT NULL DEFAULT 'home',
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- Serves the administrator's search by the start of an address, whatever the database's collation.
CREATE INDEX directory_by_prefix ON directory (email text_pattern_ops);

CREATE TABLE users (
    bucket        smallint    NOT NULL CHECK (bucket = bucket_of(id)),
    id            uuid        NOT NULL,
    email         text        NOT NULL,
    name          text        NOT NULL DEFAULT '' CHECK (length(name) <= 100),
    password_hash text        NOT NULL,
    role          text        NOT NULL DEFAULT 'user'   CHECK (role IN ('user', 'admin')),
    status        text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    version       bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, id)
);
-- The administrator's list of all users, newest first.
CREATE INDEX users_by_id ON users (id);
-- Serves the rule that the last active administrator stays one.
CREATE INDEX users_administrators ON users (id) WHERE role = 'admin';

-- A user's time-based one-time password. The secret is encrypted by the service; confirmed_at is null until
-- the user has proved that the authenticator works. last_step refuses a code that was already used.
CREATE TABLE totp (
    bucket           smallint    NOT NULL CHECK (bucket = bucket_of(user_id)),
    user_id          uuid        NOT NULL,
    secret_encrypted bytea       NOT NULL,
    confirmed_at     timestamptz,
    last_step        bigint      NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, user_id),
    FOREIGN KEY (bucket, user_id) REFERENCES users (bucket, id) ON DELETE CASCADE
);

CREATE TABLE recovery_codes (
    bucket     smallint    NOT NULL CHECK (bucket = bucket_of(user_id)),
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    code_hash  bytea       NOT NULL,
    used_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, id),
    FOREIGN KEY (bucket, user_id) REFERENCES users (bucket, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX recovery_codes_by_hash ON recovery_codes (bucket, user_id, code_hash);

-- Only the SHA-256 of a session token is kept: a stolen dump opens no session.
CREATE TABLE sessions (
    bucket       smallint    NOT NULL CHECK (bucket = bucket_of(user_id)),
    id           uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    token_hash   bytea       NOT NULL CHECK (octet_length(token_hash) = 32),
    user_agent   text        NOT NULL DEFAULT '',
    address      text        NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (bucket, id),
    FOREIGN KEY (bucket, user_id) REFERENCES users (bucket, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX sessions_by_token ON sessions (bucket, token_hash);
CREATE INDEX sessions_by_user ON sessions (bucket, user_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
-- Serves the count of concurrent users. The column is written at most once a minute and session.
CREATE INDEX sessions_by_use ON sessions (last_seen_at);

CREATE TABLE panels (
    bucket      smallint    NOT NULL CHECK (bucket = bucket_of(user_id)),
    id          uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description text        NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
    -- The keys of the records' documents that are shown as columns, in order.
    columns     text[]      NOT NULL DEFAULT '{}',
    version     bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    -- Set by delete and cleared by undo; a purge job removes the panel for good after the undo period.
    deleted_at  timestamptz,
    PRIMARY KEY (bucket, id),
    FOREIGN KEY (bucket, user_id) REFERENCES users (bucket, id) ON DELETE CASCADE
);
CREATE INDEX panels_by_creation ON panels (bucket, user_id, id) WHERE deleted_at IS NULL;
CREATE INDEX panels_by_name ON panels (bucket, user_id, lower(name), id) WHERE deleted_at IS NULL;
CREATE INDEX panels_by_update ON panels (bucket, user_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX panels_by_deletion ON panels (deleted_at) WHERE deleted_at IS NOT NULL;
-- Serves the cascade from users: the partial indexes above do not.
CREATE INDEX panels_by_user ON panels (bucket, user_id);

CREATE TABLE records (
    bucket     smallint    NOT NULL CHECK (bucket = bucket_of(user_id)),
    id         uuid        NOT NULL,
    panel_id   uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    title      text        NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    data       jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(data) = 'object'),
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, id),
    FOREIGN KEY (bucket, panel_id) REFERENCES panels (bucket, id) ON DELETE CASCADE
);
CREATE INDEX records_by_creation ON records (bucket, panel_id, id);
CREATE INDEX records_by_title ON records (bucket, panel_id, lower(title), id);
CREATE INDEX records_by_update ON records (bucket, panel_id, updated_at, id);

CREATE TABLE files (
    bucket       smallint    NOT NULL CHECK (bucket = bucket_of(user_id)),
    id           uuid        NOT NULL,
    panel_id     uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    content_type text        NOT NULL,
    size_bytes   bigint      NOT NULL CHECK (size_bytes >= 0),
    sha256       bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    store_key    text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, id),
    FOREIGN KEY (bucket, panel_id) REFERENCES panels (bucket, id) ON DELETE CASCADE
);
CREATE INDEX files_by_panel ON files (bucket, panel_id, id);

-- The outbox and the queue in one: a job is written in the transaction of the request that asks for it and is
-- run by a worker that holds a lease. A lease that ran out (its worker was killed) is taken up by another.
CREATE TABLE jobs (
    bucket         smallint    NOT NULL CHECK (bucket = bucket_of(user_id)),
    id             uuid        NOT NULL,
    user_id        uuid        NOT NULL,
    kind           text        NOT NULL,
    payload        jsonb       NOT NULL DEFAULT '{}',
    state          text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'succeeded', 'failed')),
    attempt        int         NOT NULL DEFAULT 0,
    max_attempts   int         NOT NULL DEFAULT 5,
    run_at         timestamptz NOT NULL DEFAULT now(),
    lease_owner    uuid,
    lease_until    timestamptz,
    progress_done  bigint      NOT NULL DEFAULT 0,
    progress_total bigint      NOT NULL DEFAULT 0,
    result         jsonb,
    error          text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz,
    PRIMARY KEY (bucket, id),
    FOREIGN KEY (bucket, user_id) REFERENCES users (bucket, id) ON DELETE CASCADE
);
CREATE INDEX jobs_by_user ON jobs (bucket, user_id, id);
CREATE INDEX jobs_due ON jobs (run_at) WHERE state = 'queued';
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

-- The answer to a create that carried an Idempotency-Key, written in the same transaction as the row that it
-- made, so that a repeated request gets the first answer and makes nothing.
CREATE TABLE idempotency_keys (
    bucket       smallint    NOT NULL CHECK (bucket = bucket_of(user_id)),
    user_id      uuid        NOT NULL,
    key          text        NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    request_hash bytea       NOT NULL,
    status       int         NOT NULL,
    headers      jsonb       NOT NULL DEFAULT '{}',
    body         bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, user_id, key),
    FOREIGN KEY (bucket, user_id) REFERENCES users (bucket, id) ON DELETE CASCADE
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- +goose Down
DROP TABLE idempotency_keys, jobs, files, records, panels, sessions, recovery_codes, totp, users, directory;
DROP FUNCTION bucket_of(uuid);
