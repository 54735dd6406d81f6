package machine

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// Unit is a service of systemd that may do what it needs and nothing else: it sees a system that it cannot write to, but
// for Writable and its own runtime folder, gains no privileges, and has no capability that is not listed.
type Unit struct {
	// Name is the unit's, such as "radpanel-nginx". Its runtime folder is /run/<Name>.
	Name        string
	Description string
	// User is the account. Empty: root.
	User string
	// Groups are further groups of the account.
	Groups []string
	// Command is the program's absolute path and its arguments.
	Command []string
	// Reloads says that HUP has it read its configuration again.
	Reloads bool
	// Check is a command that must end well before it does, such as "nginx -t".
	Check []string
	// Notifies says that the program itself tells systemd that it is ready.
	Notifies bool
	// Once says that the program ends by itself, and is started by a timer or by hand.
	Once bool
	// StopSignal ends it in order, within StopTimeout.
	StopSignal  string
	StopTimeout time.Duration
	// StartTimeout bounds the start; of a unit that runs once, the whole run.
	StartTimeout time.Duration
	// EnvironmentFile is the absolute path of a file with variables, which root alone may read.
	EnvironmentFile string
	// Environment are further variables, none of them secret.
	Environment []string
	// Writable are absolute folders that it may write to.
	Writable []string
	// DataFolder, when set, is the mount without which it must not start.
	DataFolder string
	// RuntimeFolder makes /run/<Name>, readable by all, for sockets; RuntimeSubfolders makes these in it.
	RuntimeFolder     bool
	RuntimeSubfolders []string
	// Capabilities are those that it needs, such as "CAP_NET_BIND_SERVICE".
	Capabilities []string
	// ChangesOwner allows the system calls that change whose a file is, which takes CAP_CHOWN as well.
	ChangesOwner bool
	// WritesCode allows memory that is both written and run, for compilers of expressions.
	WritesCode bool
	// Unconfined leaves out everything that keeps it from the rest of the system.
	Unconfined bool
	// Memory is what it may use at most. 0: what there is.
	Memory stacks.Bytes
	// OOMScore says how willingly it is killed when memory runs out: -1000 never, 1000 first.
	OOMScore int
}

var (
	unitPattern   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,100}$`)
	wordPattern   = regexp.MustCompile(`^[A-Za-z0-9._=:,/@%+-]+$`)
	signalPattern = regexp.MustCompile(`^SIG[A-Z0-9]+$`)
)

// File gives the unit's file, by name.
func (u Unit) File() (name, text string, err error) {
	if err := u.check(); err != nil {
		return "", "", err
	}
	text, err = render("unit.service", struct {
		Unit
		CommandLine, CheckLine, GroupLine, CapabilityLine string
		StartSeconds, StopSeconds                         int64
	}{
		u, commandLine(u.Command), commandLine(u.Check), strings.Join(u.Groups, " "), strings.Join(u.Capabilities, " "),
		seconds(u.StartTimeout), seconds(u.StopTimeout),
	})
	return u.Name + ".service", text, err
}

// commandLine writes a command as systemd splits it. Words with spaces and the like are in quotes; a dollar sign is two.
func commandLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		if !wordPattern.MatchString(word) {
			quoted[i] = `"` + strings.ReplaceAll(word, "$", "$$") + `"`
		}
	}
	return strings.Join(quoted, " ")
}

var argumentPattern = regexp.MustCompile(`^[A-Za-z0-9._=:,/@+ ^$|()?*-]+$`)

func (u Unit) check() error {
	c := &checker{program: "unit"}
	c.pattern("Name", u.Name, unitPattern, "a name of a-z 0-9 -")
	if u.User != "" {
		c.account("User", u.User)
	}
	for i, word := range u.Command {
		c.pattern(fmt.Sprintf("Command[%d]", i), word, argumentPattern, "a word without quotes, percent signs or backslashes")
	}
	if len(u.Command) == 0 || !strings.HasPrefix(u.Command[0], "/") {
		c.fail("Command", u.Command, "the absolute path of a program, and its arguments")
	}
	if u.StopSignal != "" {
		c.pattern("StopSignal", u.StopSignal, signalPattern, "the name of a signal, such as SIGTERM")
	}
	for i, folder := range u.Writable {
		c.path(fmt.Sprintf("Writable[%d]", i), folder)
	}
	c.between("StartTimeout", u.StartTimeout, time.Second, 24*time.Hour)
	c.between("StopTimeout", u.StopTimeout, time.Second, time.Hour)
	return c.err()
}

// Timer starts a unit of the same name again and again.
type Timer struct {
	Name        string
	Description string
	// Calendar is when, in systemd's words, such as "*-*-* 03:00:00". Empty: AfterBoot and Every say it.
	Calendar string
	// AfterBoot is how long after the start of the system it runs for the first time, Every how long after its end again.
	AfterBoot, Every time.Duration
	// Spread is by how much a run is put off at random, so that not all hosts do it at once.
	Spread time.Duration
}

// File gives the timer's file, by name.
func (t Timer) File() (name, text string, err error) {
	text, err = render("unit.timer", struct {
		Timer
		BootSeconds, EverySeconds, SpreadSeconds int64
	}{t, seconds(t.AfterBoot), seconds(t.Every), seconds(t.Spread)})
	return t.Name + ".timer", text, err
}
