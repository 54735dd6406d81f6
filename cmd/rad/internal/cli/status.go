package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/infra/local"
	"github.com/radpanel/radpanel/stacks"
)

// Health is how a stack is as a whole.
type Health string

// The healths.
const (
	Healthy  Health = "running"  // every service runs and answers
	Degraded Health = "degraded" // at least one does not
	Stopped  Health = "stopped"  // none runs; the data is there
	Absent   Health = "absent"   // there is no such stack on this machine
)

// Status is what `rad status --json` writes. Programs rely on it: add fields, never rename or remove them.
type Status struct {
	Stack     string          `json:"stack" doc:"the stack's name"`
	Target    string          `json:"target" doc:"where it runs: local"`
	State     Health          `json:"state" doc:"running, degraded, stopped or absent"`
	URL       string          `json:"url,omitempty" doc:"where the panel answers"`
	DataBytes int64           `json:"data_bytes" doc:"what the stack takes on disk, logs included"`
	Services  []ServiceStatus `json:"services" doc:"each service, in the order in which they start"`
}

// ServiceStatus is one service of a Status.
type ServiceStatus struct {
	Name        string            `json:"name" doc:"the service's name"`
	State       string            `json:"state" doc:"running, starting, unready, restarting, failing, stopping or down"`
	PID         int               `json:"pid,omitempty" doc:"its process"`
	Uptime      progress.Duration `json:"uptime_seconds" doc:"how long that process runs"`
	Restarts    int               `json:"restarts" doc:"how often the supervisor restarted it since it was last brought up"`
	LastRestart *time.Time        `json:"last_restart,omitempty" doc:"when it did so last"`
	LastExit    string            `json:"last_exit,omitempty" doc:"how the process before ended"`
	Address     string            `json:"address,omitempty" doc:"where it answers: host:port or a unix socket"`
	Problem     string            `json:"problem,omitempty" doc:"why it is not ready"`
}

func (a *App) statusCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "status [stack]",
		Short: "Show each service of a stack, and what was restarted",
		Long: "status looks at the machine itself, not at what the engine remembers. Its exit code tells health: 0 every service\n" +
			"runs, 3 the stack is stopped or there is none, 4 a service does not run as it should.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			return a.status(command.Context(), arguments)
		},
	}
	a.addStackFlags(command)
	a.addJSONFlag(command, "write it as one JSON object: see rad help json")
	return command
}

func (a *App) status(ctx context.Context, arguments []string) error {
	selected, err := a.selectStack(arguments)
	if err != nil {
		return err
	}
	if stacks.Target(a.flags.target) == stacks.AWS {
		return a.handOver(ctx, "status", selected)
	}
	read, err := local.ReadStatus(ctx, selected.folder)
	if err != nil {
		return interruptedOr(ctx, err)
	}
	status := describe(selected.name, read, a.Now())
	if read.Exists {
		status.DataBytes = sizeOf(selected.folder)
	}
	if a.flags.json {
		content, err := json.MarshalIndent(status, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.Stdout, string(content))
		if err != nil {
			return err
		}
	} else if err := writeStatus(a.Stdout, status, progress.NewStyle(a.colours(a.Stdout)), a.Now()); err != nil {
		return err
	}
	switch status.State {
	case Healthy:
		return nil
	case Stopped, Absent:
		return &silentError{code: exitStopped}
	case Degraded:
		return &silentError{code: exitDegraded}
	default:
		return fmt.Errorf("stack %s is in a state that rad does not know: %s", status.Stack, status.State)
	}
}

// describe turns what the local target says into what rad shows.
func describe(stack string, read local.Status, now time.Time) Status {
	status := Status{Stack: stack, Target: string(stacks.Local), State: Absent, Services: []ServiceStatus{}}
	if !read.Exists {
		return status
	}
	status.URL = read.URL
	running, down := 0, 0
	for _, service := range read.Services {
		shown := ServiceStatus{
			Name: service.Name, State: string(service.State), PID: service.PID,
			Uptime: progress.Duration(service.Uptime(now)), Restarts: service.Restarts, LastExit: service.LastExit,
			Address: service.Address, Problem: service.Problem,
		}
		if service.Restarts > 0 && !service.LastRestart.IsZero() {
			shown.LastRestart = &service.LastRestart
		}
		switch shown.State {
		case "running":
			running++
		case "down":
			down++
		}
		status.Services = append(status.Services, shown)
	}
	switch {
	case down == len(read.Services):
		status.State = Stopped
	case running == len(read.Services):
		status.State = Healthy
	default:
		status.State = Degraded
	}
	return status
}

