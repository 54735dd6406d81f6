package engine

import (
	"cmp"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/infra/declared"
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
	// resources are all that a preview is about, those that stay as they are too.
	resources []declared.Resource
	// before is what the stack exported before; outputsStay is set once it was found to stay so.
	before      map[string]any
	outputsStay bool
	counts      progress.Counts
	outputs     map[string]any
	errors      []string
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
	if t.preview {
		t.declare(step)
	}
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
		Resource: declared.NameOf(step.URN), Type: step.Type, Operation: operation, Status: progress.StatusStarted,
		Properties: slices.Sorted(slices.Values(step.Diffs)),
	})
}

func (t *translator) stepFinished(step apitype.StepEventMetadata) {
	if step.Type == string(resource.RootStackType) && step.New != nil {
		t.outputs = masked(step.New.Outputs)
		if step.Old != nil {
			t.before = masked(step.Old.Outputs)
			t.outputsStay = reflect.DeepEqual(t.before, t.outputs)
		}
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
		Resource: declared.NameOf(step.URN), Type: step.Type, Operation: operation, Status: progress.StatusFinished,
		Elapsed: t.elapsed(step.URN, operation), Properties: properties,
	})
}

func (t *translator) stepFailed(step apitype.StepEventMetadata) {
	operation, shown := operationOf(step)
	if !shown {
		return
	}
	t.show(progress.Step{
		Resource: declared.NameOf(step.URN), Type: step.Type, Operation: operation, Status: progress.StatusFailed,
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

// ambient is what pulumi says of a language host that is not beside it, in each operation: where that is matters to nobody.
var ambient = regexp.MustCompile(`^using pulumi-\S+ from \$PATH at `)

func (t *translator) diagnostic(diagnostic apitype.DiagnosticEvent) {
	text := Redact(strings.TrimSpace(diagnostic.Message))
	name := ""
	if diagnostic.URN != "" && !strings.Contains(diagnostic.URN, "::"+string(resource.RootStackType)+"::") {
		name = declared.NameOf(diagnostic.URN)
	}
	text = strings.TrimPrefix(text, name+": ") // Shown beside the name.
	switch {
	case text == "" || ambient.MatchString(text):
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
	text = Redact(unwrapped(text))
	if name != "" {
		text = name + ": " + text
	}
	if !slices.Contains(t.errors, text) {
		t.errors = append(t.errors, text)
	}
}

// reasons gives the errors: of an update as they came, since the first may be what led to the others; of a preview in order, so that
// equal ones say the same.
func (t *translator) reasons() []string {
	if t.preview {
		return slices.Sorted(slices.Values(t.errors))
	}
	return t.errors
}

// unwrapped gives an error of the program without what the Pulumi SDK puts around it, which says nothing to people.
func unwrapped(text string) string {
	text = strings.TrimPrefix(text, "an unhandled error occurred: ")
	if said, found := strings.CutPrefix(text, "program failed:"); found { // So says a program of its own.
		text = strings.TrimSpace(said)
	}
	if list, found := strings.CutPrefix(text, "1 error occurred:\n\t* "); found {
		return strings.TrimSpace(list)
	}
	return text
}

// declare keeps a resource with what it is before and after, for those who judge an update as a whole.
func (t *translator) declare(step apitype.StepEventMetadata) {
	operation, shown := operationOf(step)
	if operation == progress.Refresh || operation == progress.RemoveOld {
		return
	}
	r := declared.Resource{Type: step.Type, Name: declared.NameOf(step.URN), Operation: declared.Operation(operation)}
	if !shown {
		if !strings.HasPrefix(step.Type, "pulumi:providers:") || step.New == nil || step.Op == apitype.OpRefresh {
			return
		}
		r.Operation = declared.Same // Of a provider, only what it is told matters.
	}
	if step.New != nil && operation != progress.Delete {
		r.Inputs = declared.Clean(step.New.Inputs)
	}
	if step.Old != nil {
		r.Old, r.Protected = declared.Clean(step.Old.Inputs), step.Old.Protect
	}
	t.resources = append(t.resources, r)
}

func (t *translator) gather(step apitype.StepEventMetadata, operation progress.Operation) {
	if operation == progress.Refresh || operation == progress.RemoveOld {
		return
	}
	change := progress.Change{Resource: declared.NameOf(step.URN), Type: step.Type, Operation: operation, Properties: propertiesOf(step)}
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
