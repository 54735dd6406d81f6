package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// fakeRelease makes a release whose program writes its name down and ends with a code.
func fakeRelease(t *testing.T, folder, name string, code int) string {
	t.Helper()
	release := filepath.Join(folder, name)
	require.NoError(t, os.MkdirAll(filepath.Join(release, filepath.Dir(machine.ReleaseProgram)), 0o700))
	script := fmt.Sprintf("#!/bin/sh\necho %s $1 >>%s/applied\nexit %d\n", name, folder, code)
	require.NoError(t, os.WriteFile(filepath.Join(release, machine.ReleaseProgram), []byte(script), 0o700))
	return release
}

// A release that fails is left alone from then on. One that could not begin is not: it may be as good as any.
func TestAReleaseThatCouldNotBeginIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		code      int
		isLeft    bool
		isStopped bool
	}{
		{"it failed", 1, true, false},
		{"it could not begin", ExitCode(fmt.Errorf("apply: %w", &NotBegunError{os.ErrDeadlineExceeded})), false, false},
		{"the host shuts down", 1, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			current, wanted := fakeRelease(t, folder, "current", 0), fakeRelease(t, folder, "wanted", test.code)
			c := converger{log: slog.New(slog.DiscardHandler), failed: filepath.Join(folder, "failed-release")}
			c.settings.Release.SHA256 = "wanted"
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.isStopped {
				cancel()
			}
			require.Error(t, c.handOver(ctx, wanted, current))
			left, err := os.ReadFile(c.failed)
			if test.isLeft {
				assert.Equal(t, "wanted\n", string(left))
			} else {
				assert.ErrorIs(t, err, os.ErrNotExist)
			}
			if !test.isStopped {
				applied, err := os.ReadFile(filepath.Join(folder, "applied"))
				require.NoError(t, err)
				assert.Equal(t, "wanted apply\ncurrent apply\n", string(applied))
			}
		})
	}
	assert.Equal(t, 1, ExitCode(os.ErrNotExist))
}

// parameters is a Systems Manager that answers as it is told.
func parameters(t *testing.T, answer http.HandlerFunc) *Cloud {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return &Cloud{
		host:        machine.CloudHost{Region: "eu-central-1", Endpoints: machine.CloudEndpoints{Parameters: server.URL}},
		credentials: credentials.NewStaticCredentialsProvider("key", "secret", "token"), client: server.Client(),
	}
}

// AWS charges for each secret that it decrypts. One that was changed is noticed all the same.
func TestSecretsAreDecryptedOnlyIfTheyChanged(t *testing.T) {
	t.Parallel()
	stack, err := stacks.Load("mvp", nil)
	require.NoError(t, err)
	decrypted, version, made, suffix := 0, 1, 1.775e9, ""
	c := converger{
		host: machine.CloudHost{Prefix: "/radpanel/mvp"}, settings: machine.NewHostSettings(stack, stacks.RolePanel, 1),
		kept: filepath.Join(t.TempDir(), "secrets.json"),
		cloud: parameters(t, func(w http.ResponseWriter, r *http.Request) {
			var asked struct {
				Names          []string
				WithDecryption bool
			}
			if !assert.NoError(t, json.NewDecoder(r.Body).Decode(&asked)) {
				return
			}
			var all []map[string]any
			for _, name := range asked.Names {
				value := "encrypted"
				if asked.WithDecryption {
					value = filepath.Base(name) + suffix
					decrypted++
				}
				all = append(all, map[string]any{"Name": name, "Value": value, "Version": version, "LastModifiedDate": made})
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"Parameters": all})
		}),
	}
	needed, err := c.settings.Secrets()
	require.NoError(t, err)
	reads := func(window *machine.Window, why string, expected int) {
		t.Helper()
		decrypted = 0
		secrets, err := c.readSecrets(t.Context(), window)
		require.NoError(t, err)
		for _, name := range needed {
			assert.Equal(t, name+suffix, secrets[name].Reveal(), why)
		}
		assert.Equal(t, expected, decrypted, why)
	}
	reads(nil, "the host has booted", len(needed))
	reads(nil, "nothing has changed", 0)
	info, err := os.Stat(c.kept)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	version, suffix = 2, " of the second version"
	reads(nil, "another version", len(needed))
	reads(nil, "nothing has changed", 0)
	made, suffix = 1.776e9, " that was made again"
	reads(nil, "removed and made again", len(needed))
	reads(&machine.Window{}, "a window is open", len(needed)+1)
	reads(&machine.Window{}, "nothing has changed", 0)
	reads(nil, "the window is closed", len(needed))
	require.NoError(t, os.WriteFile(c.kept, []byte("{"), 0o600))
	reads(nil, "what was kept cannot be read", len(needed))
}

// The role of a host that was just made may not be known everywhere yet.
func TestParametersOutOfReachAreNoFaultOfTheRelease(t *testing.T) {
	t.Parallel()
	stack, err := stacks.Load("mvp", nil)
	require.NoError(t, err)
	for _, refused := range []string{"promotion", "owner-password"} {
		c := converger{
			host: machine.CloudHost{Prefix: "/radpanel/mvp"}, settings: machine.NewHostSettings(stack, stacks.RolePanel, 1), log: slog.New(slog.DiscardHandler),
			cloud: parameters(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || strings.Contains(string(body), "/"+refused) {
					http.Error(w, `{"__type":"AccessDeniedException"}`, http.StatusBadRequest)
					return
				}
				_, _ = w.Write([]byte(`{"Parameters":[]}`))
			}),
		}
		err := c.apply(t.Context(), "release")
		require.ErrorContains(t, err, "AccessDeniedException")
		assert.Equal(t, notBegun, ExitCode(err), refused)
	}
}