// writeStatus writes the table that people read.
func writeStatus(out io.Writer, status Status, style progress.Style, now time.Time) error {
	var text strings.Builder
	state := string(status.State)
	switch status.State {
	case Healthy:
		state = style.Green(state)
	case Degraded:
		state = style.Red(state)
	case Stopped, Absent:
		state = style.Yellow(state)
	}
	fmt.Fprintf(&text, "%s  %s", style.Bold(status.Stack), state)
	if status.State == Absent {
		fmt.Fprintf(&text, ": there is no such stack on this machine; `rad up %s` makes it", status.Stack)
	}
	text.WriteByte('\n')
	if status.URL != "" {
		fmt.Fprintf(&text, "%s  %s\n", style.Faint("url "), status.URL)
	}
	if status.State != Absent {
		fmt.Fprintf(&text, "%s  %s\n", style.Faint("size"), stacks.Bytes(roundedSize(status.DataBytes)))
	}
	if len(status.Services) > 0 {
		text.WriteByte('\n')
		text.WriteString(serviceTable(status.Services, style, now))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func serviceTable(services []ServiceStatus, style progress.Style, now time.Time) string {
	rows := [][]string{{"SERVICE", "STATE", "PID", "UPTIME", "RESTARTS", "ADDRESS", ""}}
	for _, service := range services {
		row := []string{service.Name, service.State, "-", "-", strconv.Itoa(service.Restarts), service.Address, remark(service, now)}
		if service.PID > 0 {
			row[2], row[3] = strconv.Itoa(service.PID), age(time.Duration(service.Uptime))
		}
		rows = append(rows, row)
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for column, cell := range row {
			widths[column] = max(widths[column], len(cell))
		}
	}
	var text strings.Builder
	for number, row := range rows {
		var line strings.Builder
		for column, cell := range row {
			padded := fmt.Sprintf("%-*s", widths[column], cell)
			switch {
			case number == 0:
				padded = style.Faint(padded)
			case column == 1 && cell == "running":
				padded = style.Green(padded)
			case column == 1 && cell != "down":
				padded = style.Red(padded)
			}
			line.WriteString(padded + "  ")
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return text.String()
}

// remark says what the columns do not: a restart not long ago, or why a service is not ready.
func remark(service ServiceStatus, now time.Time) string {
	var parts []string
	if service.LastRestart != nil {
		text := "restarted " + age(now.Sub(*service.LastRestart)) + " ago"
		if service.LastExit != "" {
			text += " (" + service.LastExit + ")"
		}
		parts = append(parts, text)
	}
	if service.Problem != "" {
		parts = append(parts, service.Problem)
	}
	return strings.Join(parts, "; ")
}

// age writes a duration by its largest unit or two: 12 s, 3 min, 2 h 5 min, 4 d 3 h.
func age(d time.Duration) string {
	d = max(d, 0)
	minutes, hours, days := int(d.Minutes()), int(d.Hours()), int(d.Hours())/24
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case hours < 1:
		return fmt.Sprintf("%d min", minutes)
	case days < 1:
		return fmt.Sprintf("%d h %d min", hours, minutes%60)
	default:
		return fmt.Sprintf("%d d %d h", days, hours%24)
	}
}

// roundedSize keeps what matters of a size: whole MiB from one on.
func roundedSize(size int64) int64 {
	const mebibyte = 1 << 20
	if size < mebibyte {
		return size
	}
	return (size + mebibyte/2) / mebibyte * mebibyte
}

// sizeOf adds up the files under a folder. Files come and go while it looks: what is gone counts nothing.
func sizeOf(folder string) int64 {
	var size int64
	_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // See above.
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}

// existingStack gives the stack that a command is about, which has to be on this machine, and its state.
func (a *App) existingStack(ctx context.Context, arguments []string) (selection, local.Status, error) {
	selected, err := a.selectStack(arguments)
	if err != nil {
		return selection{}, local.Status{}, err
	}
	status, err := local.ReadStatus(ctx, selected.folder)
	if err != nil {
		return selection{}, local.Status{}, interruptedOr(ctx, err)
	}
	if !status.Exists {
		return selection{}, local.Status{}, &usageError{problem: fmt.Sprintf("there is no stack %s on this machine: `rad up %s` makes it", selected.name, selected.name)}
	}
	return selected, status, nil
}
