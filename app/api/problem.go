package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/telemetry"
)

// The types of problems that programs tell apart; every other one is "about:blank", told by its status alone.
const (
	typeBlank        = "about:blank"
	typeStale        = "/problems/stale-version"
	typeBusy         = "/problems/busy"
	typeUncertain    = "/problems/uncertain"
	typeFull         = "/problems/full"
	typeRateLimited  = "/problems/rate-limited"
	typeTOTPRequired = "/problems/totp-required"
)

// statusClientClosed is what Nginx logs too for a client that did not wait: no fault of the service.
const statusClientClosed = 499

// busyRetryAfter is what a client that was refused for load is told to wait.
const busyRetryAfter = time.Second

// problem returns an error for the client: a status and what to do about it, in a sentence.
func problem(status int, detail string) *huma.ErrorModel {
	return &huma.ErrorModel{Type: typeBlank, Title: http.StatusText(status), Status: status, Detail: detail}
}

// typedProblem is a problem that programs tell apart by its type.
func typedProblem(status int, kind, detail string) *huma.ErrorModel {
	p := problem(status, detail)
	p.Type = kind
	return p
}

// invalid is a 422 about one place in the request, such as "body.name" or "query.cursor".
func invalid(location, message string) *huma.ErrorModel {
	p := problem(http.StatusUnprocessableEntity, "validation failed")
	p.Errors = []*huma.ErrorDetail{{Location: location, Message: message}}
	return p
}

// retryAfter adds the header that says when another try is worth it.
func retryAfter(err error, d time.Duration) error {
	seconds := max(1, int64((d+time.Second-1)/time.Second))
	return huma.ErrorWithHeaders(err, http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}})
}

// problemOf maps an error of a handler to what the client sees. It is the only place that does.
func (a *API) problemOf(ctx context.Context, err error) error {
	var known *huma.ErrorModel
	var tooLarge *http.MaxBytesError
	var cut *clientReadError
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, database.ErrNotFound):
		return problem(http.StatusNotFound, "There is no such thing, or it is not yours.")
	case errors.Is(err, database.ErrStale):
		return typedProblem(http.StatusPreconditionFailed, typeStale, "It has changed since you read it: read it again, then repeat the change.")
	case errors.Is(err, database.ErrConflict):
		return problem(http.StatusConflict, "It exists already.")
	case errors.Is(err, database.ErrInvalid):
		return problem(http.StatusUnprocessableEntity, "The request holds a value that cannot be stored.")
	case errors.As(err, &tooLarge):
		return problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes.", tooLarge.Limit))
	case errors.As(err, &cut):
		return problem(http.StatusRequestTimeout, "The body ended early, or came too slowly.")
	case errors.Is(err, database.ErrUncertain) && !errors.Is(err, context.Canceled):
		a.Log.WarnContext(ctx, "not known whether a request was done", "error", err)
		// Not a 503, which says that nothing was done.
		return typedProblem(http.StatusGatewayTimeout, typeUncertain, "It is not known whether this was done. Look before you try again.")
	case errors.Is(err, database.ErrFull), errors.Is(err, file.ErrFull):
		a.Metrics.Shed("space")
		a.Log.WarnContext(ctx, "request refused: no space left", "error", err)
		// Not a 503, which clients repeat by themselves.
		return typedProblem(http.StatusInsufficientStorage, typeFull, "There is no space left to store this; what is stored can still be read. Ask an administrator to make room.")
	case errors.Is(err, database.ErrBusy), errors.Is(err, context.DeadlineExceeded):
		a.Metrics.Shed("database")
		a.Log.WarnContext(ctx, "request refused: busy", "error", err)
		return retryAfter(typedProblem(http.StatusServiceUnavailable, typeBusy, "The service is busy. Try again in a moment."), busyRetryAfter)
	case errors.Is(err, context.Canceled): // The client has gone and reads no answer.
		p := problem(statusClientClosed, "The client closed the request.")
		p.Title = "Client Closed Request"
		return p
	}
	for _, problemOf := range []func(error) error{accountProblem, panelProblem} {
		if mapped := problemOf(err); mapped != nil {
			return mapped
		}
	}
	a.Log.ErrorContext(ctx, "request failed", "error", err)
	return problem(http.StatusInternalServerError, "Something went wrong on our side. The request's id is in the field instance.")
}

// finishProblem completes every problem on its way out, also those that huma makes: it adds the type and the request,
// and leaves out values, which may be passwords or whole bodies.
func (a *API) finishProblem(ctx huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	finish(p, telemetry.RequestOf(ctx.Context()))
	return p, nil
}

func finish(p *huma.ErrorModel, r *telemetry.Request) {
	if p.Type == "" {
		p.Type = typeBlank
	}
	if r.ID != "" {
		p.Instance = "urn:request:" + r.ID
	}
	for _, detail := range p.Errors {
		switch detail.Value.(type) {
		case float64, int, bool:
		default:
			detail.Value = nil
		}
	}
}

// writeProblem answers outside of an operation, as the middleware does.
func writeProblem(w http.ResponseWriter, r *http.Request, p *huma.ErrorModel) {
	finish(p, telemetry.RequestOf(r.Context()))
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = jsonFormat().Marshal(w, p) // The client may be gone.
}
