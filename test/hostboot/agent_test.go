package hostboot

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/host"
)

// agentBucket is where Amazon has the agent of Session Manager for the region.
const agentBucket = "amazon-ssm-" + region

// signing is a key that stands in for Amazon's.
type signing struct {
	t    testing.TB
	home string
}

func newSigning(t testing.TB) *signing {
	t.Helper()
	_, err := exec.LookPath("gpg")
	require.NoError(t, err, "gpg is not installed: make test-host installs it")
	home, err := os.MkdirTemp("", "gpg") // Its sockets need a short path.
	require.NoError(t, err)
	s := &signing{t: t, home: home}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() //nolint:noctx // The test's context is done.
		assert.NoError(t, os.RemoveAll(home))
	})
	s.gpg("--passphrase", "", "--quick-generate-key", "test@example.com", "ed25519", "sign", "never")
	return s
}

func (s *signing) gpg(arguments ...string) string {
	s.t.Helper()
	return command(s.t, "gpg", append([]string{"--homedir", s.home, "--batch", "--quiet", "--yes"}, arguments...)...)
}

// key gives the public one, in armour.
func (s *signing) key() string { return s.gpg("--armor", "--export", "test@example.com") }

// publishAgent puts a package where Amazon has its own, signed. The real one cannot be had without the internet: this one
// installs itself the same way, and writes what configuration it was given.
func (c *cloud) publishAgent(s *signing) {
	c.t.Helper()
	folder := c.t.TempDir()
	for path, text := range map[string]string{
		"DEBIAN/control":  "Package: amazon-ssm-agent\nVersion: " + host.AgentVersion + "-1\nArchitecture: all\nMaintainer: a test <test@example.com>\nDescription: stands in\n",
		"DEBIAN/postinst": "#!/bin/sh\nsystemctl daemon-reload && systemctl enable amazon-ssm-agent && systemctl start amazon-ssm-agent\n",
		"lib/systemd/system/amazon-ssm-agent.service": "[Unit]\nDescription=stands in\n[Service]\nExecStart=/usr/bin/amazon-ssm-agent\nRestart=always\n" +
			"[Install]\nWantedBy=multi-user.target\n",
		"usr/bin/amazon-ssm-agent": "#!/bin/sh\necho \"the agent reads $(tr -d '\\n ' </etc/amazon/ssm/amazon-ssm-agent.json)\"\nexec sleep infinity\n",
	} {
		path = filepath.Join(folder, path)
		require.NoError(c.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(c.t, os.WriteFile(path, []byte(text), 0o755))
	}
	deb := filepath.Join(c.t.TempDir(), "agent.deb")
	command(c.t, "dpkg-deb", "--build", "--root-owner-group", folder, deb)
	s.gpg("--output", deb+".sig", "--detach-sign", deb)
	architecture := strings.TrimSpace(command(c.t, "dpkg", "--print-architecture"))
	for _, ending := range []string{"", ".sig"} {
		c.put(agentBucket, host.AgentVersion+"/debian_"+architecture+"/amazon-ssm-agent.deb"+ending, deb+ending)
	}
}

// hasAgent waits until the agent runs with its configuration.
func (b *booted) hasAgent() {
	b.Helper()
	b.awaits(time.Minute, "the agent of Session Manager", func() error {
		_, err := b.container.try(b.Context(), "systemctl", "is-active", "amazon-ssm-agent")
		return err
	})
	b.awaits(30*time.Second, "the agent with its configuration", func() error {
		_, err := b.container.try(b.Context(), "sh", "-c", `journalctl --unit=amazon-ssm-agent --output=cat | grep -F '"Region":"`+region+`"'`)
		return err
	})
}
