package supervisor

import (
	"fmt"
	"path/filepath"
	"regexp"
)

// Stack is the folder of one stack and all that runs from it.
type Stack struct{ directory string }

// longestSocket is what is put behind the folder to get the longest path of a unix socket in a stack.
const longestSocket = "/postgresql/run/.s.PGSQL.5432"

// socketLimit is the longest path of a unix socket on Linux: sun_path has 108 bytes, the last of them zero.
const socketLimit = 107

// plainPath is what needs no quoting in a shell, in the configuration of nginx, PostgreSQL and PgBouncer, and in the
// patterns of find.
var plainPath = regexp.MustCompile(`^/[A-Za-z0-9._/-]*$`)

// Open gives the stack that lives in a folder, which need not exist yet. The folder must be absolute, plain and short
// enough for the unix sockets in it.
func Open(directory string) (Stack, error) {
	switch {
	case !filepath.IsAbs(directory):
		return Stack{}, fmt.Errorf("folder of the stack %q: expected an absolute path", directory)
	case filepath.Clean(directory) != directory:
		return Stack{}, fmt.Errorf("folder of the stack %q: expected a path without detours, such as %q", directory, filepath.Clean(directory))
	case !plainPath.MatchString(directory):
		return Stack{}, fmt.Errorf("folder of the stack %q: expected only letters, digits and . _ - / in its path, which "+
			"goes into the configuration of several servers; choose another state folder", directory)
	case len(directory)+len(longestSocket) > socketLimit:
		return Stack{}, fmt.Errorf("folder of the stack %s: its path has %d characters, at most %d leave room for unix sockets "+
			"(Linux allows %d); choose a shorter state folder", directory, len(directory), socketLimit-len(longestSocket), socketLimit)
	}
	return Stack{directory: directory}, nil
}

// Directory is the stack's folder.
func (s Stack) Directory() string { return s.directory }

// Path joins names to the stack's folder.
func (s Stack) Path(names ...string) string { return s.path(names...) }

func (s Stack) path(parts ...string) string {
	return filepath.Join(append([]string{s.directory}, parts...)...)
}

// Folder is where a service keeps what is its own.
func (s Stack) Folder(service string) string { return s.path(service) }

// Conf is the configuration of a service that is in force: a link that moves when the configuration changes.
func (s Stack) Conf(service string) string { return s.path(service, "conf") }

// Log is the folder of a service's output; the newest lines are in its file "current".
func (s Stack) Log(service string) string { return s.path("log", service) }

// service is the folder that runsv reads.
func (s Stack) service(name string) string { return s.path("services", name) }

// guard is the service that restarts the supervisor. It is the stack's own, not one of its parts.
const guard = "guard"

// serviceName is what a service may be called: it becomes the name of folders beside those of the stack itself.
var serviceName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

func checkServiceName(name string) error {
	switch name {
	case "supervisor", "services", "log", "releases", "keys", guard:
		return fmt.Errorf("service %q: the name is taken by the stack itself", name)
	}
	if !serviceName.MatchString(name) {
		return fmt.Errorf("service %q: expected a name of up to 32 lower-case letters, digits and hyphens that begins with a letter", name)
	}
	return nil
}
