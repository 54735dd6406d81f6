-- name: CreateSession :one
INSERT INTO sessions (bucket, id, user_id, token_hash, user_agent, address, created_at, last_seen_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8) RETURNING *;

-- name: FindSession :one
-- Every signed-in request runs this: one index look-up for the session, one for its user.
SELECT sqlc.embed(s), sqlc.embed(u) FROM sessions s JOIN users u ON u.bucket = s.bucket AND u.id = s.user_id
WHERE s.bucket = $1 AND s.token_hash = $2;

-- name: TouchSession :exec
UPDATE sessions SET last_seen_at = $3 WHERE bucket = $1 AND id = $2 AND last_seen_at <= sqlc.arg(seen_before);

-- name: RotateSession :execrows
UPDATE sessions SET token_hash = $3 WHERE bucket = $1 AND id = $2;

-- name: ListSessions :many
SELECT * FROM sessions
WHERE bucket = $1 AND user_id = $2 AND id < sqlc.arg(before)::uuid
  AND expires_at > sqlc.arg(now) AND last_seen_at > sqlc.arg(idle_since)
ORDER BY id DESC LIMIT sqlc.arg(row_limit);

-- name: DeleteSession :execrows
DELETE FROM sessions WHERE bucket = $1 AND user_id = $2 AND id = $3;

-- name: DeleteSessionByToken :exec
DELETE FROM sessions WHERE bucket = $1 AND token_hash = $2;

-- name: DeleteSessions :execrows
DELETE FROM sessions WHERE bucket = $1 AND user_id = $2;

-- name: DeleteOtherSessions :execrows
DELETE FROM sessions WHERE bucket = $1 AND user_id = $2 AND id <> sqlc.arg(kept)::uuid;

-- name: CountUsersSeenSince :one
SELECT count(DISTINCT user_id) FROM sessions WHERE last_seen_at > $1;
