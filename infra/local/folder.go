package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// StateFolderVariable names the environment variable that says where stacks live.
const StateFolderVariable = "RAD_STATE_FOLDER"

// DefaultStateFolder gives the folder under which every stack has its own: what the environment says, else where the
// system (for root) or the user keeps such things.
func DefaultStateFolder(getenv func(string) string) (string, error) {
	if folder := getenv(StateFolderVariable); folder != "" {
		if !filepath.IsAbs(folder) {
			return "", fmt.Errorf("%s is %q: expected an absolute path", StateFolderVariable, folder)
		}
		return filepath.Clean(folder), nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/radpanel", nil
	}
	// The XDG specification has relative paths ignored.
	if folder := getenv("XDG_STATE_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, "radpanel"), nil
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "radpanel"), nil
	}
	return "", errors.New("no folder for stacks: set HOME, XDG_STATE_HOME or " + StateFolderVariable)
}

// StackFolder is the folder of a stack.
func StackFolder(stateFolder, stack string) string { return filepath.Join(stateFolder, stack) }
