-- name: CreateDirectoryEntry :exec
INSERT INTO directory (email, user_id, bucket) VALUES ($1, $2, $3);

-- name: CreateUser :one
INSERT INTO users (bucket, id, email, name, password_hash, role) VALUES ($1, $2, $3, $4, $5, $6) RETURNING *;

-- name: FindDirectoryEntry :one
-- The only way from an e-mail address to a user: the directory says where the user's rows are.
SELECT * FROM directory WHERE email = $1;

-- name: GetUser :one
SELECT * FROM users WHERE bucket = $1 AND id = $2;

-- name: LockUser :one
SELECT * FROM users WHERE bucket = $1 AND id = $2 FOR UPDATE;

-- name: ShareUser :one
-- As it stays to the end of the transaction: whoever changes the user waits. Taken before the locks of the user's other rows.
SELECT * FROM users WHERE bucket = $1 AND id = $2 FOR SHARE;

-- name: AnyUserExists :one
-- Not EXISTS, which takes a sequential scan and walks over all rows that died before the first living one.
SELECT count(*) > 0 FROM (SELECT 1 FROM directory ORDER BY email LIMIT 1) AS first;

-- name: LockAdministrators :exec
-- Serialises every change to who is an administrator: the first sign-up, demotions and suspensions.
SELECT pg_advisory_xact_lock(hashtextextended('radpanel: administrators', 0));

-- name: CountOtherActiveAdministrators :one
SELECT count(*) FROM users WHERE role = 'admin' AND status = 'active' AND id <> $1;

-- name: UpdateUserName :one
UPDATE users SET name = $3, version = version + 1, updated_at = $4
WHERE bucket = $1 AND id = $2 AND (sqlc.arg(expected_version)::bigint = 0 OR version = sqlc.arg(expected_version))
RETURNING *;

-- name: UpdateUserPassword :execrows
UPDATE users SET password_hash = $3, version = version + 1, updated_at = $4 WHERE bucket = $1 AND id = $2;

-- name: RaiseUserVersion :exec
-- For a change to what is shown with the user and is in another table. Taken before the locks of the user's other rows.
UPDATE users SET version = version + 1, updated_at = $3 WHERE bucket = $1 AND id = $2;

-- name: UpdateUserRoleAndStatus :one
UPDATE users SET role = $3, status = $4, version = version + 1, updated_at = $5
WHERE bucket = $1 AND id = $2 RETURNING *;

-- name: DeleteUser :execrows
DELETE FROM users WHERE bucket = $1 AND id = $2;

-- name: DeleteDirectoryEntry :exec
DELETE FROM directory WHERE email = $1;

-- name: FindBucket :one
SELECT bucket FROM directory WHERE user_id = $1;

-- name: ListUsers :many
-- The administrator's list: newest first, from before the given id.
SELECT sqlc.embed(u), (t.confirmed_at IS NOT NULL)::boolean AS has_totp
FROM users u LEFT JOIN totp t ON t.bucket = u.bucket AND t.user_id = u.id
WHERE u.id < sqlc.arg(before)::uuid ORDER BY u.id DESC LIMIT sqlc.arg(row_limit);

-- name: SearchUsers :many
-- Users whose e-mail address starts with the given text, by address; text_pattern_ops serves the range.
SELECT sqlc.embed(u), (t.confirmed_at IS NOT NULL)::boolean AS has_totp
FROM directory d JOIN users u ON u.bucket = d.bucket AND u.id = d.user_id
LEFT JOIN totp t ON t.bucket = u.bucket AND t.user_id = u.id
WHERE d.email ~>=~ sqlc.arg(low)::text AND d.email ~<~ sqlc.arg(high)::text AND d.email ~>~ sqlc.arg(after)::text
ORDER BY d.email USING ~<~ LIMIT sqlc.arg(row_limit);
