package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"github.com/google/uuid"
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

func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *statusRecorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK { // Not an interim answer, such as 103.
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

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

func (r *rangeRecorder) WriteHeader(status int) {
	if r.refused = status == http.StatusRequestedRangeNotSatisfiable; r.refused {
		writeProblem(r.ResponseWriter, r.request, problem(status, "There are fewer bytes than the range asks for."))
		return
	}
	r.ResponseWriter.WriteHeader(status)
}

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

func (p *refusalProbe) Header() http.Header         { return p.header }
func (p *refusalProbe) WriteHeader(status int)      { p.status = status }
func (p *refusalProbe) Write(b []byte) (int, error) { return len(b), nil }

// clientBody reports every failure to read a body as the client's: a connection that breaks in the middle of an upload
// is no fault of the service and must not count as one.
type clientBody struct{ io.ReadCloser }

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

func (e *clientReadError) Error() string   { return "the body ended early: " + e.cause.Error() }
func (e *clientReadError) Unwrap() error   { return e.cause }
func (e *clientReadError) Timeout() bool   { return true }
func (e *clientReadError) Temporary() bool { return false }

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9-]{8,64}$`)

// requestID takes the id that the balancer gave, so that its logs and these can be joined; else makes one.
func (a *API) requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); requestIDPattern.MatchString(id) && a.trusts(peer(r)) {
		return id
	}
	return uuid.Must(uuid.NewV7()).String()
}

// clientAddress is the address of the client: the last one in X-Forwarded-For that is not a proxy of ours. What stands
// before it the client may have written itself.
func (a *API) clientAddress(r *http.Request) string {
	address := peer(r)
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && a.trusts(address); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(forwarded[i]))
		if err != nil {
			break
		}
		address = next.Unmap()
	}
	if !address.IsValid() {
		return "unknown"
	}
	return address.WithZone("").String()
}

func (a *API) trusts(address netip.Addr) bool {
	for _, prefix := range a.proxies {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

func peer(r *http.Request) netip.Addr {
	addrPort, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return addrPort.Addr().Unmap()
}
