package host

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/radpanel/radpanel/infra/machine"
)

// The agent of Session Manager, by which people get onto the host. Debian has no package of it, and it cannot be built
// from modules: Amazon publishes it in a bucket of each region, signed.
const (
	agentUnit = "amazon-ssm-agent"
	// AgentVersion is that of the agent. It changes here alone: a host installs no other. It was signed by the key below.
	AgentVersion = "3.3.987.0"
	// agentConfig is read by the agent when it starts.
	agentConfig = "/etc/amazon/ssm/amazon-ssm-agent.json"
	// agentAttempts is a file of the time of the last try to install it: tries are agentPause apart.
	agentAttempts = stateFolder + "/agent-attempt"
	agentPause    = time.Hour
	// agentLimit bounds what is fetched; the package has 25 MB.
	agentLimit = 200 << 20
)

// agentOrigin is where the region's bucket is.
func (s Site) agentOrigin() string {
	origin := s.host.Endpoints.Objects
	if origin == "" {
		origin = "https://s3." + s.host.Region + ".amazonaws.com"
	}
	return origin + "/amazon-ssm-" + s.host.Region
}

// agentFile is its configuration; all that is not said stays as the agent has it.
func (s Site) agentFile() (File, error) {
	text, err := json.MarshalIndent(map[string]any{
		"Agent": map[string]any{"Region": s.host.Region, "SelfUpdate": false},
		// Whoever forwards a port through the host must not get at the credentials of its role.
		"Mgs": map[string]any{"DeniedPortForwardingRemoteIPs": []string{"169.254.169.254", "fd00:ec2::254", "169.254.169.253", "fd00:ec2::253"}},
	}, "", "  ")
	return File{Path: agentConfig, Text: string(text) + "\n", Mode: 0o644}, err
}

// startAgent installs the agent, if it is not there, and has it run.
func (c *converger) startAgent(ctx context.Context, site Site) error {
	file, err := site.agentFile()
	if err != nil {
		return err
	}
	present, err := os.ReadFile(file.Path)
	changed := err != nil || string(present) != file.Text
	if err := writeFile(file); err != nil { // Before the package, which starts it.
		return err
	}
	version, err := output(ctx, "dpkg-query", "-W", "-f", "${Version}", agentUnit)
	// Debian's revision may follow.
	if err != nil || !regexp.MustCompile("^"+regexp.QuoteMeta(AgentVersion)+"(-|$)").MatchString(version) {
		if info, err := os.Stat(agentAttempts); err == nil && time.Since(info.ModTime()) < agentPause {
			return nil // It was told when it failed.
		}
		if err := c.installAgent(ctx, site); err != nil {
			return fmt.Errorf("the agent of Session Manager: it is tried again in %s: %w", agentPause, err)
		}
	}
	switch {
	case changed:
		return errors.Join(run(ctx, "systemctl", "enable", "--quiet", agentUnit), run(ctx, "systemctl", "restart", agentUnit))
	case run(ctx, "systemctl", "is-active", "--quiet", agentUnit) != nil:
		return run(ctx, "systemctl", "enable", "--quiet", "--now", agentUnit)
	}
	return nil
}

// installAgent fetches the package, and installs it if Amazon has signed it.
func (c *converger) installAgent(ctx context.Context, site Site) error {
	now := time.Now()
	if err := errors.Join(writeFile(File{Path: agentAttempts, Mode: 0o644}), os.Chtimes(agentAttempts, now, now)); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(stateFolder, ".agent-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	address := site.agentOrigin() + "/" + AgentVersion + "/debian_" + runtime.GOARCH + "/" + agentUnit + ".deb"
	deb, signature := filepath.Join(folder, agentUnit+".deb"), filepath.Join(folder, "signature")
	c.log.InfoContext(ctx, "installing the agent of Session Manager", "from", address)
	if err := errors.Join(fetchFile(ctx, address, deb), fetchFile(ctx, address+".sig", signature)); err != nil {
		return err
	}
	if err := verifySigned(ctx, filepath.Join(site.release, machine.ReleaseAgentKey), deb, signature); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	if err := run(ctx, "apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600", "--no-install-recommends", "--allow-downgrades", "install", deb); err != nil {
		return err
	}
	return os.Remove(agentAttempts)
}

// verifySigned makes sure that a file was signed by a key, which is in PGP's armour. That the key has ended since does not
// count: gpgv looks at nothing but the signature.
func verifySigned(ctx context.Context, key, file, signature string) error {
	armoured, err := os.ReadFile(key) //nolint:gosec // A path of the release's own.
	if err != nil {
		return err
	}
	// The armour is PEM with a checksum behind it.
	block, _ := pem.Decode(regexp.MustCompile(`(?m)^=[A-Za-z0-9+/]{4}\r?\n`).ReplaceAll(armoured, nil))
	if block == nil {
		return fmt.Errorf("key %s: expected a public key of PGP, in armour", key)
	}
	ring := signature + ".keys"
	if err := os.WriteFile(ring, block.Bytes, 0o600); err != nil { //nolint:gosec // A path of the host's own.
		return err
	}
	return run(ctx, "gpgv", "--keyring", ring, signature, file)
}

// fetchFile writes what is at an address, which anybody may read, to a file.
func fetchFile(ctx context.Context, address, file string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 512))
		return fmt.Errorf("%s answered %s: %s", address, response.Status, bytes.TrimSpace(text))
	}
	into, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(0o644)) //nolint:gosec // apt's account reads it.
	if err != nil {
		return err
	}
	n, err := io.Copy(into, io.LimitReader(response.Body, agentLimit+1))
	if n > agentLimit {
		err = errors.Join(err, fmt.Errorf("%s has more than %d bytes", address, agentLimit))
	}
	return errors.Join(err, into.Close())
}
