package local

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// thisMachine gives what this machine has: processors that may be used, memory, and the disk of a folder that need not
// exist yet. A tier's settings must not count on more.
func thisMachine(folder string) (machine.Resources, error) {
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return machine.Resources{}, fmt.Errorf("memory of this machine: %w", err)
	}
	ram, err := totalMemory(string(raw))
	if err != nil {
		return machine.Resources{}, err
	}
	disk, _, err := supervisor.DiskSpace(folder)
	if err != nil {
		return machine.Resources{}, err
	}
	return machine.Resources{CPU: runtime.NumCPU(), RAM: ram, Disk: stacks.Bytes(disk)}, nil
}

// totalMemory reads the line "MemTotal: 2030456 kB" of /proc/meminfo, where kB means KiB. It is rounded up to whole
// MiB of 64, because the kernel keeps some of what the machine is sold with to itself.
func totalMemory(meminfo string) (stacks.Bytes, error) {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "MemTotal:" {
			kibibytes, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("memory of this machine: %q: %w", strings.TrimSpace(line), err)
			}
			const unit = 64 * stacks.MiB
			return (stacks.Bytes(kibibytes)*stacks.KiB + unit - 1) / unit * unit, nil
		}
	}
	return 0, errors.New("memory of this machine: /proc/meminfo has no line MemTotal")
}
