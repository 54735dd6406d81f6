-- name: GetCacheState :one
-- Every instance asks twice a second.
SELECT epoch, (disabled_until > clock_timestamp())::boolean AS disabled,
    (clock_timestamp() - epoch_began)::interval AS epoch_age
FROM cache_state;

-- name: RevokeCache :one
-- Begins an epoch, in which the cache is used only after a while. A pause that somebody else asked for is not shortened.
UPDATE cache_state SET epoch = epoch + 1, epoch_began = clock_timestamp(),
    disabled_until = greatest(disabled_until, clock_timestamp() + sqlc.arg(pause)::interval)
RETURNING epoch;
