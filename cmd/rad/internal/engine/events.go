package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
)

// translator turns the engine's events into rad's, and keeps what the result of an operation needs. It is used by
// one goroutine.
type translator struct {
	show func(progress.Event)
	now  func() time.Time
	// preview: nothing happens, so steps are gathered as changes instead of shown.
	preview bool
	// holdsData says of a resource type whether what it holds is lost with it.
	holdsData func(resourceType string) bool

	started map[stepKey]time.Time
	changes []progress.Change
	counts  progress.Counts
	outputs map[string]any
	errors  []string
	// summarised is set once the engine came to its end by itself.
	summarised bool
}

type stepKey struct {
	urn       string
	operation progress.Operation
}

func newTranslator(show func(progress.Event), now func() time.Time, preview bool, holdsData func(string) bool) *translator {
	return &translator{
		show: show, now: now, preview: preview, holdsData: holdsData,
		started: map[stepKey]time.Time{}, counts: progress.Counts{},
	}
}

func (t *translator) translate(event apitype.EngineEvent) {
	switch {
	case event.ResourcePreEvent != nil:
		t.stepStarted(event.ResourcePreEvent.Metadata)
	case event.ResOutputsEvent != nil:
		t.stepFinished(event.ResOutputsEvent.Metadata)
	case event.ResOpFailedEvent != nil:
		t.stepFailed(event.ResOpFailedEvent.Metadata)
	case event.DiagnosticEvent != nil:
		t.diagnostic(*event.DiagnosticEvent)
	case event.ErrorEvent != nil:
		t.fail("", event.ErrorEvent.Error)
	case event.SummaryEvent != nil:
		t.summarised = true
	}
}

func (t *translator) stepStarted(step apitype.StepEventMetadata) {
	operation, shown := operationOf(step)
	if !shown || operation == progress.Same {
		return
	}
	if t.preview {
		t.gather(step, operation)
		return
	}
	t.started[stepKey{step.URN, operation}] = t.now()
	t.show(progress.Step{
		Resource: nameOf(step.URN), Type: step.Type, Operation: operation, Status: progress.StatusStarted,
		Properties: slices.Sorted(slices.Values(step.Diffs)),
	})
}

func (t *translator) stepFinished(step apitype.StepEventMetadata) {
	if step.Type == string(resource.RootStackType) && step.New != nil {
		t.outputs = masked(step.New.Outputs)
	}
	operation, shown := operationOf(step)
	if !shown {
		return
	}
	if operation != progress.Refresh && operation != progress.RemoveOld {
		t.counts[operation]++
	}
	if operation == progress.Same || t.preview {
		return
	}
	properties := slices.Sorted(slices.Values(step.Diffs))
	if operation == progress.Refresh {
		properties = drift(step)
	}
	t.show(progress.Step{
		Resource: nameOf(step.URN), Type: step.Type, Operation: operation, Status: progress.StatusFinished,
		Elapsed: t.elapsed(step.URN, operation), Properties: properties,
	})
}

func (t *translator) stepFailed(step apitype.StepEventMetadata) {
	operation, shown := operationOf(step)
	if !shown {
		return
	}
	t.show(progress.Step{
		Resource: nameOf(step.URN), Type: step.Type, Operation: operation, Status: progress.StatusFailed,
		Elapsed: t.elapsed(step.URN, operation),
	})
}

func (t *translator) elapsed(urn string, operation progress.Operation) progress.Duration {
	started, known := t.started[stepKey{urn, operation}]
	if !known {
		return 0
	}
	return progress.Duration(t.now().Sub(started))
}

func (t *translator) diagnostic(diagnostic apitype.DiagnosticEvent) {
	text := strings.TrimSpace(diagnostic.Message)
	name := ""
	if diagnostic.URN != "" && !strings.Contains(diagnostic.URN, "::"+string(resource.RootStackType)+"::") {
		name = nameOf(diagnostic.URN)
	}
	text = strings.TrimPrefix(text, name+": ") // Shown beside the name.
	switch {
	case text == "":
	case diagnostic.Ephemeral:
		t.show(progress.Message{Severity: progress.Note, Resource: name, Text: text})
	case diagnostic.Severity == "error":
		t.fail(name, text)
	case diagnostic.Severity == "warning":
		t.show(progress.Message{Severity: progress.Warning, Resource: name, Text: text})
	case diagnostic.Severity == "info":
		t.show(progress.Message{Severity: progress.Info, Resource: name, Text: text})
	}
}

// fail keeps an error for the summary, once: the engine tells many twice, and adds that the update failed.
func (t *translator) fail(name, text string) {
	if name == "" && (text == "update failed" || text == "preview failed") {
		return
	}
	text = unwrapped(text)
	if name != "" {
		text = name + ": " + text
	}
	if !slices.Contains(t.errors, text) {
		t.errors = append(t.errors, text)
	}
}

// unwrapped gives an error of the program without what the Pulumi SDK puts around it, which says nothing to people.
func unwrapped(text string) string {
	text = strings.TrimPrefix(text, "an unhandled error occurred: ")
	if list, found := strings.CutPrefix(text, "1 error occurred:\n\t* "); found {
		return strings.TrimSpace(list)
	}
	return text
}

func (t *translator) gather(step apitype.StepEventMetadata, operation progress.Operation) {
	if operation == progress.Refresh || operation == progress.RemoveOld {
		return
	}
	change := progress.Change{Resource: nameOf(step.URN), Type: step.Type, Operation: operation, Properties: propertiesOf(step)}
	if step.Old != nil {
		change.Protected = step.Old.Protect
	}
	if loses := operation == progress.Delete || operation == progress.Replace; loses && (change.Protected || t.holdsData(step.Type)) {
		change.Risk = progress.RiskData
	}
	t.changes = append(t.changes, change)
}

// operationOf says what a step does, and whether people are to see it: they know resources by their names, not the
// stack, the provider or the components that hold them together.
func operationOf(step apitype.StepEventMetadata) (operation progress.Operation, shown bool) {
	state := cmp.Or(step.New, step.Old)
	if state == nil || !state.Custom || strings.HasPrefix(step.Type, "pulumi:") {
		return "", false
	}
	switch step.Op {
	case apitype.OpSame:
		return progress.Same, true
	case apitype.OpCreate, apitype.OpImport:
		return progress.Create, true
	case apitype.OpUpdate:
		return progress.Update, true
	case apitype.OpCreateReplacement, apitype.OpImportReplacement:
		return progress.Replace, true
	case apitype.OpDelete:
		return progress.Delete, true
	case apitype.OpDeleteReplaced:
		return progress.RemoveOld, true
	case apitype.OpRefresh:
		return progress.Refresh, true
	case apitype.OpReplace, apitype.OpRead, apitype.OpReadDiscard, apitype.OpReadReplacement, apitype.OpDiscardReplaced,
		apitype.OpRemovePendingReplace:
		return "", false // Bookkeeping, or said by another step already.
	default:
		return "", false
	}
}

// nameOf gives the name of a resource: the last part of its URN.
func nameOf(urn string) string {
	if end := strings.LastIndex(urn, "::"); end >= 0 {
		return urn[end+len("::"):]
	}
	return urn
}

// drift says which outputs a refresh found changed.
func drift(step apitype.StepEventMetadata) []string {
	switch {
	case step.Old == nil:
		return nil
	case step.New == nil:
		return []string{"gone"}
	case len(step.DetailedDiff) > 0:
		return slices.Sorted(maps.Keys(step.DetailedDiff))
	default:
		return slices.Sorted(slices.Values(step.Diffs))
	}
}
