-- name: GetFence :one
SELECT writable, epoch, tier FROM promotion.fence;

-- name: ListStoreKeys :many
-- The keys of all objects that rows name, after one of them, in their order.
SELECT named.store_key::text FROM (
    SELECT files.store_key FROM files WHERE files.bucket = sqlc.arg(bucket)
    UNION
    SELECT jobs.payload ->> 'store_key' FROM jobs WHERE jobs.bucket = sqlc.arg(bucket) AND jobs.payload ? 'store_key'
    UNION
    SELECT jobs.result ->> 'store_key' FROM jobs WHERE jobs.bucket = sqlc.arg(bucket) AND jobs.result ? 'store_key'
) named
WHERE named.store_key > sqlc.arg(after)::text
ORDER BY named.store_key LIMIT sqlc.arg(row_limit);

-- name: ListRecentStoreKeys :many
-- The keys that rows name which are no older than a moment.
SELECT files.store_key FROM files WHERE files.created_at > sqlc.arg(since)::timestamptz
UNION
SELECT (jobs.payload ->> 'store_key')::text FROM jobs
WHERE jobs.state = ANY ('{queued,running,succeeded,failed}') AND jobs.id > sqlc.arg(since_id)::uuid AND jobs.payload ? 'store_key'
UNION
SELECT (jobs.result ->> 'store_key')::text FROM jobs WHERE jobs.finished_at > sqlc.arg(since)::timestamptz AND jobs.result ? 'store_key';

-- name: GetFilesPeer :one
SELECT peer_url, keeps_alike FROM promotion.alignment WHERE tier = $1;

-- name: PutFilesState :exec
UPDATE promotion.alignment SET alike_at = coalesce(sqlc.narg(alike_at), alike_at), checked_at = clock_timestamp(),
    copied = copied + sqlc.arg(copied), missing = sqlc.arg(missing), problem = sqlc.arg(problem)
WHERE tier = sqlc.arg(tier);
