package progress

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// liveLines is the most lines of the live part: fewer than any terminal has, as the cursor cannot go back above its top.
const liveLines = 12

// FrameInterval is how often the live part of a terminal is to be drawn.
const FrameInterval = 100 * time.Millisecond

// Terminal draws live: what is over scrolls up as lines, what runs stays below with its elapsed time.
type Terminal struct {
	mutex   sync.Mutex
	out     io.Writer
	style   Style
	width   func() int
	now     func() time.Time
	running []*running
	// activity is what rad itself does, until the next step.
	activity *Activity
	drawn    int // lines of the live part on the screen
	frame    int
	err      error
	done     chan struct{}
	ended    sync.WaitGroup
}

// running is a step that started and did not end yet.
type running struct {
	step  Step
	start time.Time
	note  string
}

// NewTerminal gives a renderer for a terminal that draws a frame at each tick, besides one at each event. Width is
// asked at each frame, as windows change their size.
func NewTerminal(out io.Writer, style Style, width func() int, now func() time.Time, ticks <-chan time.Time) *Terminal {
	t := &Terminal{out: out, style: style, width: width, now: now, done: make(chan struct{})}
	t.ended.Go(func() { t.animate(ticks) })
	return t
}

func (t *Terminal) animate(ticks <-chan time.Time) {
	for {
		select {
		case <-t.done:
			return
		case <-ticks:
			t.mutex.Lock()
			t.frame++
			if len(t.running) > 0 || t.activity != nil {
				t.draw(nil)
			}
			t.mutex.Unlock()
		}
	}
}

// Show draws the event.
func (t *Terminal) Show(event Event) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	keep := lines(event, t.style, false)
	switch e := event.(type) {
	case Activity:
		if !e.Lasting {
			t.activity, keep = &e, nil
		} else {
			t.activity = nil
		}
	case Step:
		t.activity = nil
		t.follow(e)
	case Message:
		t.note(e)
	case Summary:
		t.activity, t.running = nil, nil
	}
	t.draw(keep)
}

func (t *Terminal) follow(step Step) {
	t.running = slices.DeleteFunc(t.running, func(r *running) bool {
		return r.step.Resource == step.Resource && r.step.Operation == step.Operation
	})
	if step.Status == StatusStarted {
		t.running = append(t.running, &running{step: step, start: t.now()})
	}
}

// note keeps what a resource says of itself, to show beside it.
func (t *Terminal) note(message Message) {
	if message.Severity != Note {
		return
	}
	for _, r := range t.running {
		if r.step.Resource == message.Resource {
			r.note = message.Text
		}
	}
}

// Close removes the live part and gives the first error of writing.
func (t *Terminal) Close() error {
	close(t.done)
	t.ended.Wait()
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.running, t.activity = nil, nil
	t.draw(nil)
	return t.err
}

// draw writes the kept lines where the live part was, and the live part anew below them, in one write, so that
// nothing flickers.
func (t *Terminal) draw(keep []string) {
	var screen strings.Builder
	if t.drawn > 0 {
		fmt.Fprintf(&screen, "\r\x1b[%dA\x1b[J", t.drawn) // \r: a Ctrl-C leaves ^C on the line.
	}
	for _, line := range keep {
		screen.WriteString(line + "\n")
	}
	live := t.live()
	for _, line := range live {
		screen.WriteString(line + "\n")
	}
	t.drawn = len(live)
	if screen.Len() == 0 {
		return
	}
	if _, err := io.WriteString(t.out, screen.String()); err != nil && t.err == nil {
		t.err = err
	}
}

// live gives the lines of what runs. Each is cut to the width of the terminal: a line that wraps would be two, and
// the cursor would no longer find the start of the live part.
func (t *Terminal) live() []string {
	spinner := string(".oOo"[t.frame%4]) // None of the signs that say what was done.
	var result []string
	looking := 0
	for _, r := range t.running {
		if r.step.Operation == Refresh {
			looking++
			continue
		}
		line := fmt.Sprintf("%s %-22s %s %s", spinner, r.step.Resource, doing(r.step.Operation), formatSeconds(t.now().Sub(r.start)))
		if r.note != "" {
			line += "  " + r.note
		}
		result = append(result, line)
	}
	if looking > 0 {
		result = append(result, fmt.Sprintf("%s looking at %d resources", spinner, looking))
	}
	if t.activity != nil {
		line := spinner + " " + t.activity.Text
		if t.activity.Elapsed > 0 {
			line += " " + t.activity.Elapsed.String()
		}
		result = append(result, line)
	}
	if more := len(result) - liveLines; more > 0 {
		result = append(result[:liveLines], fmt.Sprintf("%s and %d more", spinner, more))
	}
	width := max(20, t.width()-1)
	for i, line := range result {
		line = strings.Map(func(r rune) rune {
			if r < ' ' {
				return ' '
			}
			return r
		}, line)
		if runes := []rune(line); len(runes) > width {
			line = string(runes[:width])
		}
		result[i] = t.style.Faint(line)
	}
	return result
}
