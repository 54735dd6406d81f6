package monitoring

import (
	"fmt"

	"github.com/radpanel/radpanel/stacks"
)

// The arguments of the programs that watch, beside the address that they listen at.

// NodeArguments are those of prometheus-node-exporter: the host's CPU, memory and disks.
func NodeArguments() []string {
	return []string{
		"--collector.disable-defaults", "--collector.cpu", "--collector.meminfo", "--collector.diskstats", "--collector.filesystem",
		// The root of a container is an overlay, which is left out otherwise.
		"--collector.filesystem.fs-types-exclude=^(autofs|bpf|cgroup2?|devpts|devtmpfs|mqueue|nsfs|proc|sysfs|tracefs)$",
		// What is mounted twice, as below /run, is an error.
		"--collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys)($|/)",
		"--web.disable-exporter-metrics", "--log.level=warn",
	}
}

// UnitArguments have prometheus-node-exporter tell of a host's units, by a pattern of their names. It asks systemd by D-Bus.
func UnitArguments(pattern string) []string {
	return []string{"--collector.systemd", "--collector.systemd.unit-include=" + pattern}
}

// BlackboxArguments are those of prometheus-blackbox-exporter, with the path of [BlackboxFile].
func BlackboxArguments(file string) []string {
	return []string{"--config.file=" + file, "--log.level=warn"}
}

// PostgresArguments are those of prometheus-postgres-exporter, with the path of [PostgresQueriesFile].
func PostgresArguments(file string) []string {
	return []string{
		"--disable-default-metrics", "--disable-settings-metrics", "--no-collector.database", "--no-collector.bgwriter",
		"--extend.query-path=" + file, "--log.level=warn",
	}
}

// RedisArguments are those of prometheus-redis-exporter, with the path of the server's socket and the user to log in as.
func RedisArguments(socket, user string) []string {
	return []string{"-redis.addr=unix://" + socket, "-redis.user=" + user, "-redis-only-metrics", "-set-client-name=false"}
}

// PrometheusArguments are those of prometheus, with the path of [PrometheusFile] and the folder of its data.
func PrometheusArguments(file, folder string) []string {
	return []string{
		"--config.file=" + file, "--storage.tsdb.path=" + folder,
		"--storage.tsdb.retention.time=" + stacks.PrometheusDuration(Retention),
		fmt.Sprintf("--storage.tsdb.retention.size=%dMB", RetentionSize/stacks.MiB),
		"--web.cors.origin=^$", // No page in the operator's browser reads it.
		"--query.max-concurrency=4", "--log.level=warn", "--log.format=json",
	}
}

// AlertmanagerArguments are those of prometheus-alertmanager, with the path of [AlertmanagerFile] and the folder of its data.
func AlertmanagerArguments(file, folder string) []string {
	return []string{
		"--config.file=" + file, "--storage.path=" + folder,
		"--cluster.listen-address=", // There is one alone.
		// It must remember what it said for longer than until it says it again.
		"--data.retention=" + AlertmanagerRetention.String(),
		"--log.level=warn", "--log.format=json",
	}
}

// PrometheusMemory is what the garbage collector of Prometheus keeps within.
const PrometheusMemory = 192 * stacks.MiB
