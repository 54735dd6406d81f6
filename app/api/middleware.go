package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/telemetry"
)

// slowRequest is from when on a request is logged as a warning, so that it is seen at any level.
const slowRequest = 2 * time.Second

// observe gives the request its id, and logs and counts it when it is done. It also notes the route for that: the
// pattern is known only after the request was routed.
func (a *API) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		done := a.Metrics.Started()
		info := &telemetry.Request{ID: a.requestID(r)}
		route := &routeTrace{}
		ctx, span := a.startTrace(telemetry.WithRequest(withRouteTrace(r.Context(), route), info), r)
		r = r.WithContext(file.WithHost(ctx, r.Host))
		if r.Body != nil {
			r.Body = &clientBody{r.Body}
		}
		w.Header().Set("X-Request-Id", info.ID)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if isOperation(r) {
			w.Header().Set("Cache-Control", "no-store")
		}
		if a.draining.Load() {
			// Whoever keeps this connection must not send another request on it just when it closes.
			w.Header().Set("Connection", "close")
		}
		recorder := &statusRecorder{ResponseWriter: w}
		// Deferred: an aborted answer leaves by a panic, and must be counted too.
		defer func() {
			took := time.Since(start)
			telemetry.EndRequest(span, route.pattern, recorder.code())
			done(route.name(), recorder.code(), took)
			if isOperation(r) {
				a.Metrics.Window.Observe(took)
			}
			a.logRequest(r, route.name(), recorder, took)
		}()
		next.ServeHTTP(recorder, r)
	})
}

// startTrace begins the trace of a request, of users alone: probes and scrapes come every few seconds.
func (a *API) startTrace(ctx context.Context, r *http.Request) (context.Context, trace.Span) {
	if a.Traces == nil || !isOperation(r) {
		return ctx, noop.Span{}
	}
	return a.Traces.StartRequest(ctx, r, a.isFromInside(r))
}

func (a *API) logRequest(r *http.Request, route string, recorder *statusRecorder, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case recorder.code() >= http.StatusInternalServerError, took > slowRequest:
		level = slog.LevelWarn
	case !isOperation(r): // Probes and scrapes, every few seconds.
		level = slog.LevelDebug
	}
	// The path without its query: what people search for is theirs.
	a.Log.LogAttrs(r.Context(), level, "request",
		slog.String("method", r.Method), slog.String("path", r.URL.EscapedPath()), slog.String("route", route),
		slog.Int("status", recorder.code()), slog.Int64("bytes", recorder.bytes),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.String("address", a.clientAddress(r)))
}

// recoverPanics turns a panic into a 500 and a log line with the stack.
func (a *API) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler || r.Context().Err() != nil { //nolint:errorlint // The same value, not wrapped.
				panic(http.ErrAbortHandler) // The client is gone: there is nobody to answer.
			}
			a.Log.ErrorContext(r.Context(), "panic", "cause", cause, "stack", string(debug.Stack()))
			if recorder, ok := w.(*statusRecorder); ok && recorder.status != 0 {
				panic(http.ErrAbortHandler) // Half an answer is out: cut it off, so that it does not pass for a whole one.
			}
			writeProblem(w, r, problem(http.StatusInternalServerError,
				"Something went wrong on our side. The request's id is in the field instance."))
		}()
		next.ServeHTTP(w, r)
	})
}

// limitInFlight refuses requests beyond the limit at once: a queue would only make everyone wait.
func (a *API) limitInFlight(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isOperation(r) {
			next.ServeHTTP(w, r)
			return
		}
		select {
		case a.inFlight <- struct{}{}:
			defer func() { <-a.inFlight }()
			next.ServeHTTP(w, r)
		default:
			a.Metrics.Shed("in_flight")
			w.Header().Set("Retry-After", "1")
			writeProblem(w, r, typedProblem(http.StatusServiceUnavailable, typeBusy, "The service is busy. Try again in a moment."))
		}
	})
}

// checkText refuses paths and queries that PostgreSQL could not store or compare: NUL and what is not UTF-8. It also
// refuses paths with "..", which the multiplexer would redirect to a resource that the client did not name.
func (a *API) checkText(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.QueryUnescape(r.URL.RawQuery)
		for _, text := range []string{r.URL.Path, query} {
			if err != nil || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				writeProblem(w, r, invalid("query", "the URL must be UTF-8 without NUL characters"))
				return
			}
		}
		if clean := path.Clean(r.URL.Path); isOperation(r) && clean != r.URL.Path {
			writeProblem(w, r, problem(http.StatusNotFound, "There is nothing at this path."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkOrigin refuses writes that a page of another origin makes a browser send. The cookie is SameSite=Lax as well;
// this also covers old browsers and sibling subdomains.
func (a *API) checkOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
		if safe || !isOperation(r) || a.sameOrigin(r) {
			next.ServeHTTP(w, r)
			return
		}
		writeProblem(w, r, problem(http.StatusForbidden, "This request comes from another origin than "+a.origin.Scheme+"://"+a.origin.Host+"."))
	})
}

func (a *API) sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		// Not a browser, or one that says where the request comes from.
		site := r.Header.Get("Sec-Fetch-Site")
		return site != "cross-site" && site != "same-site"
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != a.origin.Scheme || u.Host == "" {
		return false
	}
	if strings.EqualFold(u.Host, a.origin.Host) {
		return true
	}
	return isLoopback(u.Hostname()) && isLoopback(a.origin.Hostname()) && u.Port() == a.origin.Port()
}

func isLoopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// ignoreAccept drops what a client would rather have: JSON is the only format. huma compares it with that when the answer
// is written, and panics at some malformed headers, when what was asked for is done already.
func (a *API) ignoreAccept(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isOperation(r) {
			r.Header.Del("Accept")
		}
		next.ServeHTTP(w, r)
	})
}

// route passes the request to its operation. What the multiplexer would refuse in plain text gets a problem.
func (a *API) route(w http.ResponseWriter, r *http.Request) {
	defer func() { routeTraceOf(r.Context()).pattern = r.Pattern }()
	if _, pattern := a.mux.Handler(r); pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	refusal := &refusalProbe{header: http.Header{}}
	a.mux.ServeHTTP(refusal, r)
	if allow := refusal.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
	}
	var p *huma.ErrorModel
	if refusal.status == http.StatusMethodNotAllowed {
		p = problem(refusal.status, "This resource does not know the method "+r.Method+".")
	} else {
		p = problem(http.StatusNotFound, "There is nothing at this path.")
	}
	writeProblem(w, r, p)
}
