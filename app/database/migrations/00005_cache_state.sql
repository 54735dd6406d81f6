-- Whether the cache may be trusted. Every instance asks so often that it knows within a second when another one could
-- not tell the cache of a change; see app/cache. It is about this database and its cache: a promotion does not copy it.

-- +goose Up
CREATE TABLE cache_state (
    only_row       boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    -- Part of every key in the cache: what was cached in an earlier epoch is not found.
    epoch          bigint      NOT NULL DEFAULT 1,
    epoch_began    timestamptz NOT NULL DEFAULT now(),
    -- Nobody uses the cache before then.
    disabled_until timestamptz NOT NULL DEFAULT now()
);
INSERT INTO cache_state DEFAULT VALUES;

-- +goose Down
DROP TABLE cache_state;
