package hostboot

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// container is a Debian that boots its own systemd, with a block device for data.
type container struct {
	t       testing.TB
	root    string
	process *exec.Cmd
	ended   chan struct{}
	console bytes.Buffer
}

// newContainer lays a root of its own over the image.
func newContainer(t testing.TB, image string) *container {
	t.Helper()
	folder, err := os.MkdirTemp("/var/tmp", "rad-host-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	c := &container{t: t, root: filepath.Join(folder, "root")}
	for _, name := range []string{"root", "upper", "work"} {
		require.NoError(t, os.Mkdir(filepath.Join(folder, name), 0o755))
	}
	command(t, "mount", "-t", "overlay", "overlay", "-o",
		fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", image, folder, folder), c.root)
	t.Cleanup(func() {
		out, err := exec.CommandContext(context.Background(), "umount", c.root).CombinedOutput()
		assert.NoError(t, err, "%s", out)
	})
	return c
}

func (c *container) write(path, text string) {
	c.t.Helper()
	path = filepath.Join(c.root, path)
	require.NoError(c.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(c.t, os.WriteFile(path, []byte(text), 0o644))
}

// blockDevice makes one of a file of zeros.
func blockDevice(t testing.TB, size int64) string {
	t.Helper()
	file, err := os.CreateTemp("/var/tmp", "rad-volume-")
	require.NoError(t, err)
	require.NoError(t, file.Truncate(size))
	require.NoError(t, file.Close())
	t.Cleanup(func() { assert.NoError(t, os.Remove(file.Name())) })
	device := strings.TrimSpace(command(t, "losetup", "--find", "--show", file.Name()))
	t.Cleanup(func() {
		out, err := exec.CommandContext(context.Background(), "losetup", "--detach", device).CombinedOutput()
		assert.NoError(t, err, "%s", out)
	})
	return device
}

// boot starts it, in a network, with a device for a volume, if there is one.
func (c *container) boot(n *network, device, volume string) {
	c.t.Helper()
	arguments := []string{
		"--quiet", "--register=no", "--keep-unit", "--directory=" + c.root, "--boot",
		"--console=pipe", "--network-namespace-path=" + n.path, "--resolv-conf=off", "--timezone=off", "--link-journal=no",
	}
	if device != "" {
		arguments = append(arguments, "--bind="+device+":/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"+strings.ReplaceAll(volume, "-", ""))
	}
	c.process = exec.CommandContext(context.Background(), "systemd-nspawn", arguments...)
	c.process.Stdout, c.process.Stderr = &c.console, &c.console
	c.ended = start(c.t, c.process, syscall.SIGTERM)
	c.t.Cleanup(c.stop)
}

func (c *container) stop() {
	if c.t.Failed() {
		c.t.Logf("the end of its journal:\n%s", c.journal())
	}
	_ = c.process.Process.Signal(syscall.SIGTERM) // Its systemd shuts down.
	select {
	case <-c.ended:
	case <-time.After(90 * time.Second):
		_ = c.process.Process.Kill()
		<-c.ended
	}
}

func (c *container) journal() string {
	out, _ := exec.CommandContext(context.Background(), "journalctl", "--directory="+filepath.Join(c.root, "var/log/journal"), "--no-pager", "--lines=150").CombinedOutput()
	console := c.console.String()
	return string(out) + "\nconsole:\n" + console[max(0, len(console)-4000):]
}

// leader gives the process that is the container's first.
func (c *container) leader() string {
	c.t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", c.process.Process.Pid))
	require.NoError(c.t, err)
	for _, pid := range strings.Fields(string(children)) {
		status, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "NSpid:" && fields[len(fields)-1] == "1" {
				_, err := strconv.Atoi(pid)
				require.NoError(c.t, err)
				return pid
			}
		}
	}
	require.FailNow(c.t, "the container has no first process", "%s", c.console.String())
	return ""
}

// try runs a command in the container.
func (c *container) try(ctx context.Context, words ...string) (string, error) {
	arguments := append([]string{"--target", c.leader(), "--all", "--root", "--wd", "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}, words...)
	out, err := exec.CommandContext(ctx, "nsenter", arguments...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// run runs a command in the container to its end, which must be a good one.
func (c *container) run(words ...string) string {
	c.t.Helper()
	out, err := c.try(c.t.Context(), words...)
	require.NoError(c.t, err, "%v: %s", words, out)
	return out
}

// eventually waits until what is asked is so, as long as the container lives.
func (c *container) eventually(patience time.Duration, what string, so func() error) {
	c.t.Helper()
	require.NoError(c.t, c.await(patience, so), what)
}

// await does the same, and tells what did not come true.
func (c *container) await(patience time.Duration, so func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := so()
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("the container ended: %s", c.console.String())
		case <-time.After(200 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it never came in %s: %w", patience, err)
		}
	}
}
