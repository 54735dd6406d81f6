package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A generation is one configuration of a service, whole: its files, how it is started and in which environment. It is
// kept in a folder that is named by the digest of its content, so that nobody can change it unnoticed, and a link moves
// from one to the next.
type generation struct {
	// digest is of everything.
	digest string
	// restart is the digest of what the service reads only when it starts.
	restart string
	// content is by file name. The names of what only the supervisor reads begin with a dot.
	content map[string]string
}

const (
	startFile      = ".start"       // read by the shell that becomes the service
	environment    = ".environment" // the variables, as assignments
	reloadableFile = ".reloadable"  // the names of such files
	generationMark = "@GENERATION@"
)

var environmentName = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

// generate gives the generation that a spec asks for.
func (s Stack) generate(spec Spec, id Identity) generation {
	content := maps.Clone(spec.Files)
	if content == nil {
		content = map[string]string{}
	}
	content[environment] = renderEnvironment(spec.Environment)
	content[startFile] = s.renderStart(spec, id)
	content[reloadableFile] = strings.Join(slices.Sorted(slices.Values(spec.Reloadable)), "\n")
	return newGeneration(content)
}

// Digest gives the digest of the configuration that Apply would bring into force for a spec.
func (s Stack) Digest(spec Spec) (string, error) {
	id, err := s.Identity(spec.Account)
	if err != nil {
		return "", err
	}
	return s.generate(spec, id).digest, nil
}

func newGeneration(content map[string]string) generation {
	reloadable := strings.Fields(content[reloadableFile])
	all, atStart := sha256.New(), sha256.New()
	for _, name := range slices.Sorted(maps.Keys(content)) {
		entry := fmt.Sprintf("%s\x00%d\x00%s", name, len(content[name]), content[name])
		_, _ = all.Write([]byte(entry)) // A hash never fails to write.
		if !slices.Contains(reloadable, name) {
			_, _ = atStart.Write([]byte(entry))
		}
	}
	// 64 bits are plenty to tell the configurations of one service apart.
	return generation{
		digest:  hex.EncodeToString(all.Sum(nil)[:8]),
		restart: hex.EncodeToString(atStart.Sum(nil)[:8]),
		content: content,
	}
}

func renderEnvironment(variables map[string]string) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		fmt.Fprintf(&out, "export %s=%s\n", name, quote(variables[name]))
	}
	return out.String()
}

// Environment gives the variables of a service as they are in force, in clear, each as "NAME=value".
func (s Stack) Environment(service string) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(s.Conf(service), environment))
	if err != nil {
		return nil, fmt.Errorf("environment of %s: %w", service, err)
	}
	var variables []string
	for rest := string(raw); rest != ""; {
		name, value, ok := strings.Cut(strings.TrimPrefix(rest, "export "), "='")
		// The value ends at the first quote that does not stand for one of its own.
		end := strings.Index(strings.ReplaceAll(value, `'\''`, `    `), "'\n")
		if !ok || end < 0 {
			return nil, fmt.Errorf("environment of %s: it cannot be read: run up again", service)
		}
		variables = append(variables, name+"="+strings.ReplaceAll(value[:end], `'\''`, `'`))
		rest = value[end+2:]
	}
	return variables, nil
}

// renderStart gives the last lines of the shell that becomes the service.
func (s Stack) renderStart(spec Spec, id Identity) string {
	var out strings.Builder
	for _, file := range spec.PIDFiles {
		// PostgreSQL's lock files all name a process that works in the data folder, wherever the file itself is.
		fmt.Fprintf(&out, "if read -r pid <%[1]s && case $(readlink \"/proc/$pid/cwd\") in \"$(readlink -f '%[2]s')\"/*) false ;; esac; then rm -f %[1]s; fi 2>/dev/null\n",
			quote(file), s.Folder(spec.Name))
	}
	if Privileged() {
		// The pipe to the logger is root's; a service may open its output by name, as nginx does with /dev/stdout.
		fmt.Fprintf(&out, "chown %d:%d /dev/stdout\n", id.UID, id.GID)
	}
	out.WriteString(s.renderGroups(spec.Host))
	out.WriteString("unset PWD OLDPWD\n")
	// A service's memory holds secrets: it is not written to disk when it crashes.
	out.WriteString("ulimit -c 0\nulimit -n \"$(ulimit -H -n)\"\numask 077\n")
	fmt.Fprintf(&out, ". \"./$conf/%s\"\n", environment)
	words := append([]string{"exec", "setpriv", "--pdeathsig", spec.StopSignal}, privileges(id)...)
	words = append(words, "--")
	for _, word := range spec.Command {
		words = append(words, quote(word))
	}
	out.WriteString(strings.Join(words, " ") + "\n")
	return out.String()
}

