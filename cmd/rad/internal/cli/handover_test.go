package cli

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pulumi answers `version`, and else says how it was called.
const fakePulumi = `if [ "$1" = version ]; then echo v3.256.0; exit; fi
echo "called: $* in $(pwd)"; exit "${FAIL:-0}"`

// onAWS is a machine that can hand over: a checkout, pulumi with its language host, Go and credentials.
func onAWS(t *testing.T) *console {
	t.Helper()
	c := newConsole(t)
	c.write(t, "checkout/Pulumi.yaml", "name: rad-panel\n")
	c.app.Folder = filepath.Join(c.root, "checkout")
	c.script(t, "tools/pulumi", fakePulumi)
	c.script(t, "tools/pulumi-language-go", "")
	c.script(t, "tools/go", "")
	c.environment["PATH"] = filepath.Join(c.root, "tools") + string(os.PathListSeparator) + "/usr/bin:/bin"
	c.environment["AWS_PROFILE"] = "test"
	c.environment["AWS_CONFIG_FILE"] = c.write(t, "aws-config", "[default]\n")
	return c
}

// What is previewed first, by the real plain CLI, is in package cloudpreview.
func TestTargetAWSHandsOverToThePlainCLI(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line []string
		want string
	}{
		{[]string{"status", "--target", "aws"}, "called: stack --stack mvp"},
		{[]string{"down", "tier1", "--target", "aws", "--yes"}, "called: destroy --stack tier1 --yes"},
		{[]string{"status", "tier1", "--target", "aws"}, "called: stack --stack tier1"},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			t.Parallel()
			c := onAWS(t)
			require.Equal(t, int(exitDone), c.run(t, test.line...), c.errors.String())
			assert.Contains(t, c.out.String(), test.want+" in "+filepath.Join(c.root, "checkout"))
		})
	}
}

func TestTargetAWSSaysAllThatIsMissing(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.environment["PATH"] = filepath.Join(c.root, "nothing")
	require.Equal(t, int(exitMissing), c.run(t, "up", "mvp", "--target", "aws"))
	for _, want := range []string{"no Pulumi.yaml of rad-panel", "the Pulumi command line", "pulumi-language-go", "the Go toolchain", "AWS credentials"} {
		assert.Contains(t, c.errors.String(), want)
	}
}

// What is sent to rad alone, as a supervisor does, has pulumi end too, and in order.
func TestPulumiIsToldThatRadIsToEnd(t *testing.T) {
	t.Parallel()
	c := onAWS(t)
	c.script(t, "tools/pulumi", `if [ "$1" = version ]; then echo v3.256.0; exit; fi
trap 'echo "ended in order"; kill $!; exit 1' INT
sleep 60 &
touch "`+c.root+`/begun"; wait $!`)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	ended := make(chan int, 1)
	go func() { ended <- c.app.Run(ctx, []string{"down", "mvp", "--target", "aws"}) }()
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(c.root, "begun"))
		return err == nil
	}, 30*time.Second, 5*time.Millisecond)
	cancel(ErrTerminated)
	assert.Equal(t, int(exitInterrupted), <-ended)
	assert.Contains(t, c.out.String(), "ended in order")
}

func TestAFailedHandOverHintsAtThePluginAndKeepsItsExitCode(t *testing.T) {
	t.Parallel()
	c := onAWS(t)
	c.script(t, "tools/pulumi", "FAIL=3\n"+fakePulumi)
	require.Equal(t, int(exitFailed), c.run(t, "down", "mvp", "--target", "aws"))
	assert.Contains(t, c.errors.String(), "the aws plugin is not installed in "+filepath.Join(c.root, "home", ".pulumi"))

	require.NoError(t, os.MkdirAll(filepath.Join(c.root, "home/.pulumi/plugins/resource-aws-v6.83.2"), 0o700))
	require.Equal(t, int(exitFailed), c.run(t, "down", "mvp", "--target", "aws"))
	assert.NotContains(t, c.errors.String(), "plugin")
}
