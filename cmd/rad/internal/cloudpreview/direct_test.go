package cloudpreview_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli/pulumiclitest"
	"github.com/radpanel/radpanel/infra/aws"
	"github.com/radpanel/radpanel/infra/aws/awstest"
)

// operator is somebody with a checkout, a backend and a cloud of their own, who runs rad and the plain CLI.
type operator struct {
	*testing.T
	project string
	pulumi  string
	cloud   *awstest.Cloud
	// environment is that of their shell.
	environment map[string]string
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	t.Parallel()
	cloud, err := awstest.New(image)
	require.NoError(t, err)
	root := t.TempDir()
	o := &operator{T: t, project: filepath.Join(root, "checkout"), pulumi: pulumiclitest.Find(t).Path, cloud: cloud}
	for _, folder := range []string{"bin", "checkout", "home", "release", "state"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, folder), 0o700))
	}
	require.NoError(t, os.Symlink(o.pulumi, filepath.Join(root, "bin", "pulumi")))
	self, err := os.Executable()
	require.NoError(t, err)
	script := fmt.Sprintf("#!/bin/sh\n%s=%s exec '%s' \"$@\"\n", roleVariable, roleHost, self)
	require.NoError(t, os.WriteFile(filepath.Join(root, "bin", "pulumi-language-go"), []byte(script), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(root, "bin", "go"), []byte("#!/bin/sh\n"), 0o700)) // Nothing is compiled.
	require.NoError(t, os.WriteFile(filepath.Join(root, "release", aws.ReleaseFile), []byte("a release"), 0o600))
	o.write("Pulumi.yaml", "name: rad-panel\nruntime: go\n")
	o.environment = map[string]string{
		"PATH": filepath.Join(root, "bin") + string(os.PathListSeparator) + "/usr/bin:/bin", "HOME": filepath.Join(root, "home"),
		"PULUMI_HOME": filepath.Join(root, "home", ".pulumi"), "PULUMI_BACKEND_URL": "file://" + filepath.Join(root, "state"),
		"PULUMI_CONFIG_PASSPHRASE": passphrase, "PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DEBUG_PROVIDERS": serve(t, cloud),
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		"AWS_ACCESS_KEY_ID":                           "AKIATEST", "AWS_SECRET_ACCESS_KEY": "of nobody",
		aws.ReleaseFolderVariable: filepath.Join(root, "release"), "RAD_STATE_FOLDER": filepath.Join(root, "rad"),
	}
	return o
}

const passphrase = "a passphrase of the test"

// serve serves the cloud's providers until the test ends, and gives their addresses.
func serve(t *testing.T, cloud *awstest.Cloud) string {
	t.Helper()
	var addresses []string
	for _, name := range []string{"aws", "random"} {
		stop := make(chan bool)
		handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Cancel: stop, Init: func(server *grpc.Server) error {
			pulumirpc.RegisterResourceProviderServer(server, cloud.Provider())
			return nil
		}})
		require.NoError(t, err)
		t.Cleanup(func() {
			close(stop)
			assert.NoError(t, <-handle.Done)
		})
		addresses = append(addresses, fmt.Sprintf("%s:%d", name, handle.Port))
	}
	return strings.Join(addresses, ",")
}

func (o *operator) write(name, content string) {
	o.Helper()
	require.NoError(o, os.WriteFile(filepath.Join(o.project, name), []byte(content), 0o600))
}

// configure writes the configuration of a stack, with what pulumi noted there.
func (o *operator) configure(stack string, lines ...string) {
	o.Helper()
	salt := ""
	present, _ := os.ReadFile(filepath.Join(o.project, "Pulumi."+stack+".yaml")) // There may be none yet.
	for line := range strings.Lines(string(present)) {
		if strings.HasPrefix(line, "encryptionsalt: ") {
			salt = line
		}
	}
	config := "config:\n  rad-panel:ami: " + image + "\n"
	for _, line := range lines {
		config += "  rad-panel:" + line + "\n"
	}
	o.write("Pulumi."+stack+".yaml", salt+config)
}

type said struct {
	out, errors string
	code        int
}

// run runs a program in the operator's shell.
func (o *operator) run(program string, more []string, arguments ...string) said {
	o.Helper()
	command := exec.CommandContext(o.Context(), program, arguments...)
	command.Dir, command.Env = o.project, more
	for name, value := range o.environment {
		command.Env = append(command.Env, name+"="+value)
	}
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	_ = command.Run() // Its code tells.
	return said{out.String(), errs.String(), command.ProcessState.ExitCode()}
}

func (o *operator) rad(arguments ...string) said {
	o.Helper()
	self, err := os.Executable()
	require.NoError(o, err)
	return o.run(self, []string{roleVariable + "=" + roleRad}, arguments...)
}

// plain runs the plain CLI, which has to succeed.
func (o *operator) plain(arguments ...string) {
	o.Helper()
	result := o.run(o.pulumi, nil, append(arguments, "--non-interactive")...)
	require.Zero(o, result.code, result.out+result.errors)
}

