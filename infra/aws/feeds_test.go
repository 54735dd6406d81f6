package aws_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/aws/awstest"
	"github.com/radpanel/radpanel/infra/host"
	"github.com/radpanel/radpanel/infra/host/ship"
	"github.com/radpanel/radpanel/infra/host/ship/shiptest"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// measuredByAWS are the figures that AWS has of its own accord, by namespace and name, with the dimensions that they come
// with, as the user guides of its services list them.
func measuredByAWS() map[string][]string {
	return map[string][]string{
		"AWS/EC2 CPUUtilization":             {"InstanceId"},
		"AWS/EC2 StatusCheckFailed_System":   {"InstanceId"},
		"AWS/EC2 StatusCheckFailed_Instance": {"InstanceId"},
	}
}

// An alarm that nobody feeds never rings: of each alarm of each stack, the figure is one that AWS has, or one that a host of
// the stack really sends, by the same name and with the same dimensions.
func TestEachAlarmIsFed(t *testing.T) {
	t.Parallel()
	eachVariant(t, func(t *testing.T, _ stacks.Stack, declared []awstest.Declared) {
		sent := map[string]bool{}
		carriers := 0
		for _, r := range declared {
			if !strings.HasSuffix(r.Type, ":Parameter") || !strings.Contains(at(r, "name").(string), "/hosts/") {
				continue
			}
			settings, err := machine.ReadHostSettings(at(r, "insecureValue").(string))
			require.NoError(t, err)
			assert.NotEmpty(t, settings.LogGroup, r.Name)
			data := sends(t, r.Name, settings)
			for _, datum := range data {
				sent[figureName(datum.Namespace, datum.Name, datum.Dimensions)] = true
			}
			if len(data) > 0 {
				carriers++
			}
		}
		assert.Equal(t, 1, carriers, "one host sends the stack's figures, and only one")
		alarms := 0
		for _, r := range declared {
			if !strings.HasSuffix(r.Type, ":MetricAlarm") {
				continue
			}
			alarms++
			namespace, metric := at(r, "namespace").(string), at(r, "metricName").(string)
			dimensions, names := map[string]string{}, []string{}
			for name := range r.Inputs["dimensions"].ObjectValue() {
				dimensions[string(name)] = at(r, "dimensions", string(name)).(string)
				names = append(names, string(name))
			}
			slices.Sort(names)
			if known, own := measuredByAWS()[namespace+" "+metric]; own {
				assert.Equal(t, known, names, r.Name)
				continue
			}
			assert.True(t, sent[figureName(namespace, metric, dimensions)], "%s: nobody sends %s", r.Name,
				figureName(namespace, metric, dimensions))
		}
		assert.Greater(t, alarms, 2)
	})
}

func figureName(namespace, metric string, dimensions map[string]string) string {
	return fmt.Sprintln(namespace, metric, dimensions)
}

// sends gives the figures that a host sends to CloudWatch, as the unit on it is told, where Prometheus has recorded what
// its rules record.
func sends(t *testing.T, name string, settings machine.HostSettings) []shiptest.Datum {
	t.Helper()
	_, asked, err := settings.Blueprint()
	require.NoError(t, err)
	names, err := settings.Secrets()
	require.NoError(t, err)
	secrets := map[string]config.Secret{}
	for _, name := range names {
		secrets[name] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	}
	if key := machine.DownloadKey(settings.DownloadKey); slices.Contains(names, key) {
		secrets[key] = signingKey(t)
	}
	site, err := host.NewSite(machine.CloudHost{Name: name, Region: "eu-central-1", Prefix: "/radpanel/" + settings.Stack}, settings, secrets,
		machine.ResourcesOf(asked), host.ReleasesFolder+"/x", host.Certificate{Chain: "x", Key: "x"})
	require.NoError(t, err)
	services, err := site.Services()
	require.NoError(t, err)
	command, rules := []string{}, ""
	for _, service := range services {
		if service.Unit.Name == "radpanel-ship" {
			command = service.Unit.Command
		}
		for _, file := range service.Files {
			if filepath.Base(file.Path) == monitoring.RulesFile {
				rules = file.Text
			}
		}
	}
	argument := func(name string) string {
		if i := slices.Index(command, name); i >= 0 {
			return command[i+1]
		}
		return ""
	}
	assert.Equal(t, settings.LogGroup, argument("--group"), name)
	if argument("--prometheus") == "" {
		return nil
	}
	tier, err := stacks.Plan().Tier(stacks.Tier(argument("--tier")))
	require.NoError(t, err)
	figures := monitoring.Carried(tier)
	return shipped(t, argument("--stack"), figures, rules)
}

// signingKey is one as the service takes it.
func signingKey(t *testing.T) config.Secret {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return config.Secret(base64.StdEncoding.EncodeToString(der))
}

// shipped sends what rules record of the figures, and gives what has arrived.
func shipped(t *testing.T, stack string, figures []monitoring.Figure, rules string) []shiptest.Datum {
	t.Helper()
	role := awssdk.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "secret", SessionToken: "token"}
	cloud := &shiptest.CloudWatch{Region: "eu-central-1", Credentials: role}
	server := httptest.NewServer(cloud)
	defer server.Close()
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record := strings.TrimSuffix(strings.TrimPrefix(r.FormValue("query"), "max("), ")")
		result := []any{}
		if strings.Contains(rules, "record: "+record+"\n") {
			end, _ := strconv.ParseFloat(r.FormValue("end"), 64)
			result = append(result, map[string]any{"metric": map[string]string{}, "values": [][2]any{{int64(end), "1"}}})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}})
	}))
	defer prometheus.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- ship.Run(ctx, ship.Config{
			Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider(role.AccessKeyID, role.SecretAccessKey, role.SessionToken),
			LogsEndpoint: server.URL, FiguresEndpoint: server.URL, LogGroup: "/radpanel", LogStream: "x", Journal: []string{"sh", "-c", "exec sleep 60"}, Folder: t.TempDir(),
			Stack: stack, Figures: figures, Prometheus: prometheus.URL, Log: slog.New(slog.DiscardHandler), Pace: ship.UsualPace(),
		})
	}()
	assert.Eventually(t, func() bool { return len(cloud.Data()) >= len(figures) }, 30*time.Second, 10*time.Millisecond, "%v of %v", cloud.Data(), figures)
	cancel()
	require.NoError(t, <-done)
	return cloud.Data()
}