func (g generation) folder() string { return "conf-" + g.digest }

// write puts a generation into the service's folder, if it is not there whole already. It does not come into force.
func (s Stack) write(service string, g generation, id Identity) error {
	target := filepath.Join(s.Folder(service), g.folder())
	if present, err := readGeneration(target, g.digest); err == nil && present.digest == g.digest {
		return nil
	}
	// Built aside: a folder with the name of a generation is always whole.
	temporary, err := os.MkdirTemp(s.Folder(service), ".conf-")
	if err != nil {
		return DiskError(target, err)
	}
	defer func() { _ = os.RemoveAll(temporary) }() // Gone already if all went well.
	for name, text := range g.content {
		owner := id
		if strings.HasPrefix(name, ".") {
			owner = Caller() // The service need not even read how it is started.
		}
		text = strings.ReplaceAll(text, generationMark, g.digest)
		if err := WriteFile(filepath.Join(temporary, name), []byte(text), 0o600, owner); err != nil {
			return err
		}
	}
	if err := os.Chmod(temporary, 0o711); err != nil { //nolint:gosec // The service passes through to its own files.
		return DiskError(target, err)
	}
	if err := os.RemoveAll(target); err != nil {
		return fmt.Errorf("replace %s: %w", target, err)
	}
	return DiskError(target, os.Rename(temporary, target))
}

// readGeneration reads a generation back from disk. Its digest is what the content gives, which differs from the name
// of the folder if somebody changed something.
func readGeneration(folder, digest string) (generation, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return generation{}, err
	}
	content := map[string]string{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(folder, entry.Name())) //nolint:gosec // The path is the stack's own.
		if err != nil {
			return generation{}, fmt.Errorf("read the configuration: %w", err)
		}
		content[entry.Name()] = strings.ReplaceAll(string(text), digest, generationMark)
	}
	return newGeneration(content), nil
}

// inForce gives the digest of the generation that a service's conf link names; empty if there is none.
func (s Stack) inForce(service string) (string, error) {
	target, err := os.Readlink(s.Conf(service))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("configuration of %s: %w", service, err)
	}
	return strings.TrimPrefix(target, "conf-"), nil
}

// enforce moves the conf link to a generation.
func (s Stack) enforce(service, digest string) error {
	temporary := s.path(service, ".conf")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("configuration of %s: %w", service, err)
	}
	if err := os.Symlink("conf-"+digest, temporary); err != nil {
		return DiskError(temporary, err)
	}
	return DiskError(temporary, os.Rename(temporary, s.Conf(service)))
}

// Mentions tells whether the configuration in force of any service mentions a text.
func (s Stack) Mentions(text string) (bool, error) {
	for _, pattern := range []string{"*", startFile} {
		files, err := filepath.Glob(s.path("*", "conf", pattern))
		if err != nil {
			return false, fmt.Errorf("configurations of the stack: %w", err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file) //nolint:gosec // The path is the stack's own.
			if err != nil {
				return false, fmt.Errorf("configurations of the stack: %w", err)
			}
			if strings.Contains(string(content), text) {
				return true, nil
			}
		}
	}
	return false, nil
}

// prune removes all generations but the named ones, and what an interrupted write left.
func (s Stack) prune(service string, keep ...string) error {
	for _, pattern := range []string{"conf-*", ".conf-*"} {
		found, err := filepath.Glob(s.path(service, pattern))
		if err != nil {
			return fmt.Errorf("old configurations of %s: %w", service, err)
		}
		for _, folder := range found {
			if slices.Contains(keep, strings.TrimPrefix(filepath.Base(folder), "conf-")) {
				continue
			}
			if err := os.RemoveAll(folder); err != nil {
				return fmt.Errorf("old configurations of %s: %w", service, err)
			}
		}
	}
	return nil
}
