package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Spec says what a service is.
type Spec struct {
	// Name is also the name of the service's folder.
	Name    string
	Account Account
	// Host is the host of the blueprint whose limits hold for it (see [Stack.SetLimits]). Empty: none do.
	Host string
	// Command is what runs, an absolute path first. It must stay in the foreground. Nothing secret may be in it.
	Command []string
	// Environment is all of the environment that the service gets, beside PATH and LANG. It may be secret.
	Environment map[string]string
	// Files are put into the service's conf folder, readable by the service alone. In their text, "@GENERATION@" stands
	// for a digest of the whole configuration.
	Files map[string]string
	// Reloadable names the files that the service reads again when it gets HUP. Any other change restarts it.
	Reloadable []string
	// Check is a command that judges a configuration before it comes into force; conf in its arguments is then the
	// folder of the candidate. Empty: none.
	Check []string
	// Folders are made in the service's folder if they lack, for the service to write in, with these permissions.
	Folders map[string]fs.FileMode
	// Links are made in the service's folder if they lack, with the absolute paths that they lead to. Where one leads
	// another way by now, it is left so: that is what it is for.
	Links map[string]string
	// StopSignal asks the service to stop: TERM, INT or QUIT. StopTimeout is how long it may take before it is killed.
	StopSignal  string
	StopTimeout time.Duration
	// PIDFiles are what a crash may leave in the service's folder and the service would trip over, because another
	// process may have got the number since. Before a start they are removed, unless the process that they name works
	// in the same folder as the file.
	PIDFiles []string
	// Requires names the services without which this one cannot work. They are stopped after it.
	Requires []string
	Ready    Probe
	// Secrets are texts that must not show in messages.
	Secrets []string
}

func (spec Spec) check() error {
	var errs []error
	fail := func(format string, values ...any) { errs = append(errs, fmt.Errorf(format, values...)) }
	if err := checkServiceName(spec.Name); err != nil {
		fail("%w", err)
	}
	if len(spec.Command) == 0 || !filepath.IsAbs(spec.Command[0]) {
		fail("command %q: expected one that begins with an absolute path", spec.Command)
	}
	if !slices.Contains([]string{"TERM", "INT", "QUIT"}, spec.StopSignal) {
		fail("stop signal %q: expected TERM, INT or QUIT", spec.StopSignal)
	}
	if spec.StopTimeout < time.Second {
		fail("stop timeout %s: expected at least a second", spec.StopTimeout)
	}
	for name := range spec.Environment {
		if !environmentName.MatchString(name) {
			fail("environment variable %q: expected capital letters, digits and underscores", name)
		}
	}
	for name := range spec.Files {
		if name == "" || strings.HasPrefix(name, ".") || strings.Contains(name, "/") {
			fail("file %q: expected a plain name", name)
		}
	}
	for _, name := range spec.Reloadable {
		if _, ok := spec.Files[name]; !ok {
			fail("reloadable file %q: it is not among the files", name)
		}
	}
	for name := range spec.Folders {
		if !filepath.IsLocal(name) || strings.HasPrefix(name, "conf") {
			fail("folder %q: expected one inside the service's folder, other than conf", name)
		}
	}
	for name, target := range spec.Links {
		if !filepath.IsLocal(name) || strings.HasPrefix(name, "conf") || !filepath.IsAbs(target) {
			fail("link %q to %q: expected one inside the service's folder, other than conf, to an absolute path", name, target)
		}
	}
	if err := spec.Ready.check(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
