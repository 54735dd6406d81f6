package supervisor

import (
	"bytes"
	"embed"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"text/template"
)

//go:embed scripts
var scripts embed.FS

// scriptData is what the scripts are rendered with.
type scriptData struct {
	Directory string
	Runsv     string // the real one
	Root      bool
	Dots      string
}

// stackScripts renders the scripts that all services share, by the path that each has in the stack's folder.
func (s Stack) stackScripts() (map[string][]byte, error) {
	runsv, err := exec.LookPath("runsv")
	if err != nil {
		return nil, fmt.Errorf("runsv is not installed: it comes with the Debian package runit (apt-get install runit): %w", err)
	}
	data := scriptData{Directory: s.directory, Runsv: runsv, Root: Privileged(), Dots: strings.Repeat(".", 400)}
	rendered := map[string][]byte{}
	for name, path := range map[string]string{
		"run": "supervisor/run", "guard": "supervisor/guard", "runsv": "supervisor/bin/runsv", "loop": "supervisor/loop",
		"start": "supervisor/start", "finish": "supervisor/finish", "sweep": "supervisor/sweep", "logger": loggerScript,
	} {
		text, err := template.ParseFS(scripts, "scripts/"+name)
		if err != nil {
			return nil, fmt.Errorf("script %s: %w", name, err)
		}
		var out bytes.Buffer
		if err := text.Execute(&out, data); err != nil {
			return nil, fmt.Errorf("script %s: %w", name, err)
		}
		rendered[path] = out.Bytes()
	}
	return rendered, nil
}

// serviceScripts gives what makes a folder a service of runsv, by the path within that folder. The logger's identity
// is that of the account Log.
func (s Stack) serviceScripts(name string, logger Identity) map[string][]byte {
	common := s.path("supervisor")
	if name == guard {
		return map[string][]byte{"run": fmt.Appendf(nil, "#!/bin/sh\nexec setpriv --pdeathsig KILL '%s/guard'\n", common)}
	}
	return map[string][]byte{
		"run":    fmt.Appendf(nil, "#!/bin/sh\nexec 2>&1 9>&-\nexec setpriv --pdeathsig KILL '%s/start' %s\n", common, name),
		"finish": fmt.Appendf(nil, "#!/bin/sh\nexec 2>&1 9>&-\nexec '%s/finish' %s \"$@\"\n", common, name),
		// The logger ends when the service and its runsv, which hold the other end of its pipe, are gone.
		"log/run": fmt.Appendf(nil, "#!/bin/sh\nexec 9>>'%s/log/lock' || exit\nflock 9 || exit\nexec setpriv %s perl '%s/logger' '%s' %d %d\n",
			s.service(name), strings.Join(privileges(logger), " "), common, s.Log(name), logBytes, logFiles),
	}
}

// loggerScript is the logger's path in the stack's folder.
const loggerScript = "supervisor/logger"

// A service's log has at most so many files, beside the current one, of so many bytes.
const (
	logBytes = 5_000_000
	logFiles = 10
)

// privileges are the options by which setpriv gives up what a process does not need.
func privileges(id Identity) []string {
	options := []string{"--no-new-privs"}
	if Privileged() {
		options = append(options, "--reuid="+strconv.Itoa(id.UID), "--regid="+strconv.Itoa(id.GID), "--clear-groups")
	}
	return options
}

// signalScript sends the signal that stops a service instead of the one that runsv would send, which is TERM.
func signalScript(signal string) []byte {
	return fmt.Appendf(nil, "#!/bin/sh\nread -r pid <supervise/pid && kill -s %s \"$pid\"\n", signal)
}

// quote makes a text one word of the shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
