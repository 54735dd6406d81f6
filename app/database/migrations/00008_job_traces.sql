-- What asked for a job, as W3C's traceparent: the trace of the job links to it. NULL where nothing was traced.

-- +goose Up
ALTER TABLE jobs ADD COLUMN trace_parent text;

-- +goose Down
ALTER TABLE jobs DROP COLUMN trace_parent;
