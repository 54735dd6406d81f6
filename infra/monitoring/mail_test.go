package monitoring_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/mailtest"
)

// mailPatience bounds the start of Alertmanager and a mail, on a busy machine.
const mailPatience = time.Minute

// An alert becomes a mail that says which stack, how bad, and what to do: over the network by TLS alone, signed in.
func TestAlertsAreMailed(t *testing.T) {
	t.Parallel()
	certificate, authority := newCertificate(t)
	for name, test := range map[string]struct {
		server mailtest.Options
		// host is how Alertmanager is told of the server: the same machine by a name that does not say so is as far away as any.
		host      string
		encrypted bool
	}{
		"on this machine": {host: "127.0.0.1"},
		"elsewhere": {
			server: mailtest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, User: "panel", Password: "correct horse"},
			host:   "LOCALHOST", encrypted: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.New(t, test.server)
			alertmanager := startAlertmanager(t, authority, func(folder string) monitoring.Alertmanager {
				_, port, err := net.SplitHostPort(server.Address)
				require.NoError(t, err)
				return monitoring.Alertmanager{
					Pace: monitoring.Rehearsed(time.Second), ConfigFolder: folder, Email: &monitoring.Email{
						To: "ops@example.com", From: "panel@example.com", Server: net.JoinHostPort(test.host, port),
						User: test.server.User, Password: config.Secret(test.server.Password),
					},
				}
			})
			postAlert(t, alertmanager, stacks.Page)
			sent := server.Await(t, mailPatience, func(m mailtest.Mail) bool { return strings.Contains(m.Subject, "FIRING") })
			assert.Equal(t, "ops@example.com", sent.To)
			assert.Equal(t, "panel@example.com", sent.From)
			assert.Equal(t, test.encrypted, sent.Encrypted)
			assert.Equal(t, test.server.User, sent.User)
			assert.Contains(t, sent.Subject, "disk-space")
			for _, told := range []string{"local-tier1", "page", "The data disk has less than 10 % left", "8.5 %", monitoring.RunbookBase + "disk-space.md"} {
				assert.Contains(t, sent.Text, told)
			}
		})
	}
}

// An alert becomes a message of a topic, signed for its region; one on a trigger does not.
func TestAlertsAreToldToATopic(t *testing.T) {
	t.Parallel()
	type message struct{ form, authorization string }
	messages := make(chan message, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		messages <- message{string(body), r.Header.Get("Authorization")}
		_, _ = w.Write([]byte("<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"))
	}))
	t.Cleanup(server.Close)
	alertmanager := startAlertmanager(t, "", func(folder string) monitoring.Alertmanager {
		return monitoring.Alertmanager{
			Pace: monitoring.Rehearsed(time.Second), ConfigFolder: folder, Topic: &monitoring.Topic{ARN: topic, Endpoint: server.URL},
		}
	})
	postAlert(t, alertmanager, stacks.Growth) // First, so that it would be told first.
	postAlert(t, alertmanager, stacks.Page)
	ctx, cancel := context.WithTimeout(t.Context(), mailPatience)
	defer cancel()
	select {
	case sent := <-messages:
		form, err := url.ParseQuery(sent.form)
		require.NoError(t, err)
		assert.Equal(t, "Publish", form.Get("Action"))
		assert.Equal(t, topic, form.Get("TopicArn"))
		assert.Equal(t, "FIRING: disk-space of local-tier1", form.Get("Subject"))
		for _, told := range []string{"The data disk has less than 10 % left: 8.5 %", "severity page, firing", monitoring.RunbookBase + "disk-space.md"} {
			assert.Contains(t, form.Get("Message"), told)
		}
		assert.NotContains(t, form.Get("Message"), "severity growth")
		assert.Contains(t, sent.authorization, "/eu-central-1/sns/aws4_request")
	case <-ctx.Done():
		t.Fatal("no message has come")
	}
}

// startAlertmanager runs it on a free port, and gives its address. It ends with the test.
func startAlertmanager(t *testing.T, authority string, configured func(folder string) monitoring.Alertmanager) (address string) {
	t.Helper()
	folder := t.TempDir()
	files, err := configured(folder).Files()
	require.NoError(t, err)
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address = listener.Addr().String()
	require.NoError(t, listener.Close())
	var logs bytes.Buffer
	// Not the test's context: it is asked to end by the clean-up.
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "prometheus-alertmanager", "--web.listen-address="+address,
		"--config.file="+filepath.Join(folder, monitoring.AlertmanagerFile), "--storage.path="+filepath.Join(folder, "data"),
		"--cluster.listen-address=", "--data.retention="+monitoring.AlertmanagerRetention.String())
	command.Env = append(os.Environ(), "SSL_CERT_FILE="+authority, "AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY=secret")
	command.Stdout, command.Stderr = &logs, &logs
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		assert.NoError(t, command.Process.Signal(syscall.SIGTERM))
		_ = command.Wait()
		if t.Failed() {
			t.Log(logs.String())
		}
	})
	require.Eventually(t, func() bool {
		status, err := ask(t, http.MethodGet, "http://"+address+"/-/ready", nil)
		return err == nil && status == http.StatusOK
	}, mailPatience, 20*time.Millisecond, "Alertmanager is not ready")
	return address
}

// postAlert tells of an alert as Prometheus does.
func postAlert(t *testing.T, address string, severity stacks.Severity) {
	t.Helper()
	raw, err := json.Marshal([]map[string]any{{
		"labels": map[string]string{"alertname": "disk-space", "severity": string(severity), "stack": "local-tier1", "tier": "tier1"},
		"annotations": map[string]string{
			"summary": "The data disk has less than 10 % left", "value": "8.5 %", "runbook_url": monitoring.RunbookBase + "disk-space.md",
		},
		"startsAt": time.Now().Format(time.RFC3339Nano),
	}})
	require.NoError(t, err)
	status, err := ask(t, http.MethodPost, "http://"+address+"/api/v2/alerts", raw)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
}

func ask(t *testing.T, method, url string, body []byte) (status int, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// newCertificate makes one for localhost, and the file of the authority that stands for it.
func newCertificate(t *testing.T) (certificate tls.Certificate, authority string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	authority = filepath.Join(t.TempDir(), "authority.pem")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600))
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, authority
}
