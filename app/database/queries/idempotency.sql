-- name: TryLockIdempotencyKey :one
-- False while another transaction works on the same key of the same user.
SELECT pg_try_advisory_xact_lock(hashtextextended(sqlc.arg(user_and_key)::text, 0));

-- name: FindIdempotencyKey :one
SELECT * FROM idempotency_keys WHERE bucket = $1 AND user_id = $2 AND key = $3;

-- name: CreateIdempotencyKey :exec
INSERT INTO idempotency_keys (bucket, user_id, key, request_hash, status, headers, body) VALUES ($1, $2, $3, $4, $5, $6, $7);
