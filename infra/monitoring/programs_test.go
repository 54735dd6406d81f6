package monitoring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/golden"
)

// accepted has the program itself check files.
func accepted(t *testing.T, files map[string]string, program string, arguments ...string) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Dir = folder
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func prometheus(tier stacks.Tier) monitoring.Prometheus {
	return monitoring.Prometheus{
		Stack: "local-" + string(tier), Tier: tier, Pace: monitoring.Usual(), DataDisk: "/var/lib/radpanel",
		FrontDoor: "http://localhost:8080/healthz/service", Blackbox: "127.0.0.1:9115", Alertmanager: "127.0.0.1:9093",
		Targets: []monitoring.Target{
			{Job: "service", Address: "127.0.0.1:8001", Labels: map[string]string{"instance": "panel"}},
			{Job: monitoring.NodeJob, Address: "127.0.0.1:9100", Labels: map[string]string{"instance": "host", "parts": ",web,"}},
			{Job: "service", Address: "127.0.0.1:8002", Labels: map[string]string{"instance": "panel-2"}},
		},
	}
}

func TestPrometheusTakesItsConfiguration(t *testing.T) {
	t.Parallel()
	for _, tier := range stacks.Tiers() {
		files, err := prometheus(tier).Files()
		require.NoError(t, err)
		accepted(t, files, "promtool", "check", "config", monitoring.PrometheusFile)
		golden.Check(t, "testdata/"+string(tier)+"/"+monitoring.RulesFile, files[monitoring.RulesFile])
		if tier == stacks.Tier2 {
			golden.Check(t, "testdata/"+string(tier)+"/"+monitoring.PrometheusFile, files[monitoring.PrometheusFile])
		}
	}
	rehearsed := prometheus(stacks.Tier1)
	rehearsed.Pace = monitoring.Rehearsed(time.Second)
	files, err := rehearsed.Files()
	require.NoError(t, err)
	accepted(t, files, "promtool", "check", "config", monitoring.PrometheusFile)
	assert.NotContains(t, files[monitoring.RulesFile], "for: ", "alerts fire at once")
	assert.Contains(t, files[monitoring.PrometheusFile], "scrape_interval: 1s")
}

func TestPrometheusRefuses(t *testing.T) {
	t.Parallel()
	p := prometheus(stacks.MVP)
	p.Pace.Every, p.DataDisk, p.Stack, p.Targets[1].Address = 90*time.Second, "data", "", ""
	_, err := p.Files()
	for _, part := range []string{`Pace.Every "1m30s"`, `DataDisk "data": expected the absolute path`, `Stack "": expected a value`, "Targets[1]"} {
		require.ErrorContains(t, err, part)
	}
	p = prometheus("tier9")
	_, err = p.Files()
	require.ErrorContains(t, err, "tier9")
}

func TestAlertmanagerTakesItsConfiguration(t *testing.T) {
	t.Parallel()
	nobody := monitoring.Alertmanager{Pace: monitoring.Usual(), ConfigFolder: "/etc/alertmanager"}
	hooked := nobody
	hooked.Webhook = "https://hooks.example.com/alerts"
	mailed := hooked
	mailed.Email = &monitoring.Email{
		To: "ops@example.com", From: "panel@example.com", Server: "smtp.example.com:587", User: "panel", Password: "correct horse",
	}
	nearby := nobody
	nearby.Pace = monitoring.Rehearsed(time.Second)
	nearby.Email = &monitoring.Email{To: "ops@example.com", From: "ops@example.com", Server: "127.0.0.1:25"}
	cloud := nobody
	cloud.Topic = &monitoring.Topic{ARN: topic}
	for name, configured := range map[string]monitoring.Alertmanager{"nobody": nobody, "webhook": hooked, "mail": mailed, "nearby": nearby, "topic": cloud} {
		files, err := configured.Files()
		require.NoError(t, err)
		accepted(t, files, "amtool", "check-config", monitoring.AlertmanagerFile)
		golden.Check(t, "testdata/alertmanager/"+name+".yml", files[monitoring.AlertmanagerFile])
		assert.NotContains(t, files[monitoring.AlertmanagerFile], "correct horse", "the password is in a file of its own")
		assert.Equal(t, name == "mail", files[monitoring.AlertmanagerPasswordFile] == "correct horse")
	}
	// Who is told of what: a page again each hour, growth each week.
	files, err := hooked.Files()
	require.NoError(t, err)
	for _, severity := range stacks.Severities() {
		accepted(t, files, "amtool", "config", "routes", "test", "--config.file="+monitoring.AlertmanagerFile, "--verify.receivers=operator",
			"severity="+string(severity))
	}
	// Of a trigger, an alarm of the cloud's own tells the topic.
	files, err = cloud.Files()
	require.NoError(t, err)
	for severity, receiver := range map[stacks.Severity]string{stacks.Page: "operator", stacks.Ticket: "operator", stacks.Growth: "alarms"} {
		accepted(t, files, "amtool", "config", "routes", "test", "--config.file="+monitoring.AlertmanagerFile, "--verify.receivers="+receiver,
			"severity="+string(severity))
	}
}

const topic = "arn:aws:sns:eu-central-1:123456789012:alarms-0123456"

func TestAlertmanagerRefuses(t *testing.T) {
	t.Parallel()
	a := monitoring.Alertmanager{
		ConfigFolder: "conf", Email: &monitoring.Email{To: "ops@example.com", User: "panel"}, Topic: &monitoring.Topic{ARN: "arn:aws:sqs:eu-central-1:1:x"},
	}
	_, err := a.Files()
	for _, part := range []string{`ConfigFolder "conf"`, "Email.From is empty", "Email.Server is empty", "Email.User and Email.Password", `Topic.ARN "arn:aws:sqs:eu-central-1:1:x"`} {
		require.ErrorContains(t, err, part)
	}
}

func TestBlackboxTakesItsConfiguration(t *testing.T) {
	t.Parallel()
	text, err := monitoring.Blackbox()
	require.NoError(t, err)
	accepted(t, map[string]string{monitoring.BlackboxFile: text}, "prometheus-blackbox-exporter", "--config.check", "--config.file="+monitoring.BlackboxFile)
	golden.Check(t, "testdata/"+monitoring.BlackboxFile, text)
}

func TestPostgresQueries(t *testing.T) {
	t.Parallel()
	with, err := monitoring.PostgresQueries(true)
	require.NoError(t, err)
	golden.Check(t, "testdata/"+monitoring.PostgresQueriesFile, with)
	without, err := monitoring.PostgresQueries(false)
	require.NoError(t, err)
	assert.NotContains(t, without, "pg_stat_statements")
	// The waits that count are those that the plan names.
	for _, wait := range []string{"WALWrite", "WALSync", "WALInsert", "DataFileWrite", "DataFileExtend", "SyncRep"} {
		assert.Contains(t, without, wait)
		assert.Contains(t, stacks.DatabaseWriteWait.Definition().Measured, wait)
	}
}
