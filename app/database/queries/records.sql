-- name: CreateRecord :one
-- Counts the record in its panel in the same statement. No row: the panel is not there, or has max_records.
WITH panel AS (
    UPDATE panels p SET record_count = p.record_count + 1
    WHERE p.bucket = sqlc.arg(bucket) AND p.id = sqlc.arg(panel_id) AND p.user_id = sqlc.arg(user_id)
      AND p.deleted_at IS NULL AND p.record_count < sqlc.arg(max_records)::bigint
    RETURNING p.bucket, p.id, p.user_id
)
INSERT INTO records (bucket, id, panel_id, user_id, title, data)
SELECT panel.bucket, sqlc.arg(id), panel.id, panel.user_id, sqlc.arg(title), sqlc.arg(data) FROM panel
RETURNING *;

-- name: GetRecord :one
SELECT r.* FROM records r JOIN panels p ON p.bucket = r.bucket AND p.id = r.panel_id
WHERE r.bucket = $1 AND r.id = $2 AND r.panel_id = $3 AND r.user_id = $4 AND p.deleted_at IS NULL;

-- name: UpdateRecord :one
-- A null leaves the column as it is; expected_version 0 means whatever version it has.
UPDATE records r SET
    title = COALESCE(sqlc.narg(title), r.title),
    data = COALESCE(sqlc.narg(data)::jsonb, r.data),
    version = r.version + 1, updated_at = now()
FROM panels p
WHERE r.bucket = sqlc.arg(bucket) AND r.id = sqlc.arg(id) AND r.panel_id = sqlc.arg(panel_id)
  AND r.user_id = sqlc.arg(user_id)
  AND (sqlc.arg(expected_version)::bigint = 0 OR r.version = sqlc.arg(expected_version))
  AND p.bucket = r.bucket AND p.id = r.panel_id AND p.deleted_at IS NULL
RETURNING r.*;

-- name: DeleteRecord :execrows
-- expected_version 0 means whatever version it has. The caller holds the panel's lock and corrects its count.
DELETE FROM records
WHERE bucket = $1 AND id = $2 AND panel_id = $3 AND user_id = $4
  AND (sqlc.arg(expected_version)::bigint = 0 OR version = sqlc.arg(expected_version));

-- name: DeleteRecords :execrows
-- The caller holds the panel's lock and corrects its count.
DELETE FROM records
WHERE bucket = $1 AND panel_id = $2 AND user_id = $3 AND id = ANY (sqlc.arg(ids)::uuid[]);

-- name: ListKeysOfRecords :many
-- All keys of the documents of a panel, in the order of their bytes: the columns of an export where the panel names
-- none. One key more than max_keys is enough to know that there are too many.
SELECT DISTINCT (jsonb_object_keys(data) COLLATE "C")::text AS key FROM records
WHERE bucket = $1 AND panel_id = $2 ORDER BY 1 LIMIT sqlc.arg(max_keys)::int + 1;

-- name: ListRecordsToExport :many
SELECT * FROM records WHERE bucket = $1 AND panel_id = $2 AND id > sqlc.arg(after)::uuid ORDER BY id LIMIT sqlc.arg(row_limit);

-- name: AnalyzeRecords :exec
-- Also counts the rows that this transaction has inserted.
SELECT analyze_records();
