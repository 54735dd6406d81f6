package supervisor

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Limit is what the services of one host of the blueprint may use together.
type Limit struct {
	// Host is the name of the host.
	Host string
	// CPU is a number of processors, Memory is in bytes.
	CPU    int
	Memory int64
}

// cgroupRoot is where Linux shows its control groups (https://docs.kernel.org/admin-guide/cgroup-v2.html).
const cgroupRoot = "/sys/fs/cgroup"

// cpuPeriod is in microseconds: the kernel's default.
const cpuPeriod = 100_000

// controllers gives the folder of each controller in which groups are made: one folder for both with version 2, one for
// each with version 1.
func controllers() (cpu, memory string) {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		return cgroupRoot, cgroupRoot
	}
	return filepath.Join(cgroupRoot, "cpu"), filepath.Join(cgroupRoot, "memory")
}

// group is the name of a host's group, which no other stack has.
func (s Stack) group(host string) string {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(s.directory)) // A hash never fails to write.
	return fmt.Sprintf("radpanel-%016x-%s", hash.Sum64(), host)
}

// groupFolders are those of a host's group; none where processes cannot be limited.
func (s Stack) groupFolders(host string) []string {
	if host == "" || !Privileged() {
		return nil
	}
	cpu, memory := controllers()
	if cpu == memory {
		return []string{filepath.Join(cpu, s.group(host))}
	}
	return []string{filepath.Join(cpu, s.group(host)), filepath.Join(memory, s.group(host))}
}

// SetLimits makes a group for each host, in which its services start from then on. The error says why this machine does
// not allow it; the services then run without limits.
func (s Stack) SetLimits(limits []Limit) error {
	if !Privileged() {
		return errors.New("only root may make control groups")
	}
	for _, limit := range limits {
		if err := s.setLimit(limit); err != nil {
			return err
		}
	}
	return nil
}

func (s Stack) setLimit(limit Limit) error {
	cpu, memory := controllers()
	if cpu == memory {
		// What the root passes on, its groups can limit.
		if err := os.WriteFile(filepath.Join(cgroupRoot, "cgroup.subtree_control"), []byte("+cpu +memory"), 0o600); err != nil {
			return fmt.Errorf("control groups: %w", err)
		}
	}
	for _, folder := range s.groupFolders(limit.Host) {
		if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // As the kernel's own.
			return fmt.Errorf("control groups: %w", err)
		}
	}
	quota := strconv.Itoa(limit.CPU * cpuPeriod)
	bytes := strconv.FormatInt(limit.Memory, 10)
	values := map[string]string{
		filepath.Join(cpu, s.group(limit.Host), "cpu.cfs_quota_us"):         quota,
		filepath.Join(memory, s.group(limit.Host), "memory.limit_in_bytes"): bytes,
	}
	if cpu == memory {
		values = map[string]string{
			filepath.Join(cpu, s.group(limit.Host), "cpu.max"):    quota + " " + strconv.Itoa(cpuPeriod),
			filepath.Join(cpu, s.group(limit.Host), "memory.max"): bytes,
		}
	}
	for path, value := range values {
		if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
			return fmt.Errorf("control groups: %w", err)
		}
	}
	return nil
}

// Limited tells whether the groups are there, where they can be.
func (s Stack) Limited(limits []Limit) bool {
	for _, limit := range limits {
		for _, folder := range s.groupFolders(limit.Host) {
			if _, err := os.Stat(folder); err != nil {
				return false
			}
		}
	}
	return true
}

// removeGroups removes the groups of the stack, whose processes have ended.
func (s Stack) removeGroups() error {
	if !Privileged() {
		return nil
	}
	cpu, memory := controllers()
	var errs []error
	for _, root := range []string{cpu, memory} {
		folders, _ := filepath.Glob(filepath.Join(root, s.group("*"))) // The pattern is valid.
		for _, folder := range folders {
			if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EBUSY) {
				errs = append(errs, fmt.Errorf("control groups: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}

// renderGroups gives the lines by which a shell enters its groups. Without them it runs unlimited.
func (s Stack) renderGroups(host string) string {
	var out strings.Builder
	for _, folder := range s.groupFolders(host) {
		procs := quote(filepath.Join(folder, "cgroup.procs"))
		fmt.Fprintf(&out, "[ ! -w %[1]s ] || echo $$ >%[1]s\n", procs)
	}
	return out.String()
}
