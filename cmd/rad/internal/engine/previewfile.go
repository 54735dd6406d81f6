package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
)

// previewFile is what `pulumi preview --json --show-sames` writes, as far as it is needed here.
type previewFile struct {
	Steps []struct {
		Operation    apitype.OpType         `json:"op"`
		URN          string                 `json:"urn"`
		Old          *previewState          `json:"oldState"`
		New          *previewState          `json:"newState"`
		Keys         []string               `json:"replaceReasons"`
		Diffs        []string               `json:"diffReasons"`
		DetailedDiff map[string]previewDiff `json:"detailedDiff"`
	} `json:"steps"`
	Summary     map[apitype.OpType]int `json:"changeSummary"`
	Diagnostics []struct {
		URN      string `json:"urn"`
		Message  string `json:"message"`
		Severity string `json:"severity"`
	} `json:"diagnostics"`
}

type (
	previewState struct {
		Type    string         `json:"type"`
		Custom  bool           `json:"custom"`
		Protect bool           `json:"protect"`
		Inputs  map[string]any `json:"inputs"`
		Outputs map[string]any `json:"outputs"`
	}
	previewDiff struct {
		Kind      string `json:"kind"`
		InputDiff bool   `json:"inputDiff"`
	}
)

func (s *previewState) event() *apitype.StepEventStateMetadata {
	if s == nil {
		return nil
	}
	return &apitype.StepEventStateMetadata{Type: s.Type, Custom: s.Custom, Protect: s.Protect, Inputs: s.Inputs, Outputs: s.Outputs}
}

// ReadPreview gives the outcome of a preview that the plain CLI made, from what `pulumi preview --json --show-sames` wrote. The error is a
// *FailedError if that preview failed.
func ReadPreview(content []byte, holdsData func(resourceType string) bool, show func(progress.Event)) (Outcome, error) {
	var file previewFile
	if err := json.Unmarshal(content, &file); err != nil {
		return Outcome{}, fmt.Errorf("expected what `pulumi preview --json --show-sames` writes: %w", err)
	}
	if file.Steps == nil && file.Diagnostics == nil {
		return Outcome{}, fmt.Errorf("expected what `pulumi preview --json --show-sames` writes, with steps: there are none")
	}
	missing := file.Summary[apitype.OpSame]
	for _, step := range file.Steps {
		if step.Operation == apitype.OpSame {
			missing--
		}
	}
	if missing > 0 {
		return Outcome{}, fmt.Errorf("it leaves out %d resources that stay as they are: preview with --show-sames", missing)
	}
	t := newTranslator(show, time.Now, true, holdsData)
	for _, step := range file.Steps {
		metadata := apitype.StepEventMetadata{
			Op: step.Operation, URN: step.URN, Old: step.Old.event(), New: step.New.event(), Keys: step.Keys, Diffs: step.Diffs,
			DetailedDiff: map[string]apitype.PropertyDiff{},
		}
		if step.Operation == apitype.OpReplace { // The file has a replacement once, the events in three steps.
			metadata.Op = apitype.OpCreateReplacement
		}
		for _, state := range []*previewState{step.Old, step.New} {
			if state != nil {
				metadata.Type = state.Type
			}
		}
		for path, diff := range step.DetailedDiff {
			metadata.DetailedDiff[path] = apitype.PropertyDiff{Kind: apitype.DiffKind(diff.Kind), InputDiff: diff.InputDiff}
		}
		t.stepStarted(metadata)
		t.stepFinished(metadata)
	}
	for _, diagnostic := range file.Diagnostics {
		text := strings.TrimPrefix(diagnostic.Message, diagnostic.Severity+": ")
		t.diagnostic(apitype.DiagnosticEvent{URN: diagnostic.URN, Message: text, Severity: diagnostic.Severity})
	}
	progress.SortChanges(t.changes)
	outcome := Outcome{Counts: t.counts, Changes: t.changes, Resources: t.resources, Outputs: t.outputs, Before: t.before}
	if len(t.errors) > 0 {
		return outcome, &FailedError{Reasons: t.reasons(), cause: fmt.Errorf("pulumi preview failed")}
	}
	return outcome, nil
}
