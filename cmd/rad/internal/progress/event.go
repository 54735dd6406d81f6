// Package progress shows people and programs what a command of rad does: live on a terminal, as plain lines in a
// pipe, or as newline-delimited JSON.
package progress

import (
	"encoding/json"
	"math"
	"time"
)

// Event is one thing that happened. The types that implement it are all there are: Started, Activity, Step, Message,
// Change and Summary. Their JSON is an interface that programs rely on: add fields, never rename or remove them.
type Event interface {
	// Kind is the event's "type" in JSON.
	Kind() string
}

// Started is the first event of a command.
type Started struct {
	Command string `json:"command" doc:"the command that runs: up, preview, down"`
	Stack   string `json:"stack" doc:"the stack's name, such as local-mvp"`
	Target  string `json:"target" doc:"where the stack runs: local"`
}

// Activity is something that rad does before or beside the engine, such as building pulumi.
type Activity struct {
	Text    string   `json:"text" doc:"what is done, such as \"compiling google.golang.org/grpc\""`
	Elapsed Duration `json:"elapsed_seconds" doc:"how long it takes so far"`
	// Lasting is set if the line is worth keeping once the activity is over.
	Lasting bool `json:"-"`
}

// Step is a change of the state of one resource.
type Step struct {
	Resource  string    `json:"resource" doc:"the resource's name, such as postgresql"`
	Type      string    `json:"resource_type" doc:"its type, such as radlocal:index:Service"`
	Operation Operation `json:"operation" doc:"create, update, replace, remove-old (the rest of a replacement), delete, refresh (look at what is there), stop"`
	Status    Status    `json:"status" doc:"started, finished or failed"`
	Elapsed   Duration  `json:"elapsed_seconds" doc:"since the step started"`
	// Properties are those that made the step necessary, or that a refresh found changed.
	Properties []string `json:"properties,omitempty" doc:"the properties that changed; of a refresh: those that drifted from the state"`
}

// Message is something that the engine, a provider or rad says.
type Message struct {
	Severity Severity `json:"severity" doc:"info, warning or error; status for what a resource does at this moment"`
	Resource string   `json:"resource,omitempty" doc:"the resource that it is about, if any"`
	Text     string   `json:"text" doc:"what is said"`
}

// Change is what a preview says an update would do to one resource.
type Change struct {
	Resource   string     `json:"resource" doc:"the resource's name"`
	Type       string     `json:"resource_type" doc:"its type"`
	Operation  Operation  `json:"operation" doc:"create, update, replace or delete"`
	Risk       Risk       `json:"risk,omitempty" doc:"data: what the resource holds would be lost"`
	Protected  bool       `json:"protected,omitempty" doc:"the resource is protected: the engine refuses to delete or replace it"`
	Properties []Property `json:"properties,omitempty" doc:"the properties that would change"`
}

// Property is one difference of a Change. Secrets are masked by the engine before rad sees them.
type Property struct {
	Path     string `json:"path" doc:"the property, such as settings.port"`
	Kind     string `json:"kind" doc:"add, update or delete"`
	Replaces bool   `json:"replaces,omitempty" doc:"this difference is why the resource is replaced"`
	Old      string `json:"old,omitempty" doc:"the value now; [secret] if it is one"`
	New      string `json:"new,omitempty" doc:"the value afterwards; [secret] if it is one, (known later) if it depends on another resource"`
}

// Summary is the last event of a command.
type Summary struct {
	Command  string         `json:"command" doc:"the command that ran"`
	Stack    string         `json:"stack" doc:"the stack's name"`
	Result   Result         `json:"result" doc:"succeeded, failed or canceled"`
	Changes  Counts         `json:"changes" doc:"how many resources each operation was done to (of a preview: would be); same: left as they are"`
	Outputs  map[string]any `json:"outputs,omitempty" doc:"what the stack exports, such as url; [secret] for secrets"`
	Elapsed  Duration       `json:"elapsed_seconds" doc:"how long the command took"`
	Errors   []string       `json:"errors,omitempty" doc:"why it failed, in plain words"`
	ExitCode int            `json:"exit_code" doc:"what rad exits with: see rad help exit-codes"`
}

// Kind implements Event.
func (Started) Kind() string { return "started" }

// Kind implements Event.
func (Activity) Kind() string { return "activity" }

// Kind implements Event.
func (Step) Kind() string { return "step" }

// Kind implements Event.
func (Message) Kind() string { return "message" }

// Kind implements Event.
func (Change) Kind() string { return "change" }

// Kind implements Event.
func (Summary) Kind() string { return "summary" }

// Events gives one of each event, in the order in which a command may have them.
func Events() []Event {
	return []Event{Started{}, Activity{}, Step{}, Message{}, Change{}, Summary{}}
}

// Operation is what is done to a resource.
type Operation string

// The operations.
const (
	Create    Operation = "create"
	Update    Operation = "update"
	Replace   Operation = "replace"
	RemoveOld Operation = "remove-old" // of a replacement
	Delete    Operation = "delete"
	Refresh   Operation = "refresh"
	Stop      Operation = "stop"
	Same      Operation = "same"
)

// Status is how far a step is.
type Status string

// The statuses.
const (
	StatusStarted  Status = "started"
	StatusFinished Status = "finished"
	StatusFailed   Status = "failed"
)

// Severity is how much a message matters.
type Severity string

// The severities.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Error   Severity = "error"
	// Note is what a resource does at this moment: shown beside it while it lasts.
	Note Severity = "status"
)

// Risk is what a change endangers.
type Risk string

// RiskData means that data would be lost.
const RiskData Risk = "data"

// Result is how a command ended.
type Result string

// The results.
const (
	Succeeded Result = "succeeded"
	Failed    Result = "failed"
	Canceled  Result = "canceled"
)

// Counts is how many resources each operation was done to.
type Counts map[Operation]int

// Changed counts all resources but those left as they are.
func (c Counts) Changed() int {
	changed := 0
	for operation, count := range c {
		if operation != Same {
			changed += count
		}
	}
	return changed
}

// Duration is a time.Duration that reads as seconds in JSON, to the millisecond.
type Duration time.Duration

// MarshalJSON writes seconds.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(math.Round(time.Duration(d).Seconds()*1000) / 1000)
}

// UnmarshalJSON reads seconds.
func (d *Duration) UnmarshalJSON(content []byte) error {
	var seconds float64
	if err := json.Unmarshal(content, &seconds); err != nil {
		return err
	}
	*d = Duration(seconds * float64(time.Second))
	return nil
}

// String gives seconds with one decimal, minutes from 100 seconds on.
func (d Duration) String() string {
	whole := time.Duration(d)
	if whole >= 100*time.Second {
		return whole.Round(time.Second).String()
	}
	return formatSeconds(whole)
}
