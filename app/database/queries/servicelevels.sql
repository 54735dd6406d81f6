-- name: AddPageLoad :exec
INSERT INTO page_load_minutes (minute, cold, up_to_ms, loads) VALUES (date_trunc('minute', sqlc.arg(at)::timestamptz), $1, $2, 1)
ON CONFLICT (minute, cold, up_to_ms) DO UPDATE SET loads = page_load_minutes.loads + 1;

-- name: CountPageLoads :many
SELECT up_to_ms, sum(loads)::bigint AS loads FROM page_load_minutes
WHERE minute >= sqlc.arg(since) AND cold GROUP BY up_to_ms ORDER BY up_to_ms;

-- name: AddProbe :exec
-- Until the front door has answered for the first time there is no uptime to lose: the stack is still coming up.
INSERT INTO uptime_minutes (minute, probes, failures)
SELECT date_trunc('minute', sqlc.arg(at)::timestamptz), 1, sqlc.arg(failures)::int
WHERE sqlc.arg(failures)::int = 0 OR (SELECT min(u.minute) FROM uptime_minutes u) IS NOT NULL
ON CONFLICT (minute) DO UPDATE SET probes = uptime_minutes.probes + 1, failures = uptime_minutes.failures + excluded.failures;

-- name: MeasureUptime :one
-- A minute without a record is one in which nobody was there to ask. The present one is not over.
SELECT min(minute)::timestamptz AS first, count(*) FILTER (WHERE probes > failures) AS good
FROM uptime_minutes WHERE minute >= sqlc.arg(since)::timestamptz AND minute < date_trunc('minute', sqlc.arg(now)::timestamptz)
HAVING count(*) > 0;

-- name: PurgePageLoads :execrows
DELETE FROM page_load_minutes WHERE minute < sqlc.arg(before)::timestamptz;

-- name: PurgeUptime :execrows
DELETE FROM uptime_minutes WHERE minute < sqlc.arg(before)::timestamptz;
