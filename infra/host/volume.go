package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// deviceOf finds the device of a volume: EBS volumes are NVMe devices whose serial number is the volume's id without its
// hyphen (EC2, "Identify the EBS device"), by which udev makes a link.
func deviceOf(volume string) (string, error) {
	const links = "/dev/disk/by-id"
	serial := strings.ReplaceAll(volume, "-", "")
	found, err := filepath.Glob(filepath.Join(links, "*_"+serial))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("data volume %s: %s has no device with the serial number %s: attach it to this host", volume, links, serial)
	}
	return found[0], nil
}

// mountTimeout bounds the making and the check of a file system.
const mountTimeout = 30 * time.Minute

// mountVolume mounts the volume, which gets a file system first if it is blank, and lets the file system grow to the size
// of the volume.
func mountVolume(ctx context.Context, volume, folder string) error {
	ctx, cancel := context.WithTimeout(ctx, mountTimeout)
	defer cancel()
	device, err := deviceOf(volume)
	if err != nil {
		return err
	}
	if exec.CommandContext(ctx, "mountpoint", "--quiet", folder).Run() != nil { //nolint:gosec // The host's own folder.
		if err := format(ctx, device); err != nil {
			return err
		}
		if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // Accounts of services pass through.
			return fmt.Errorf("data volume %s: %w", volume, err)
		}
		// Errors of the check that it could correct are none.
		if err := run(ctx, "e2fsck", "-p", device); err != nil && exitCode(err) != 1 {
			return err
		}
		if err := run(ctx, "mount", "-t", "ext4", "-o", "noatime,nodev,nosuid,noexec", device, folder); err != nil {
			return err
		}
	}
	return run(ctx, "resize2fs", device)
}

// blank is what blkid ends with when it finds nothing.
const blank = 2

// format makes a file system on a device that holds nothing at all.
func format(ctx context.Context, device string) error {
	err := run(ctx, "blkid", "--probe", device)
	if err == nil {
		return nil // It holds something: if that is no file system of ours, mount says so.
	}
	if exitCode(err) != blank {
		return err
	}
	return run(ctx, "mkfs.ext4", "-q", "-m", "1", "-L", "radpanel", device)
}

// run runs a program to its end. Its error holds what it said.
func run(ctx context.Context, name string, arguments ...string) error {
	_, err := output(ctx, name, arguments...)
	return err
}

func output(ctx context.Context, name string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, name, arguments...) //nolint:gosec // No argument comes from outside.
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	command.WaitDelay = 10 * time.Second
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments, " "), errors.Join(err, ctx.Err()), strings.TrimSpace(string(out)))
	}
	return strings.TrimSpace(string(out)), nil
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}
