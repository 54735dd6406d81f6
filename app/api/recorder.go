package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
)

// routeTrace carries the route's pattern from the multiplexer out to the observer.
type routeTrace struct{ pattern string }

type routeTraceKey struct{}

func withRouteTrace(ctx context.Context, t *routeTrace) context.Context {
	return context.WithValue(ctx, routeTraceKey{}, t)
}

func routeTraceOf(ctx context.Context) *routeTrace {
	if t, ok := ctx.Value(routeTraceKey{}).(*routeTrace); ok {
		return t
	}
	return &routeTrace{}
}

// name is the label of the metrics: a closed set, whatever paths strangers try.
func (t *routeTrace) name() string {
	if t.pattern == "" {
		return "none"
	}
	return t.pattern
}

// statusRecorder notes what was answered. Unwrap lets http.ResponseController reach the connection's deadlines.
type statusRecorder struct {
	http.ResponseWriter

	status int
	bytes  int64
}

// Unwrap is for http.ResponseController.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader notes the status.
func (r *statusRecorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK { // Not an interim answer, such as 103.
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write notes how much was sent.
func (r *statusRecorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// ReadFrom keeps sendfile for downloads.
func (r *statusRecorder) ReadFrom(source io.Reader) (int64, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := io.Copy(r.ResponseWriter, source)
	r.bytes += n
	return n, err
}

func (r *statusRecorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// rangeRecorder makes a problem of what http.ServeContent says in plain text: that there is no such range.
type rangeRecorder struct {
	http.ResponseWriter

	request *http.Request
	refused bool
}

// WriteHeader sends a problem in place of 416.
func (r *rangeRecorder) WriteHeader(status int) {
	if r.refused = status == http.StatusRequestedRangeNotSatisfiable; r.refused {
		writeProblem(r.ResponseWriter, r.request, problem(status, "There are fewer bytes than the range asks for."))
		return
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write drops the plain text that a problem was sent for.
func (r *rangeRecorder) Write(p []byte) (int, error) {
	if r.refused {
		return len(p), nil
	}
	return r.ResponseWriter.Write(p)
}

// ReadFrom keeps sendfile for downloads.
func (r *rangeRecorder) ReadFrom(source io.Reader) (int64, error) {
	return io.Copy(r.ResponseWriter, source)
}

// refusalProbe takes what the multiplexer would have said.
type refusalProbe struct {
	header http.Header
	status int
}

// Header returns the headers, such as Allow.
func (p *refusalProbe) Header() http.Header { return p.header }

// WriteHeader notes the status.
func (p *refusalProbe) WriteHeader(status int) { p.status = status }

// Write drops the text.
func (p *refusalProbe) Write(b []byte) (int, error) { return len(b), nil }

// clientBody reports every failure to read a body as the client's: a connection that breaks in the middle of an upload
// is no fault of the service and must not count as one.
type clientBody struct{ io.ReadCloser }

// Read marks errors as the client's.
func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var tooLarge *http.MaxBytesError
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &tooLarge) {
		return n, err
	}
	return n, &clientReadError{err}
}

// clientReadError counts as a time-out, which is answered with 408.
type clientReadError struct{ cause error }

var _ net.Error = (*clientReadError)(nil)

func (e *clientReadError) Error() string { return "the body ended early: " + e.cause.Error() }
func (e *clientReadError) Unwrap() error { return e.cause }

// Timeout makes huma answer 408.
func (e *clientReadError) Timeout() bool { return true }

// Temporary is asked for by net.Error.
func (e *clientReadError) Temporary() bool { return false }
