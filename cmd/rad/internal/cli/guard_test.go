package cli

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/infra/guard"
)

// A preview that failed because of rules is a refusal; one that failed of anything else stays a failure, whatever rules say.
func TestARefusalIsToldFromAFailure(t *testing.T) {
	t.Parallel()
	open := []declared.Resource{{Type: "aws:ebs/volume:Volume", Name: "scratch", Inputs: map[string]any{}}}
	finding := guard.Policy{}.Check(open)[0].String()
	for _, test := range []struct {
		name    string
		err     error
		refused bool
	}{
		{"nothing failed", nil, true},
		{"an inline program said so", &engine.FailedError{Reasons: []string{finding}}, true},
		{"a program of its own said so", &engine.FailedError{Reasons: []string{"program failed: \n1 error occurred:\n\t* " + finding + "\n\n"}}, true},
		{"it ended with a code too", &engine.FailedError{Reasons: []string{finding, "an unhandled error occurred: program exited with non-zero exit code: 1"}}, true},
		{"several of them", &engine.FailedError{Reasons: []string{"2 errors occurred:\n\t* " + finding + "\n\t* " + finding}}, true},
		{"the engine refused", &engine.FailedError{Reasons: []string{`unable to delete resource "x" as it is currently marked for protection`}}, true},
		{"something else failed", &engine.FailedError{Reasons: []string{"the protected endpoint does not answer"}}, false},
		{"something else failed too", &engine.FailedError{Reasons: []string{finding, "no credentials"}}, false},
		{"another finding", &engine.FailedError{Reasons: []string{finding + "!"}}, false},
		{"it did not begin", errors.New("no pulumi"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			verdict := (&App{}).judge(t.Context(), open, test.err)
			assert.Equal(t, test.refused, errors.As(verdict, new(*refusedError)), "%v", verdict)
			if !test.refused {
				assert.Equal(t, test.err, verdict)
			}
		})
	}
}