// Stacks on AWS are previewed without anything between: rad runs the plain CLI, and writes one comment of all.
func TestStacksOnAWSArePreviewedByRadItself(t *testing.T) {
	o := newOperator(t)
	o.configure("mvp")
	o.configure("tier1")
	o.configure("tier2", "acknowledgeCost: 600")
	for _, stack := range []string{"mvp", "tier1", "tier2"} {
		o.plain("stack", "init", stack)
	}
	got := o.rad("preview", "mvp", "tier1", "tier2", "tier3", "--target", "aws", "--markdown")
	assert.Equal(t, 11, got.code, got.errors)
	check(t, "direct.md", got.out)
	assert.Contains(t, got.errors, "rad: tier1: the stack would cost about $114 a month, more than the plan's $40-$60")
	assert.Contains(t, got.errors, "rad: tier3: ")
	assert.Contains(t, got.errors, "what to do: make it by `pulumi stack init tier3`")
	got = o.rad("up", "tier1", "--target", "aws", "--yes")
	assert.Equal(t, 11, got.code, got.out+got.errors)
	assert.Contains(t, got.errors, "rad: the stack would cost about $114 a month")
	assert.Empty(t, o.cloud.Things("Vpc"), "nothing was made")

	// One that was made, as it is and as the next tier.
	o.configure("growing", "tier: mvp", "target: aws")
	o.plain("stack", "init", "growing")
	got = o.rad("up", "growing", "--target", "aws", "--yes")
	require.Zero(t, got.code, got.out+got.errors)
	assert.Contains(t, got.errors, "rad: handing over to pulumi up --stack growing --yes")
	got = o.rad("preview", "growing", "--target", "aws", "--expect-no-changes")
	assert.Zero(t, got.code, got.out+got.errors)
	assert.Contains(t, got.out, "preview growing: nothing to do, ")
	o.configure("growing", "tier: tier1", "target: aws", "acknowledgeCost: 120")
	got = o.rad("preview", "growing", "--target", "aws", "--json")
	assert.Zero(t, got.code, got.out+got.errors)
	assert.Contains(t, got.out, `"text":"cost: $21.34 a month before, $113.58 after"`)
	assert.Contains(t, got.out, `"changes":{"create":5,"delete":3,"same":`)
	o.keepsItsSecrets(got.out + got.errors)

	for of, want := range map[string]float64{"blueprint": 113.58, "state": 19.50, "preview": 113.58} {
		got = o.rad("cost", "growing", "--of", of, "--json")
		require.Zero(t, got.code, got.errors)
		var cost struct {
			From    string
			Monthly float64 `json:"monthly_usd"`
		}
		require.NoError(t, json.Unmarshal([]byte(got.out), &cost))
		assert.Equal(t, of, cost.From)
		assert.InDelta(t, want, cost.Monthly, 2.5, of) // The state is priced with the usage of the tier that it is to become.
	}
}

// keepsItsSecrets holds what was made up for the stacks against what was said.
func (o *operator) keepsItsSecrets(text string) {
	o.Helper()
	secrets := o.cloud.Things("RandomBytes")
	require.NotEmpty(o, secrets)
	for _, made := range secrets {
		if strings.Contains(text, plain(made.Outputs["base64"])) { // Not NotContains, which would show it.
			o.Errorf("a secret is shown")
		}
	}
	assert.NotContains(o, text, passphrase)
	assert.NotContains(o, text, "of nobody")
}

func TestWhatKeepsAPreviewOnAWSFromBeingMadeIsSaidWithWhatToDo(t *testing.T) {
	o := newOperator(t)
	o.configure("mvp")
	o.plain("stack", "init", "mvp")

	got := o.rad("preview", "mvp", "--target", "aws", "--timeout", "1ms")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.errors, "stack mvp: pulumi did not finish within 1ms: it was ended; give it longer by --timeout")

	got = o.rad("cost", "mvp", "--of", "state")
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.errors, "stack mvp has no resources yet")

	delete(o.environment, "PULUMI_CONFIG_PASSPHRASE")
	got = o.rad("preview", "mvp", "--target", "aws")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.errors, "what to do: give the passphrase of the stack's secrets: PULUMI_CONFIG_PASSPHRASE")

	o.environment["PULUMI_CONFIG_PASSPHRASE"] = "another"
	got = o.rad("preview", "mvp", "--target", "aws", "--markdown")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.out, "what to do: give the passphrase that the stack was made with")

	got = o.rad("preview", "mvp", "--target", "aws", "-c", "logLevel=debug")
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.errors, "--config is for stacks on this machine")

	require.NoError(t, os.Remove(filepath.Join(filepath.Dir(o.project), "bin", "pulumi-language-go")))
	delete(o.environment, "AWS_ACCESS_KEY_ID")
	o.environment["AWS_CONFIG_FILE"] = ""
	got = o.rad("preview", "mvp", "--target", "aws", "--markdown")
	assert.Equal(t, 7, got.code)
	for _, want := range []string{"pulumi-language-go, which runs the program", "AWS credentials: set AWS_PROFILE"} {
		assert.Contains(t, got.errors, want)
	}
	assert.Contains(t, got.out, "## ❌ No preview of 1 stack")
}
