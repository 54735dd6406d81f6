package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Renderer shows events. Show may be called from several goroutines.
type Renderer interface {
	Show(Event)
	// Close ends the display and gives the first error of writing, if there was one.
	Close() error
}

// JSON writes one line of JSON for each event: its fields, led by "type" and "time".
type JSON struct {
	mutex sync.Mutex
	out   io.Writer
	now   func() time.Time
	err   error
}

// NewJSON gives a renderer for programs.
func NewJSON(out io.Writer, now func() time.Time) *JSON { return &JSON{out: out, now: now} }

// Show writes the event's line.
func (j *JSON) Show(event Event) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	head, err := json.Marshal(struct {
		Type string    `json:"type"`
		Time time.Time `json:"time"`
	}{event.Kind(), j.now().UTC()})
	if err != nil {
		j.err = err
		return
	}
	body, err := json.Marshal(event)
	if err != nil {
		j.err = err
		return
	}
	line := append(head[:len(head)-1], ',') // Both are objects, and no event is without fields.
	line = append(append(line, body[1:]...), '\n')
	if _, err := j.out.Write(line); err != nil && j.err == nil {
		j.err = err
	}
}

// Close gives the first error.
func (j *JSON) Close() error { return j.err }

// Plain writes lines: one when a resource starts to change and one when it has, each led by the time since the
// command started. It is for pipes and logs.
type Plain struct {
	mutex    sync.Mutex
	out      io.Writer
	style    Style
	now      func() time.Time
	start    time.Time
	activity time.Time // when an Activity was last written
	err      error
}

// activityInterval is how often Plain tells of an activity that goes on: often enough to show that it lives.
const activityInterval = 15 * time.Second

// NewPlain gives a renderer for pipes and logs.
func NewPlain(out io.Writer, style Style, now func() time.Time) *Plain {
	return &Plain{out: out, style: style, now: now, start: now()}
}

// Show writes the event's line, if it is worth one.
func (p *Plain) Show(event Event) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if activity, is := event.(Activity); is {
		if !activity.Lasting && p.now().Sub(p.activity) < activityInterval {
			return
		}
		p.activity = p.now()
	}
	for _, line := range lines(event, p.style, true) {
		if _, err := fmt.Fprintf(p.out, "%7s  %s\n", formatSeconds(p.now().Sub(p.start)), line); err != nil && p.err == nil {
			p.err = err
		}
	}
}

// Close gives the first error.
func (p *Plain) Close() error { return p.err }

// lines gives the lines that an event leaves behind. Those of a start are for a log only: a terminal shows what
// runs by itself.
func lines(event Event, style Style, log bool) []string {
	switch e := event.(type) {
	case Started:
		return []string{style.Bold("rad " + e.Command + " " + e.Stack)}
	case Activity:
		if e.Elapsed > 0 {
			return []string{style.Faint(e.Text + " (" + e.Elapsed.String() + ")")}
		}
		return []string{style.Faint(e.Text)}
	case Step:
		return stepLines(e, style, log)
	case Message:
		return messageLines(e, style)
	case Change:
		return changeLines(e, style)
	case Summary:
		return summaryLines(e, style)
	default:
		return nil
	}
}

func stepLines(step Step, style Style, log bool) []string {
	switch {
	case step.Status == StatusFailed:
		return []string{style.Red(fmt.Sprintf("! %-22s %s failed after %s", step.Resource, step.Operation, step.Elapsed))}
	case step.Operation == Refresh && step.Status == StatusFinished && len(step.Properties) > 0:
		return []string{style.Yellow(fmt.Sprintf("? %-22s drifted: %s", step.Resource, strings.Join(step.Properties, ", ")))}
	case step.Operation == Refresh:
		return nil // What is as it should be is not worth a line each.
	case step.Status == StatusStarted && log:
		return []string{style.Faint(fmt.Sprintf("%s %-22s %s%s", sign(step.Operation), step.Resource, doing(step.Operation), why(step)))}
	case step.Status == StatusStarted:
		return nil
	default:
		return []string{fmt.Sprintf("%s %-22s %s in %s%s", style.Sign(step.Operation), step.Resource, done(step.Operation), step.Elapsed, style.Faint(why(step)))}
	}
}

