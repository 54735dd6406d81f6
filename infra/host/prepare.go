package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// thisMachine gives the processors and the memory of this machine, and the disk of its system.
func thisMachine() (machine.Resources, error) {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return machine.Resources{}, fmt.Errorf("memory of this machine: %w", err)
	}
	// Rounded up to 64 MiB: the kernel keeps some of what the machine is sold with to itself.
	const unit = 64 * stacks.MiB
	ram := (stacks.Bytes(info.Totalram)*stacks.Bytes(info.Unit) + unit - 1) / unit * unit //nolint:gosec // Memory fits.
	disk, err := diskOf("/")
	return machine.Resources{CPU: runtime.NumCPU(), RAM: ram, Disk: disk}, err
}

func diskOf(folder string) (stacks.Bytes, error) {
	var info syscall.Statfs_t
	if err := syscall.Statfs(folder, &info); err != nil {
		return 0, fmt.Errorf("disk of %s: %w", folder, err)
	}
	return stacks.Bytes(info.Blocks) * stacks.Bytes(info.Bsize), nil //nolint:gosec // A disk's size fits.
}

// Packages gives Debian's packages that the host needs.
func (s Site) Packages() []string {
	packages := []string{"ca-certificates", "needrestart", "unattended-upgrades"}
	for _, part := range []struct {
		wanted   bool
		packages []string
	}{
		{s.runs(stacks.PartDatabase), []string{"postgresql", "e2fsprogs"}},
		{s.backsUpDatabase(), []string{"pgbackrest"}},
		{s.runs(stacks.PartPooler), []string{"pgbouncer"}},
		{s.runs(stacks.PartCache), []string{"redis-server"}},
		{s.keepsFiles(), []string{"restic"}},
		{s.runs(stacks.PartWeb), []string{"nginx-light"}},
		{s.runs(stacks.PartWeb) && s.blueprint.Web.Compression, []string{"libnginx-mod-http-brotli-static"}},
		{s.runs(stacks.PartWeb) && s.hasTLS(), []string{"certbot"}},
	} {
		if part.wanted {
			packages = append(packages, part.packages...)
		}
	}
	return append(packages, s.monitorPackages()...)
}

// journalConfig is read by the journal when it starts.
const journalConfig = "/etc/systemd/journald.conf.d/radpanel.conf"

// System gives the files of the system itself: accounts, updates, the journal.
func (s Site) System() []File {
	accounts := "# The accounts of RAD Panel.\n"
	for _, account := range []struct {
		wanted     bool
		name, what string
	}{
		{s.runs(stacks.PartBackend), panelAccount, "RAD Panel"},
		{s.runs(stacks.PartPooler), poolerAccount, "PgBouncer of RAD Panel"},
		{s.runs(stacks.PartWeb) || s.runs(stacks.PartBalancer), webAccount, "Nginx of RAD Panel"},
		{true, monitorAccount, "What watches RAD Panel"},
		{s.ships(), shipAccount, "What carries logs and figures of RAD Panel away"},
	} {
		if account.wanted {
			accounts += fmt.Sprintf("u %s - \"%s\" - -\n", account.name, account.what)
		}
	}
	// Hosts of a tier start anew one after the other.
	restart := fmt.Sprintf("%02d:%02d", 4, 10+15*(s.settings.Number-1))
	return []File{
		{Path: "/etc/sysusers.d/radpanel.conf", Text: accounts, Mode: 0o644},
		{Path: "/etc/postgresql-common/createcluster.conf", Text: "# RAD Panel makes a cluster of its own.\ncreate_main_cluster = false\n", Mode: 0o644},
		{Path: "/etc/apt/apt.conf.d/52radpanel", Text: "// Security updates come by themselves, every night. A kernel takes a restart of the host.\n" +
			"APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n" +
			"Unattended-Upgrade::Automatic-Reboot \"true\";\nUnattended-Upgrade::Automatic-Reboot-Time \"" + restart + "\";\n", Mode: 0o644},
		{Path: journalConfig, Text: "# The journal outlives a restart, and waits here for what carries it away.\n[Journal]\nStorage=persistent\nSystemMaxUse=1G\n", Mode: 0o644},
		{Path: "/etc/needrestart/conf.d/radpanel.conf", Text: "# What uses an updated library is restarted by itself.\n$nrconf{restart} = 'a';\n", Mode: 0o644},
	}
}

