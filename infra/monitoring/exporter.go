package monitoring

import (
	"fmt"
	"strings"
)

// PostgresQueriesFile is the name of the file with the queries of prometheus-postgres-exporter.
const PostgresQueriesFile = "queries.yml"

// postgresQuery is one of them: its columns become metrics with the query's name before them.
type postgresQuery struct {
	Query   string                       `yaml:"query"`
	Metrics []map[string]postgresMeasure `yaml:"metrics"`
}

type postgresMeasure struct {
	Usage       string `yaml:"usage"`
	Description string `yaml:"description"`
}

// writeWaits are the wait events of a session that waits to write, as the metric of the plan's trigger names them.
func writeWaits() []string {
	return []string{"WALWrite", "WALSync", "WALInsert", "DataFileWrite", "DataFileExtend", "SyncRep"}
}

// PostgresQueries gives what is measured at a primary: the plan's figures, and what faults are told by. The exporter's own
// default metrics, hundreds of series, are not needed. Statistics says whether pg_stat_statements is there.
func PostgresQueries(statistics bool) (string, error) {
	query := func(text string, metrics ...map[string]postgresMeasure) postgresQuery {
		return postgresQuery{Query: text, Metrics: metrics}
	}
	gauge := func(column, description string) map[string]postgresMeasure {
		return map[string]postgresMeasure{column: {"GAUGE", description}}
	}
	queries := map[string]postgresQuery{
		"radpanel_postgres_sessions": query(
			"SELECT count(*) AS open, count(*) FILTER (WHERE state = 'active') AS active,"+
				fmt.Sprintf(" count(*) FILTER (WHERE state = 'active' AND wait_event IN ('%s')) AS waiting_to_write", strings.Join(writeWaits(), "', '"))+
				" FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
			gauge("open", "Client connections, without this one."),
			gauge("active", "Of these, those that run a statement."),
			gauge("waiting_to_write", "Of these, those that wait for a write of WAL or data."),
		),
		"radpanel_postgres_database": query("SELECT pg_database_size(current_database()) AS bytes",
			gauge("bytes", "Size of the panel's database.")),
		"radpanel_postgres_slots": query(
			"SELECT count(*) FILTER (WHERE NOT active) AS inactive, count(*) FILTER (WHERE starts_with(slot_name::text, 'promotion_')) AS promotion,"+
				" coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0) AS retained_bytes FROM pg_replication_slots",
			gauge("inactive", "Replication slots that nobody reads."),
			gauge("promotion", "Replication slots by which the other stack of a promotion follows."),
			gauge("retained_bytes", "WAL that the slot furthest behind keeps."),
		),
		"radpanel_postgres_archive": query(
			// A server that archives nothing has no such file. pg_stat_archiver tells of tries, and not of how far behind they are.
			"SELECT coalesce(extract(epoch FROM now() - min(modification)), 0) AS waiting_seconds FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'",
			gauge("waiting_seconds", "How long the oldest segment of WAL has waited to be archived."),
		),
		"radpanel_postgres_replicas": query(
			// The other stack of a promotion follows too, by logical slots, and is none.
			"SELECT count(*) AS streaming, coalesce(max(extract(epoch FROM replay_lag)), 0) AS lag_seconds"+
				" FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE r.state = 'streaming' AND s.slot_type = 'physical'",
			gauge("streaming", "Replicas that follow."),
			gauge("lag_seconds", "How far the last of them is behind."),
		),
	}
	if statistics {
		queries["radpanel_postgres_statements"] = query(
			// The service's statements begin with a comment that names them.
			`SELECT coalesce(sum(calls), 0)::float8 AS reads FROM pg_stat_statements WHERE query ~* '^(\s*--[^\n]*\n)*\s*select\M'`,
			map[string]postgresMeasure{"reads": {"COUNTER", "SELECT statements run."}})
	}
	return encode(queries)
}