func why(step Step) string {
	if len(step.Properties) == 0 || step.Operation == Create {
		return ""
	}
	return " (" + strings.Join(step.Properties, ", ") + ")"
}

func messageLines(message Message, style Style) []string {
	text := message.Text
	if message.Resource != "" {
		text = message.Resource + ": " + text
	}
	switch message.Severity {
	case Error:
		text = style.Red("error: " + text)
	case Warning:
		text = style.Yellow("warning: " + text)
	case Note:
		return nil
	case Info:
	}
	return strings.Split(text, "\n")
}

// summaryLines leaves the errors out: the command writes them to stderr.
func summaryLines(summary Summary, style Style) []string {
	head := fmt.Sprintf("%s %s: %s in %s", summary.Command, summary.Stack, describe(summary.Command, summary.Changes), summary.Elapsed)
	switch summary.Result {
	case Succeeded:
		head = style.Green(head)
	case Failed:
		head = style.Red(fmt.Sprintf("%s %s failed after %s", summary.Command, summary.Stack, summary.Elapsed))
	case Canceled:
		head = style.Yellow(fmt.Sprintf("%s %s was canceled after %s", summary.Command, summary.Stack, summary.Elapsed))
	}
	result := []string{head}
	width := 0
	names := make([]string, 0, len(summary.Outputs))
	for name := range summary.Outputs {
		names = append(names, name)
		width = max(width, len(name))
	}
	slices.Sort(names)
	for _, name := range names {
		result = append(result, fmt.Sprintf("  %s  %s", style.Faint(fmt.Sprintf("%-*s", width, name)), value(summary.Outputs[name])))
	}
	return result
}

// describe puts counts into words: "2 created, 1 updated, 5 unchanged".
func describe(command string, counts Counts) string {
	word := done
	if command == "preview" {
		word = func(operation Operation) string { return "to " + string(operation) }
	}
	var parts []string
	for _, operation := range []Operation{Create, Update, Replace, Delete, Stop} {
		if count := counts[operation]; count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count, word(operation)))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing to do")
	}
	if count := counts[Same]; count > 0 {
		parts = append(parts, fmt.Sprintf("%d unchanged", count))
	}
	return strings.Join(parts, ", ")
}

// Planned puts into words what a preview has counted: "2 to create, 5 unchanged".
func (c Counts) Planned() string { return describe("preview", c) }

func value(v any) string {
	if text, is := v.(string); is {
		return text
	}
	content, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(content)
}

func formatSeconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// doing is the word for an operation that runs.
func doing(operation Operation) string {
	switch operation {
	case Create:
		return "creating"
	case Update:
		return "updating"
	case Replace:
		return "replacing"
	case RemoveOld:
		return "removing the old one"
	case Delete:
		return "deleting"
	case Refresh:
		return "looking"
	case Stop:
		return "stopping"
	case Same:
		return "leaving"
	default:
		return string(operation)
	}
}

// done is the word for an operation that is over.
func done(operation Operation) string {
	switch operation {
	case Create:
		return "created"
	case Update:
		return "updated"
	case Replace:
		return "replaced"
	case RemoveOld:
		return "removed the old one"
	case Delete:
		return "deleted"
	case Refresh:
		return "looked at"
	case Stop:
		return "stopped"
	case Same:
		return "unchanged"
	default:
		return string(operation)
	}
}

func sign(operation Operation) string {
	switch operation {
	case Create:
		return "+"
	case Update:
		return "~"
	case Replace:
		return "±"
	case Delete, RemoveOld, Stop:
		return "-"
	case Refresh, Same:
		return " "
	default:
		return " "
	}
}
