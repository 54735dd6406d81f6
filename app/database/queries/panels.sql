-- The lists of panels and of records are not here: their order is chosen by the request, and each order needs a
-- statement of its own for its index to serve it. See app/panel/page.go.

-- name: LockLimitsOfUser :one
-- Serialises what adds to a user's panels or jobs, so that the limits on their numbers hold under concurrency.
SELECT id FROM users WHERE bucket = $1 AND id = $2 FOR NO KEY UPDATE;

-- name: CountPanels :one
SELECT count(*) FROM panels WHERE bucket = $1 AND user_id = $2 AND deleted_at IS NULL;

-- name: CreatePanel :one
INSERT INTO panels (bucket, id, user_id, name, description, columns) VALUES ($1, $2, $3, $4, $5, $6) RETURNING *;

-- name: GetPanel :one
SELECT * FROM panels WHERE bucket = $1 AND id = $2 AND user_id = $3 AND deleted_at IS NULL;

-- name: LockPanel :one
-- Taken before records are removed: whoever changes record_count locks the panel first, then records, so that no
-- two of them wait for each other.
SELECT * FROM panels WHERE bucket = $1 AND id = $2 AND user_id = $3 AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: UpdatePanel :one
-- A null leaves the column as it is; expected_version 0 means whatever version it has.
UPDATE panels SET
    name = COALESCE(sqlc.narg(name), name),
    description = COALESCE(sqlc.narg(description), description),
    columns = COALESCE(sqlc.narg(columns)::text[], columns),
    version = version + 1, updated_at = now()
WHERE bucket = sqlc.arg(bucket) AND id = sqlc.arg(id) AND user_id = sqlc.arg(user_id) AND deleted_at IS NULL
  AND (sqlc.arg(expected_version)::bigint = 0 OR version = sqlc.arg(expected_version))
RETURNING *;

-- name: DeletePanel :execrows
-- expected_version 0 means whatever version it has.
UPDATE panels SET deleted_at = now(), version = version + 1
WHERE bucket = $1 AND id = $2 AND user_id = $3 AND deleted_at IS NULL
  AND (sqlc.arg(expected_version)::bigint = 0 OR version = sqlc.arg(expected_version));

-- name: RestorePanel :one
UPDATE panels SET deleted_at = NULL, version = version + 1, updated_at = now()
WHERE bucket = $1 AND id = $2 AND user_id = $3 AND deleted_at > sqlc.arg(deleted_after)::timestamptz
RETURNING *;

-- name: ChangeRecordCount :one
UPDATE panels SET record_count = record_count + sqlc.arg(change)::bigint
WHERE bucket = $1 AND id = $2 AND user_id = $3 AND deleted_at IS NULL
RETURNING record_count;

-- name: LockPanelToPurge :one
-- The panel that has been deleted for longest, if that is longer ago than the time in which it can be restored.
SELECT * FROM panels WHERE deleted_at < sqlc.arg(deleted_before)::timestamptz
ORDER BY deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: PurgeRecords :execrows
-- One batch, so that the purge of a large panel is many short transactions.
DELETE FROM records r USING (
    SELECT d.bucket, d.id FROM records d WHERE d.bucket = sqlc.arg(bucket) AND d.panel_id = sqlc.arg(panel_id)
    LIMIT sqlc.arg(batch)
) doomed
WHERE r.bucket = doomed.bucket AND r.id = doomed.id;

-- name: PurgePanel :exec
DELETE FROM panels WHERE bucket = $1 AND id = $2 AND deleted_at IS NOT NULL;
