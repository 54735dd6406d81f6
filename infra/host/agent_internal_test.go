package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What Amazon has not signed is not installed.
func TestSignatures(t *testing.T) {
	t.Parallel()
	home, err := os.MkdirTemp("", "gpg") // Its sockets need a short path.
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() //nolint:noctx // The test's context is done.
		assert.NoError(t, os.RemoveAll(home))
	})
	gpg := func(arguments ...string) []byte {
		out, err := exec.CommandContext(t.Context(), "gpg", append([]string{
			"--homedir", home, "--batch", "--quiet", "--yes",
			// A key that has ended since, as Amazon's has: what it signed in its time counts.
			"--faked-system-time", "20200101T000000",
		}, arguments...)...).Output()
		require.NoError(t, err, "%v: is gpg installed? make test installs it", arguments)
		return out
	}
	folder := t.TempDir()
	key, file, signature := filepath.Join(folder, "key.asc"), filepath.Join(folder, "agent.deb"), filepath.Join(folder, "signature")
	gpg("--passphrase", "", "--quick-generate-key", "test@example.com", "ed25519", "sign", "1y")
	require.NoError(t, os.WriteFile(key, gpg("--armor", "--export"), 0o600))
	require.NoError(t, os.WriteFile(file, []byte("an agent"), 0o600))
	gpg("--output", signature, "--detach-sign", file)

	require.NoError(t, verifySigned(t.Context(), key, file, signature))
	require.ErrorContains(t, verifySigned(t.Context(), "share/amazon-ssm-agent.asc", file, signature), "gpgv", "another's signature")
	require.ErrorContains(t, verifySigned(t.Context(), file, file, signature), "expected a public key of PGP")
	require.NoError(t, os.WriteFile(file, []byte("another agent"), 0o600))
	require.ErrorContains(t, verifySigned(t.Context(), key, file, signature), "BAD signature")
}

// The key in the release is the one that Amazon publishes.
func TestAgentKey(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "gpg", "--homedir", home, "--batch", "--with-colons", "--show-keys", "share/amazon-ssm-agent.asc").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "fpr:::::::::DE92C7DA3E56E92331D62A36BC1F495C97DD04ED:")
	assert.Contains(t, string(out), "ssm-agent-signer@amazon.com")
}
