package local

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// Requirement is a program that this machine lacks.
type Requirement struct {
	// Command is the program, Package the Debian package that brings it.
	Command, Package string
}

// Requirements lists the programs that a blueprint needs on the local target and that are not installed.
func Requirements(blueprint stacks.Blueprint) []Requirement {
	needed := []Requirement{
		{"postgres", "postgresql"}, {"initdb", "postgresql"}, {"pgbouncer", "pgbouncer"}, {"nginx", "nginx-light"},
	}
	if blueprint.Cache.Memory > 0 {
		needed = append(needed, Requirement{"redis-server", "redis-server"})
	}
	if blueprint.Web.Compression {
		needed = append(needed, Requirement{machine.DebianBrotliModule, "libnginx-mod-http-brotli-static"})
	}
	needed = append(needed, monitoringRequirements(blueprint)...)
	tools := supervisor.Tools()
	for _, command := range slices.Sorted(maps.Keys(tools)) {
		needed = append(needed, Requirement{command, tools[command]})
	}
	return slices.DeleteFunc(needed, func(r Requirement) bool {
		if r.Package == "postgresql" {
			found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + r.Command) // The pattern is valid.
			return len(found) > 0
		}
		if filepath.IsAbs(r.Command) {
			_, err := os.Stat(r.Command)
			return err == nil
		}
		return program(r.Command) != ""
	})
}

// CheckRequirements tells by its error all programs that this machine lacks, and how to get them.
func CheckRequirements(blueprint stacks.Blueprint) error {
	missing := Requirements(blueprint)
	if len(missing) == 0 {
		return nil
	}
	var commands, packages []string
	for _, requirement := range missing {
		commands = append(commands, requirement.Command)
		if !slices.Contains(packages, requirement.Package) {
			packages = append(packages, requirement.Package)
		}
	}
	return fmt.Errorf("this machine lacks %s: run `make build` in the checkout, or `apt-get install --no-install-recommends %s`",
		strings.Join(commands, ", "), strings.Join(packages, " "))
}

// program finds a program, also where servers are that are not on everybody's PATH.
func program(name string) string {
	if path, err := exec.LookPath(name); err == nil && filepath.IsAbs(path) {
		return path
	}
	for _, folder := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return path
		}
	}
	return ""
}
