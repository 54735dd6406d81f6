-- name: PutPendingTOTP :execrows
-- Starts anew as long as the user has not confirmed; a confirmed one must be removed first.
INSERT INTO totp (bucket, user_id, secret_encrypted) VALUES ($1, $2, $3)
ON CONFLICT (bucket, user_id) DO UPDATE SET secret_encrypted = excluded.secret_encrypted, last_step = 0
WHERE totp.confirmed_at IS NULL;

-- name: LockTOTP :one
SELECT * FROM totp WHERE bucket = $1 AND user_id = $2 FOR UPDATE;

-- name: HasConfirmedTOTP :one
SELECT EXISTS (SELECT 1 FROM totp WHERE bucket = $1 AND user_id = $2 AND confirmed_at IS NOT NULL);

-- name: ConfirmTOTP :exec
UPDATE totp SET confirmed_at = sqlc.arg(confirmed_at)::timestamptz WHERE bucket = $1 AND user_id = $2;

-- name: UseTOTPStep :exec
-- The row is locked and the step was compared: no code of this step or of an older one works again.
UPDATE totp SET last_step = $3 WHERE bucket = $1 AND user_id = $2;

-- name: DeleteTOTP :execrows
DELETE FROM totp WHERE bucket = $1 AND user_id = $2;

-- name: CreateRecoveryCodes :copyfrom
INSERT INTO recovery_codes (bucket, id, user_id, code_hash) VALUES ($1, $2, $3, $4);

-- name: UseRecoveryCode :execrows
UPDATE recovery_codes SET used_at = sqlc.arg(used_at)::timestamptz WHERE bucket = $1 AND user_id = $2 AND code_hash = $3 AND used_at IS NULL;

-- name: DeleteRecoveryCodes :exec
DELETE FROM recovery_codes WHERE bucket = $1 AND user_id = $2;
