-- name: CreateJob :one
INSERT INTO jobs (bucket, id, user_id, kind, payload, max_attempts, trace_parent) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *;

-- name: CountUnfinishedJobs :one
SELECT count(*) FROM jobs WHERE bucket = $1 AND user_id = $2 AND state IN ('queued', 'running');

-- name: GetJob :one
SELECT * FROM jobs WHERE bucket = $1 AND id = $2 AND user_id = $3;

-- name: ListJobs :many
-- Newest first, from before the given id.
SELECT * FROM jobs WHERE bucket = $1 AND user_id = $2 AND id < sqlc.arg(before)::uuid
ORDER BY id DESC LIMIT sqlc.arg(row_limit);

-- name: ListAllJobs :many
-- The administrator's list, of the given states: one walk of jobs_by_state for each, newest first.
SELECT j.* FROM unnest(sqlc.arg(states)::text[]) AS wanted (state)
CROSS JOIN LATERAL (
    SELECT * FROM jobs WHERE jobs.state = wanted.state AND id < sqlc.arg(before)::uuid
    ORDER BY id DESC LIMIT sqlc.arg(row_limit)
) j
ORDER BY j.id DESC LIMIT sqlc.arg(row_limit);

-- name: RetryFailedJob :one
-- By the administrator, who knows no bucket: jobs_by_state serves it.
UPDATE jobs SET state = 'queued', max_attempts = attempt + sqlc.arg(more_attempts)::int, run_at = now(), error = NULL, finished_at = NULL,
    progress_done = 0, progress_total = 0
WHERE state = 'failed' AND id = $1
RETURNING *;

-- name: JobExists :one
SELECT EXISTS (SELECT 1 FROM jobs WHERE state = ANY ('{queued,running,succeeded}') AND id = $1);

-- name: ClaimJobs :many
-- Takes due jobs of the kinds that this worker knows: during a rolling deploy an old worker leaves new kinds alone.
-- Rows that another worker is just claiming are skipped, not waited for.
UPDATE jobs SET state = 'running', attempt = jobs.attempt + 1,
    lease_owner = sqlc.arg(worker)::uuid, lease_until = now() + sqlc.arg(lease)::interval
FROM (
    SELECT due.bucket, due.id FROM jobs due
    WHERE due.state = 'queued' AND due.run_at <= now() AND due.kind = ANY (sqlc.arg(kinds)::text[])
    ORDER BY due.run_at LIMIT sqlc.arg(free) FOR UPDATE SKIP LOCKED
) AS claimed
WHERE jobs.bucket = claimed.bucket AND jobs.id = claimed.id
RETURNING jobs.*;

-- name: ReclaimJobs :many
-- Jobs whose worker died: their lease ran out. They are due again at once, or have failed if that was their last attempt.
UPDATE jobs SET
    state = CASE WHEN jobs.attempt < jobs.max_attempts THEN 'queued' ELSE 'failed' END,
    error = CASE WHEN jobs.attempt < jobs.max_attempts THEN NULL ELSE sqlc.arg(error)::text END,
    finished_at = CASE WHEN jobs.attempt < jobs.max_attempts THEN NULL ELSE now() END,
    run_at = now(), lease_owner = NULL, lease_until = NULL
FROM (
    SELECT lost.bucket, lost.id FROM jobs lost
    WHERE lost.state = 'running' AND lost.lease_until < now()
    ORDER BY lost.lease_until LIMIT sqlc.arg(batch) FOR UPDATE SKIP LOCKED
) AS expired
WHERE jobs.bucket = expired.bucket AND jobs.id = expired.id
RETURNING jobs.*;

-- name: RenewLeases :many
-- Returns the attempts that this worker still holds; the others were lost to another worker, or to a later attempt.
UPDATE jobs SET lease_until = now() + sqlc.arg(lease)::interval
WHERE bucket = ANY (sqlc.arg(buckets)::smallint[]) AND id = ANY (sqlc.arg(ids)::uuid[])
  AND state = 'running' AND lease_owner = sqlc.arg(worker)::uuid
RETURNING id, attempt;

-- The statements below end a job's attempt or report on it. Each is conditional on the lease: worker and attempt.
-- A worker that was taken for dead changes nothing.

