-- What users get, by the minute: how long pages take to load in their browsers, and whether the front door answered. The
-- rows belong to no user, and hold nothing about one.

-- +goose Up
CREATE TABLE page_load_minutes (
    minute   timestamptz NOT NULL,
    -- Nothing of the front end was in the browser's cache.
    cold     boolean     NOT NULL,
    -- The upper bound of the histogram's bucket, in milliseconds.
    up_to_ms int         NOT NULL,
    loads    bigint      NOT NULL,
    PRIMARY KEY (minute, cold, up_to_ms)
);
CREATE TABLE uptime_minutes (
    minute   timestamptz PRIMARY KEY,
    probes   int         NOT NULL,
    failures int         NOT NULL
);

-- +goose Down
DROP TABLE uptime_minutes, page_load_minutes;
