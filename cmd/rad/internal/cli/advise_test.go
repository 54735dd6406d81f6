package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/advise"
	"github.com/radpanel/radpanel/cmd/rad/internal/advise/cloudwatchtest"
	"github.com/radpanel/radpanel/infra/monitoring"
)

func TestThereIsNoAdviceForAStackThatIsNotThere(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	require.Equal(t, int(exitRefused), c.run(t, "advise", "mvp"))
	assert.Equal(t, "local-mvp  no advice\n"+
		"There is no advice without these measurements.\n"+
		"- Prometheus: there is no stack local-mvp on this machine\n"+
		"  expected a Prometheus that answers; `rad up local-mvp` starts it\n", c.out.String())
	assert.Empty(t, c.errors.String())

	require.Equal(t, int(exitRefused), c.run(t, "advise", "--json"))
	var advice advise.Advice
	require.NoError(t, json.Unmarshal(c.out.Bytes(), &advice))
	assert.Equal(t, advise.Refused, advice.Verdict)
	assert.Equal(t, "local-mvp", advice.Stack)
	require.Len(t, advice.Missing, 1)
	require.NotNil(t, advice.Next)
	assert.Equal(t, "rad promote mvp tier1", advice.Next.Command)
	assert.Positive(t, advice.Next.Cost.AWS)
}

// Triggers and capacities of another tier would be held against what is measured.
func TestThereIsNoAdviceOnATierThatDoesNotRun(t *testing.T) {
	t.Parallel()
	for running, want := range map[string]string{
		"tier1": "- Prometheus: stack shop runs tier1, and its configuration says mvp\n" +
			"  expected a Prometheus that answers; `rad advise shop -c tier=tier1` is about what runs\n",
		"mvp": "the stack has none: it was brought up by a rad before monitoring",
		"":    "the stack has none: it was brought up by a rad before monitoring", // Before stacks told their tier, too.
	} {
		c := newConsole(t)
		c.write(t, "state/shop/panel/conf/stack.json", `{"url":"http://localhost:8080","tier":"`+running+`"}`)
		require.Equal(t, int(exitRefused), c.run(t, "advise", "shop", "-c", "target=local", "-c", "tier=mvp"), c.errors.String())
		assert.Contains(t, c.out.String(), want, running)
	}
}

// outputs is what `pulumi stack output` says of a stack that was built.
const outputs = `{"target":"aws","tier":"mvp","region":"eu-central-1","hosts":{"panel-1":"i-1"},"url":"https://panel.example.com"}`

// askedOnAWS is a machine with a stack on AWS, whose CloudWatch is a server of the test's own.
func askedOnAWS(t *testing.T, answer string) (*console, *cloudwatchtest.Server) {
	t.Helper()
	c, server := onAWS(t), cloudwatchtest.Start(t)
	c.script(t, "tools/pulumi", `if [ "$1" = version ]; then echo v3.256.0; exit; fi
[ "$*" = "stack output --json --stack mvp --non-interactive" ] || { echo "error: unexpected: $*" >&2; exit 1; }
`+answer)
	c.app.CloudConfig = func(_ context.Context, region string) (aws.Config, error) { return server.Config(region), nil }
	return c, server
}

// fill gives CloudWatch the figures of an MVP that nobody uses, with a processor so busy for half an hour.
func fill(server *cloudwatchtest.Server, now time.Time, cpu float64) {
	for name, figure := range map[string]float64{
		"host_cpu": cpu, "database_connections": 3, "storage_used": 1e9, monitoring.ConcurrentUsers: 0, monitoring.RequestsPerSecond: 0,
		monitoring.Uptime: 100, monitoring.UptimeObserved: 3600,
	} {
		place, value := monitoring.PlaceOf(name), "mvp"
		if place.Dimension != monitoring.AlarmDimension {
			value = "i-1"
		}
		for age := 40 * time.Minute; age >= 0; age -= time.Minute {
			server.Put(cloudwatchtest.Metric{Namespace: place.Namespace, Name: place.MetricName, Dimension: place.Dimension, Value: value},
				cloudwatchtest.Sample{At: now.Add(-age), Figure: figure})
		}
	}
}

func TestAdviceOnAWSComesFromCloudWatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cpu  float64
		exit code
		want advise.Verdict
	}{{3, exitDone, advise.Stay}, {71, exitPromote, advise.Promote}} {
		c, server := askedOnAWS(t, "echo '"+outputs+"'")
		fill(server, time.Now(), test.cpu)
		require.Equal(t, int(test.exit), c.run(t, "advise", "mvp", "--target", "aws", "--json"), c.errors.String())
		var advice advise.Advice
		require.NoError(t, json.Unmarshal(c.out.Bytes(), &advice))
		assert.Equal(t, test.want, advice.Verdict, "%v", advice.Missing)
		assert.Equal(t, "mvp", advice.Stack)
		assert.Equal(t, "aws", advice.Target)
		assert.Len(t, advice.Triggers, 3)
		assert.Positive(t, advice.Next.Cost.AWS)
	}
}

func TestThereIsNoAdviceForAStackOnAWSThatHasNoFigures(t *testing.T) {
	t.Parallel()
	c, server := askedOnAWS(t, "echo '"+outputs+"'")
	require.Equal(t, int(exitRefused), c.run(t, "advise", "mvp", "--target", "aws"))
	assert.Contains(t, c.out.String(), "- CPU in use: never measured")
	assert.Contains(t, c.out.String(), "Name=Stack,Value=mvp")

	server.Refuse("AccessDenied")
	require.Equal(t, int(exitRefused), c.run(t, "advise", "mvp", "--target", "aws"))
	assert.Contains(t, c.out.String(), "- CloudWatch: read figures:")
	assert.Contains(t, c.out.String(), "cloudwatch:GetMetricData must be allowed in eu-central-1")

	for name, refused := range map[string]struct{ answer, want string }{
		"no stack":         {`echo "error: no stack named 'mvp' found" >&2; exit 255`, "there is no stack mvp in Pulumi's state"},
		"not built":        {"echo '{}'", "its outputs name no hosts"},
		"at another tier":  {"echo '" + strings.Replace(outputs, `"mvp"`, `"tier1"`, 1) + "'", "stack mvp runs tier1, and its configuration says mvp"},
		"on this machine?": {"echo '" + strings.Replace(outputs, `"aws"`, `"local"`, 1) + "'", "its outputs name no hosts"},
	} {
		c, _ := askedOnAWS(t, refused.answer)
		require.Equal(t, int(exitRefused), c.run(t, "advise", "mvp", "--target", "aws"), name)
		assert.Contains(t, c.out.String(), refused.want, name)
		assert.Contains(t, c.out.String(), "`rad up mvp --target aws` builds it", name)
	}
}

func TestAdviceOnAWSNeedsCredentialsThatWork(t *testing.T) {
	t.Parallel()
	c, _ := askedOnAWS(t, "echo '"+outputs+"'")
	c.app.CloudConfig = func(context.Context, string) (aws.Config, error) {
		return aws.Config{Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("the session has expired")
		})}, nil
	}
	require.Equal(t, int(exitMissing), c.run(t, "advise", "mvp", "--target", "aws"))
	assert.Contains(t, c.errors.String(), "AWS credentials: set AWS_PROFILE")
	assert.Contains(t, c.errors.String(), "the session has expired")

	c, _ = askedOnAWS(t, "echo 'error: passphrase must be set' >&2; exit 255")
	require.Equal(t, int(exitFailed), c.run(t, "advise", "mvp", "--target", "aws"))
	assert.Contains(t, c.errors.String(), "read the outputs of stack mvp: exit status 255: error: passphrase must be set")

	c = newConsole(t)
	c.environment["PATH"] = "/nowhere"
	require.Equal(t, int(exitMissing), c.run(t, "advise", "mvp", "--target", "aws"))
	for _, want := range []string{"the project", "the Pulumi command line", "AWS credentials"} {
		assert.Contains(t, c.errors.String(), want)
	}
}
