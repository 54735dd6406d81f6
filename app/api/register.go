package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// register adds an operation at basePath and its own path. Every error that the handler returns is mapped to a problem (see problem.go).
func register[I, O any](a *API, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	op.Path = basePath + op.Path
	// The deadline stays on the connection after the body was read, and when it passes net/http takes the client for gone:
	// it must not be before the request's own end, as huma's default of five seconds is.
	op.BodyReadTimeout = a.Config.RequestTimeout + deadlineSlack
	op.Middlewares = append(huma.Middlewares{a.limitTime}, op.Middlewares...)
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, a.problemOf(ctx, err)
		}
		return out, nil
	})
}

// signedIn makes the operation one for signed-in users: identity(ctx) is then set.
func (a *API) signedIn(op huma.Operation) huma.Operation {
	op.Security = []map[string][]string{{sessionScheme: {}}}
	op.Middlewares = append(op.Middlewares, a.authenticate)
	return op
}

// forAdmins makes the operation one for administrators; 403 for other users.
func (a *API) forAdmins(op huma.Operation) huma.Operation {
	op = a.signedIn(op)
	op.Middlewares = append(op.Middlewares, a.requireAdmin)
	return op
}

const timeLimitKey = "time-limit"

// forTransfer gives an upload or a download transferTime instead of Config.RequestTimeout. The connection's own deadlines
// for reading and writing are extended with it.
func forTransfer(op huma.Operation) huma.Operation {
	if op.Metadata == nil {
		op.Metadata = map[string]any{}
	}
	op.Metadata[timeLimitKey] = transferTime
	return op
}

// deadlineSlack lets the answer that says that time is up still be sent.
const deadlineSlack = 5 * time.Second

func (a *API) limitTime(ctx huma.Context, next func(huma.Context)) {
	limit := a.Config.RequestTimeout
	if d, ok := ctx.Operation().Metadata[timeLimitKey].(time.Duration); ok {
		limit = d
		_, w := humago.Unwrap(ctx)
		controller := http.NewResponseController(w)
		deadline := time.Now().Add(limit + deadlineSlack)
		_ = controller.SetReadDeadline(deadline) // Not supported by a test's recorder, which has no connection.
		_ = controller.SetWriteDeadline(deadline)
	}
	bounded, cancel := context.WithTimeout(ctx.Context(), limit)
	defer cancel()
	next(huma.WithContext(ctx, bounded))
}

// Raw is embedded in an input: it gives a handler the request and the writer themselves, to stream a body without holding
// it in memory. Limit what is read with http.MaxBytesReader; a *http.MaxBytesError becomes 413.
type Raw struct {
	request *http.Request
	writer  http.ResponseWriter
}

// Resolve is called by huma before the handler.
func (r *Raw) Resolve(ctx huma.Context) []error {
	r.request, r.writer = humago.Unwrap(ctx)
	return nil
}