// prepare makes everything that the services take for granted: packages, accounts, folders, the database's cluster.
func (c *converger) prepare(ctx context.Context, site Site) error {
	for _, file := range site.System() {
		before, _ := os.ReadFile(file.Path) // None: it is written for the first time.
		if err := writeFile(file); err != nil {
			return err
		}
		if file.Path == journalConfig && string(before) != file.Text {
			if err := errors.Join(run(ctx, "systemctl", "restart", "systemd-journald"), run(ctx, "journalctl", "--flush")); err != nil {
				return err
			}
		}
	}
	if err := install(ctx, site.Packages()); err != nil {
		return &NotBegunError{err}
	}
	if err := run(ctx, "systemd-sysusers", "/etc/sysusers.d/radpanel.conf"); err != nil {
		return err
	}
	folders := []struct {
		wanted      bool
		path, owner string
		mode        fs.FileMode
	}{
		{true, stateFolder, "", 0o755},
		{site.hasTLS(), challengeRoot, "", 0o755},
		{site.hasTLS(), certbotFolder, "", 0o700},
		{site.keepsFiles(), filesBackupCache, panelAccount, 0o700},
		{site.watches(), prometheusData(), monitorAccount, 0o700},
		{site.tells(), alertmanagerData(), monitorAccount, 0o700},
		{site.ships(), shipFolder, shipAccount, 0o700},
		{true, dataFolder, "", 0o755},
		{site.runs(stacks.PartBackend), filesFolder(), panelAccount, 0o700},
		{site.runs(stacks.PartDatabase), filepath.Dir(postgresqlData()), "postgres", 0o700},
		{site.runs(stacks.PartDatabase), spoolFolder(), "postgres", 0o700},
	}
	for _, folder := range folders {
		if folder.wanted {
			if err := makeFolder(folder.path, folder.mode, folder.owner); err != nil {
				return err
			}
		}
	}
	if site.runs(stacks.PartDatabase) {
		return c.prepareDatabase(ctx, site)
	}
	return nil
}

// install installs the packages that are missing.
func install(ctx context.Context, packages []string) error {
	missing := slices.DeleteFunc(slices.Clone(packages), func(name string) bool {
		status, err := output(ctx, "dpkg-query", "-W", "-f", "${Status}", name)
		return err == nil && strings.HasSuffix(status, "ok installed")
	})
	if len(missing) == 0 {
		return nil
	}
	// The packages' own services never run; user data of an older release names fewer of them.
	if err := run(ctx, "systemctl", append([]string{"mask", "--quiet"}, machine.PackagedUnits()...)...); err != nil {
		return err
	}
	const wait = "DPkg::Lock::Timeout=600"
	if err := run(ctx, "apt-get", "-q", "-o", wait, "update"); err != nil {
		return err
	}
	return run(ctx, "apt-get", append([]string{
		"-q", "-y", "-o", wait, "-o", "Dpkg::Options::=--force-confold", "--no-install-recommends", "install",
	}, missing...)...)
}

// makeFolder makes a folder with that mode and owner, or gives it to the one that is there.
func makeFolder(path string, mode fs.FileMode, owner string) error {
	if err := os.MkdirAll(path, mode); err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	uid, gid, err := account(owner)
	if err != nil {
		return err
	}
	return errors.Join(os.Chown(path, uid, gid), os.Chmod(path, mode))
}

func account(name string) (uid, gid int, err error) {
	if name == "" {
		return 0, 0, nil
	}
	entry, err := user.Lookup(name)
	if err != nil {
		return 0, 0, fmt.Errorf("account %s: %w", name, err)
	}
	uid, uidErr := strconv.Atoi(entry.Uid)
	gid, gidErr := strconv.Atoi(entry.Gid)
	return uid, gid, errors.Join(uidErr, gidErr)
}

// writeFile writes a file whole or not at all, unless it is just so already.
func writeFile(file File) error {
	if present, err := os.ReadFile(file.Path); err == nil && string(present) == file.Text {
		return nil
	}
	uid, gid, err := account(file.Owner)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file.Path), 0o755); err != nil { //nolint:gosec // What is secret is a 0600 file.
		return fmt.Errorf("write %s: %w", file.Path, err)
	}
	aside, err := os.CreateTemp(filepath.Dir(file.Path), ".new-")
	if err != nil {
		return fmt.Errorf("write %s: %w", file.Path, err)
	}
	defer func() { _ = os.Remove(aside.Name()) }()
	_, err = aside.WriteString(file.Text)
	err = errors.Join(err, aside.Sync(), aside.Close(), os.Chmod(aside.Name(), file.Mode))
	if file.Owner != "" {
		err = errors.Join(err, os.Chown(aside.Name(), uid, gid))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file.Path, err)
	}
	return os.Rename(aside.Name(), file.Path)
}