-- name: SetJobProgress :execrows
UPDATE jobs SET progress_done = sqlc.arg(done), progress_total = sqlc.arg(total)
WHERE bucket = $1 AND id = $2 AND attempt = $3 AND state = 'running' AND lease_owner = sqlc.arg(worker)::uuid;

-- name: CompleteJob :execrows
-- The clock, not now(): the transaction began when the job's effect did.
UPDATE jobs SET state = 'succeeded', result = sqlc.arg(result), error = NULL, finished_at = clock_timestamp(),
    lease_owner = NULL, lease_until = NULL,
    progress_done = GREATEST(progress_done, progress_total)
WHERE bucket = $1 AND id = $2 AND attempt = $3 AND state = 'running' AND lease_owner = sqlc.arg(worker)::uuid;

-- name: GetJobAttempt :one
SELECT state, attempt FROM jobs WHERE bucket = $1 AND id = $2;

-- name: FailJob :execrows
UPDATE jobs SET state = 'failed', error = sqlc.arg(error)::text, finished_at = now(), lease_owner = NULL, lease_until = NULL
WHERE bucket = $1 AND id = $2 AND attempt = $3 AND state = 'running' AND lease_owner = sqlc.arg(worker)::uuid;

-- name: PostponeJob :execrows
UPDATE jobs SET state = 'queued', run_at = now() + sqlc.arg(delay)::interval, error = sqlc.arg(error)::text,
    lease_owner = NULL, lease_until = NULL
WHERE bucket = $1 AND id = $2 AND attempt = $3 AND state = 'running' AND lease_owner = sqlc.arg(worker)::uuid;

-- name: ReleaseJob :execrows
-- Given up because the worker stops: due again at once, and the attempt does not count against the job. The number of
-- the attempt itself never goes back, as it tells the results of attempts apart.
UPDATE jobs SET state = 'queued', run_at = now(), max_attempts = max_attempts + 1, lease_owner = NULL, lease_until = NULL
WHERE bucket = $1 AND id = $2 AND attempt = $3 AND state = 'running' AND lease_owner = sqlc.arg(worker)::uuid;

-- name: MeasureQueue :many
-- Age is of the job that has been due for longest, in seconds; negative where none is due yet.
SELECT kind, state, count(*) AS jobs, EXTRACT(EPOCH FROM now() - min(run_at))::float8 AS oldest_seconds
FROM jobs WHERE state IN ('queued', 'running') GROUP BY kind, state;

-- name: TryLockHousekeeping :one
-- One instance at a time; the lock ends with the transaction.
SELECT pg_try_advisory_xact_lock(hashtextextended('radpanel: housekeeping', 0));

-- name: PurgeFinishedJobs :execrows
DELETE FROM jobs USING (
    SELECT old.bucket, old.id FROM jobs old WHERE old.finished_at < sqlc.arg(finished_before)::timestamptz
    ORDER BY old.finished_at LIMIT sqlc.arg(batch)
) doomed
WHERE jobs.bucket = doomed.bucket AND jobs.id = doomed.id;

-- name: PurgeExpiredSessions :execrows
DELETE FROM sessions USING (
    SELECT old.bucket, old.id FROM sessions old WHERE old.expires_at < sqlc.arg(expired_before)::timestamptz
    ORDER BY old.expires_at LIMIT sqlc.arg(batch)
) doomed
WHERE sessions.bucket = doomed.bucket AND sessions.id = doomed.id;

-- name: PurgeIdempotencyKeys :execrows
DELETE FROM idempotency_keys k USING (
    SELECT old.bucket, old.user_id, old.key FROM idempotency_keys old WHERE old.created_at < sqlc.arg(created_before)::timestamptz
    ORDER BY old.created_at LIMIT sqlc.arg(batch)
) doomed
WHERE k.bucket = doomed.bucket AND k.user_id = doomed.user_id AND k.key = doomed.key;

-- name: ListSessionsToExport :many
SELECT id, user_agent, address, created_at, last_seen_at, expires_at FROM sessions
WHERE bucket = $1 AND user_id = $2 ORDER BY id;

-- name: ListPanelsToExport :many
SELECT * FROM panels WHERE bucket = $1 AND user_id = $2 AND deleted_at IS NULL ORDER BY id;

-- name: ListFilesToExport :many
SELECT * FROM files WHERE bucket = $1 AND panel_id = $2 AND id > sqlc.arg(after)::uuid ORDER BY id LIMIT sqlc.arg(row_limit);
