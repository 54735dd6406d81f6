-- Search in the titles of a panel's records. Trigrams, because a LIKE '%…%' over a panel of 100,000 records reads
-- the whole panel otherwise (97 ms and a sequential scan, against 0.1 to 10 ms); panel_id in the same index, so that
-- a search costs by the size of the panel, not of the table. Both extensions are trusted: the owner of the
-- database may create them.

-- +goose Up
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
-- A short pending list: the insert that overflows it pays for merging the list, and 1 MiB keeps that to tens of
-- milliseconds.
CREATE INDEX records_by_words ON records USING gin (panel_id, lower(title) gin_trgm_ops)
    WITH (gin_pending_list_limit = 1024);

-- +goose Down
DROP INDEX records_by_words;
