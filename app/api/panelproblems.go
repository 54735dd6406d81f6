package api

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/job"
	"github.com/radpanel/radpanel/app/panel"
)

// jobsRetryAfter is what a client with too many jobs is told to wait.
const jobsRetryAfter = 10 * time.Second

// panelProblem maps the errors of packages panel, file and job; nil for others.
func panelProblem(err error) error {
	if details := invalidDetails(err); len(details) > 0 {
		p := problem(http.StatusUnprocessableEntity, "validation failed")
		p.Errors = details
		return p
	}
	for _, limit := range []error{panel.ErrTooManyPanels, panel.ErrTooManyRecords, panel.ErrTooManyFiles, panel.ErrFileDeleted, job.ErrNotFailed} {
		if errors.Is(err, limit) {
			return problem(http.StatusConflict, sentence(limit))
		}
	}
	switch {
	case errors.Is(err, job.ErrTooMany):
		return retryAfter(typedProblem(http.StatusTooManyRequests, typeRateLimited, sentence(job.ErrTooMany)), jobsRetryAfter)
	case errors.Is(err, file.ErrUnavailable):
		return retryAfter(typedProblem(http.StatusServiceUnavailable, typeBusy, "Files cannot be reached right now. Try again in a few seconds."), busyRetryAfter)
	default:
		return nil
	}
}

// invalidDetails finds every InvalidError that err is made of: a form shows all mistakes at once.
func invalidDetails(err error) []*huma.ErrorDetail {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var details []*huma.ErrorDetail
		for _, one := range joined.Unwrap() {
			details = slices.Concat(details, invalidDetails(one))
		}
		return details
	}
	var invalid *panel.InvalidError
	if errors.As(err, &invalid) {
		return []*huma.ErrorDetail{{Location: "body." + invalid.Field, Message: invalid.Message}}
	}
	return nil
}

// sentence is the text of an error as people read it.
func sentence(err error) string {
	text := []byte(err.Error())
	if 'a' <= text[0] && text[0] <= 'z' {
		text[0] -= 'a' - 'A'
	}
	return string(text) + "."
}
