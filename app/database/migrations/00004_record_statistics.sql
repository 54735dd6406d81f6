-- The service may not ANALYZE: it does not own the tables. After an import it has to, because until the statistics
-- know the new records PostgreSQL reads and sorts whole panels for a page (up to a second at 500,000 records,
-- against milliseconds), and autovacuum looks once a minute.

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION analyze_records() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    ANALYZE records;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION analyze_records();
