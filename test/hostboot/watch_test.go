package hostboot

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// isWatched waits until CloudWatch has what the host wrote, and the figures that the stack's alarms are about.
func (b *booted) isWatched() {
	b.Helper()
	for _, unit := range []string{"radpanel-panel.service", "radpanel-nginx.service", "radpanel-postgresql.service", "init.scope"} {
		b.awaits(time.Minute, "a log of "+unit, func() error {
			for _, event := range b.cloud.watch.Events(logGroup, b.host.Name) {
				if strings.Contains(event.Message, `"unit":"`+unit+`"`) {
					return nil
				}
			}
			looked, _ := b.container.try(b.Context(), "sh", "-c", "ls -la /var/log/journal/*; journalctl --no-pager --unit=radpanel-ship --lines=20; "+
				"ps -ef | grep journalctl; runuser -u rad-ship -G systemd-journal -- journalctl --lines=2 --no-pager")
			return fmt.Errorf("none of %d; refused: %v; the host says %s", len(b.cloud.watch.Events(logGroup, b.host.Name)), b.cloud.watch.Refused(), looked)
		})
	}
	tier, err := stacks.Plan().Tier(b.settings.Tier)
	require.NoError(b, err)
	figures := monitoring.Carried(tier)
	require.NotEmpty(b, figures)
	for _, figure := range figures {
		b.awaits(4*time.Minute, "the figure "+figure.Name, func() error { return b.arrived(figure) })
	}
	assert.Empty(b, b.cloud.watch.Refused(), "calls that CloudWatch would not take")
	b.tellsOfUnits()
	for _, unit := range []string{"radpanel-prometheus", "radpanel-node-exporter", "radpanel-postgres-exporter", "radpanel-blackbox-exporter", "radpanel-ship"} {
		b.Logf("%s: %s of memory", unit, b.container.run("systemctl", "show", "--property=MemoryCurrent", "--value", unit))
	}
	// Nothing is left out by a restart in the middle.
	b.container.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "radpanel-ship")
	b.container.run("logger", "--tag", "test", "after a crash of the shipper")
	b.awaits(time.Minute, "what was written while nobody carried it", func() error {
		for _, event := range b.cloud.watch.Events(logGroup, b.host.Name) {
			if strings.Contains(event.Message, "after a crash of the shipper") {
				return nil
			}
		}
		return errors.New("it is not there")
	})
}

// tellsOfUnits has a backup fail, until Prometheus sees what the alert on it looks for.
func (b *booted) tellsOfUnits() {
	b.Helper()
	const folder = "/run/systemd/system/radpanel-backup.service.d"
	alerts, err := stacks.Plan().Alerts(b.settings.Tier)
	require.NoError(b, err)
	found := slices.IndexFunc(alerts, func(alert stacks.Alert) bool { return alert.ID == "unit-failed" })
	b.container.run("sh", "-c", "mkdir -p "+folder+" && printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' >"+folder+"/fails.conf && systemctl daemon-reload")
	_, err = b.container.try(b.Context(), "systemctl", "start", "radpanel-backup.service")
	require.Error(b, err, "a backup that fails")
	b.awaits(2*time.Minute, "a failed unit", func() error {
		asked, err := b.asks(alerts[found].Expression)
		if err == nil && !strings.Contains(asked, `"name":"radpanel-backup.service"`) {
			err = errors.New("Prometheus says " + asked)
		}
		return err
	})
	b.container.run("sh", "-c", "rm -r "+folder+" && systemctl daemon-reload && systemctl reset-failed radpanel-backup.service")
}

// asks gives what the host's Prometheus answers to an expression.
func (b *booted) asks(expression string) (string, error) {
	return b.container.try(b.Context(), "curl", "--silent", "--get", "--data-urlencode", "query="+expression, "http://127.0.0.1:9090/api/v1/query")
}

// arrived tells whether a figure has come as its alarm looks for it. There is none of requests without requests.
func (b *booted) arrived(figure monitoring.Figure) error {
	switch figure.Name {
	case monitoring.PageLoad: // No browser loads a page here.
		return nil
	case monitoring.Uptime, monitoring.UptimeObserved: // It begins with the first answer to a host that trusts the certificate.
		return nil
	}
	if _, _, err := b.get("/api/v1/panels"); err != nil {
		return err
	}
	for _, datum := range b.cloud.watch.Data() {
		if datum.Name == figure.Name && datum.Namespace == monitoring.AlarmNamespace && datum.Dimensions[monitoring.AlarmDimension] == b.settings.Stack {
			b.Logf("%s = %g", figure.Name, datum.Value)
			return nil
		}
	}
	asked, err := b.asks(figure.Record())
	return errors.Join(errors.New("it is not there; Prometheus says "+asked), err)
}
