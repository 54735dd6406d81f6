package stacks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

func TestLoadAlerting(t *testing.T) {
	t.Parallel()
	stack, err := stacks.Load("local-mvp", map[string]string{
		"alertWebhook": "http://127.0.0.1:9000/alerts", "alertEmail": "ops@example.com", "alertEmailFrom": "panel@example.com",
		"alertEmailServer": "smtp.example.com:587", "alertEmailUser": "panel", "alertEmailPasswordFile": "/etc/smtp", "alertRehearsal": "1s",
	})
	require.NoError(t, err)
	assert.Equal(t, stacks.Alerting{
		Webhook: "http://127.0.0.1:9000/alerts", Email: "ops@example.com", EmailFrom: "panel@example.com",
		EmailServer: "smtp.example.com:587", EmailUser: "panel", EmailPasswordFile: "/etc/smtp", Rehearsal: time.Second,
	}, stack.Settings.Alerting)
	stack, err = stacks.Load("local-mvp", map[string]string{"alertRehearsal": "1m"})
	require.NoError(t, err)
	assert.Equal(t, time.Minute, stack.Settings.Alerting.Rehearsal)
}

func TestAlertsOnAWSNeedNoServer(t *testing.T) {
	t.Parallel()
	stack, err := stacks.Load("mvp", map[string]string{"alertEmail": "ops@example.com"})
	require.NoError(t, err)
	assert.Equal(t, stacks.Alerting{Email: "ops@example.com"}, stack.Settings.Alerting)
	_, err = stacks.Load("mvp", map[string]string{"alertEmailServer": "smtp.example.com:587"})
	require.ErrorContains(t, err, "it has no effect on target aws")
}

func TestLoadRefusesAlerting(t *testing.T) {
	t.Parallel()
	const server = "allowed is host and port, such as smtp.example.com:587, with alertEmail"
	for _, test := range []struct{ key, value, want string }{
		{"alertWebhook", "hooks.example.com", "not a URL: allowed is an http or https URL, such as https://hooks.example.com/alerts"},
		{"alertWebhook", "file:///etc/passwd", "not a URL: allowed is an http or https URL, such as https://hooks.example.com/alerts"},
		{"alertWebhook", "https:///alerts", "not a URL: allowed is an http or https URL, such as https://hooks.example.com/alerts"},
		{"alertEmail", "Ops <ops@example.com>", "not an address alone: allowed is one address, such as ops@example.com, with alertEmailServer"},
		{"alertEmail", "ops@example.com", "it has no effect without rad-panel:alertEmailServer: set that too"},
		{"alertEmailFrom", "ops", "not an address alone: allowed is one address, such as panel@example.com, with alertEmail"},
		{"alertEmailFrom", "ops@example.com", "it has no effect without rad-panel:alertEmail: set that too"},
		{"alertEmailServer", "smtp.example.com", "not host:port: " + server},
		{"alertEmailServer", "smtp.example.com:0", "not host:port: " + server},
		{"alertEmailServer", ":25", "not host:port: " + server},
		{"alertEmailServer", "smtp.example.com:25", "it has no effect without rad-panel:alertEmail: set that too"},
		{"alertEmailUser", "", "empty or too long: allowed is 1 to 256 characters, with alertEmailPasswordFile"},
		{"alertEmailPasswordFile", "secret", "not an absolute path: allowed is the absolute path of a file, with alertEmailUser"},
		{"alertEmailPasswordFile", "/secret", "it has no effect without rad-panel:alertEmailUser: set that too"},
		{"alertRehearsal", "900ms", "too small: allowed is 1s to 1m, or 0s for none"},
		{"alertRehearsal", "61s", "too large: allowed is 1s to 1m, or 0s for none"},
		{"alertRehearsal", "1500ms", "not whole seconds: allowed is 1s to 1m, or 0s for none"},
	} {
		_, err := stacks.Load("local-mvp", map[string]string{test.key: test.value})
		require.EqualError(t, err, `rad-panel:`+test.key+`: "`+test.value+`": `+test.want)
	}
	_, err := stacks.Load("local-mvp", map[string]string{"alertEmailUser": "panel", "alertEmailPasswordFile": "/secret"})
	require.ErrorContains(t, err, "without rad-panel:alertEmail: set that too")
	_, err = stacks.Load("local-mvp", map[string]string{"alertEmailUser": strings.Repeat("x", 257)})
	require.ErrorContains(t, err, "empty or too long")
}
