-- name: CreateFile :one
-- No row: the panel is not there.
INSERT INTO files (bucket, id, panel_id, user_id, name, content_type, size_bytes, sha256, store_key)
SELECT p.bucket, sqlc.arg(id), p.id, p.user_id, sqlc.arg(name), sqlc.arg(content_type), sqlc.arg(size_bytes),
       sqlc.arg(sha256), sqlc.arg(store_key)
FROM panels p
WHERE p.bucket = sqlc.arg(bucket) AND p.id = sqlc.arg(panel_id) AND p.user_id = sqlc.arg(user_id) AND p.deleted_at IS NULL
RETURNING *;

-- name: CountFiles :one
SELECT count(*) FROM files WHERE bucket = $1 AND panel_id = $2;

-- name: GetFile :one
SELECT f.* FROM files f JOIN panels p ON p.bucket = f.bucket AND p.id = f.panel_id
WHERE f.bucket = $1 AND f.id = $2 AND f.panel_id = $3 AND f.user_id = $4 AND p.deleted_at IS NULL;

-- name: ListFiles :many
-- Newest first, from before the given id.
SELECT * FROM files
WHERE bucket = $1 AND panel_id = $2 AND user_id = $3 AND id < sqlc.arg(before)::uuid
ORDER BY id DESC LIMIT sqlc.arg(row_limit);

-- name: DeleteFile :execrows
-- A trigger leaves the bytes' key in file_removals.
DELETE FROM files f USING panels p
WHERE f.bucket = $1 AND f.id = $2 AND f.panel_id = $3 AND f.user_id = $4
  AND p.bucket = f.bucket AND p.id = f.panel_id AND p.deleted_at IS NULL;

-- name: ListDueFileRemovals :many
SELECT * FROM file_removals WHERE due_at <= now() ORDER BY due_at LIMIT sqlc.arg(batch);

-- name: IsFileRemoved :one
-- Whether the bytes of a file that was deleted are still to go.
SELECT EXISTS (SELECT 1 FROM file_removals WHERE bucket = $1 AND store_key = $2);

-- name: DeleteFileRemoval :exec
DELETE FROM file_removals WHERE bucket = $1 AND store_key = $2;

-- name: PostponeFileRemoval :exec
UPDATE file_removals SET due_at = now() + sqlc.arg(delay)::interval WHERE bucket = $1 AND store_key = $2;

-- name: ListOwnedFileIDs :many
-- Which of the given objects belong to a file.
SELECT id FROM files WHERE bucket = $1 AND id = ANY (sqlc.arg(ids)::uuid[]);

-- name: ListJobStoreKeys :many
-- The objects that the jobs of a bucket own. Jobs are kept for days, so these are few.
SELECT COALESCE(payload ->> 'store_key', '')::text AS input, COALESCE(result ->> 'store_key', '')::text AS output FROM jobs
WHERE bucket = $1 AND (payload ? 'store_key' OR result ? 'store_key');
