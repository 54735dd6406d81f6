package balancer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// statusTimeout bounds the question how many connections there are.
const statusTimeout = time.Second

// connections asks Nginx, whenever Prometheus asks, how many there are.
type connections struct {
	url           string
	limit         int
	client        *http.Client
	log           *slog.Logger
	active, bound *prometheus.Desc
}

// NewConnections returns the metrics of Nginx's connections: how many there are, which its module stub_status says at a
// URL, and how many there may be.
func NewConnections(url string, limit int, log *slog.Logger) prometheus.Collector {
	return &connections{
		url: url, limit: limit, log: log, client: &http.Client{Timeout: statusTimeout},
		active: prometheus.NewDesc("radpanel_balancer_connections", "Connections of clients to Nginx.", nil, nil),
		bound:  prometheus.NewDesc("radpanel_balancer_connections_limit", "The most that Nginx takes.", nil, nil),
	}
}

// Describe tells what Collect gives.
func (c *connections) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.active
	ch <- c.bound
}

// Collect asks. Without an answer, there is no figure.
func (c *connections) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(c.bound, prometheus.GaugeValue, float64(c.limit))
	active, err := c.ask()
	if err != nil {
		c.log.Warn("nginx does not say how many connections it has", "url", c.url, "error", err)
		return
	}
	ch <- prometheus.MustNewConstMetric(c.active, prometheus.GaugeValue, float64(active))
}

func (c *connections) ask() (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return 0, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1024))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(body), "\n")
	count, ok := strings.CutPrefix(line, "Active connections: ")
	active, err := strconv.Atoi(strings.TrimSpace(count))
	if !ok || err != nil || response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("answer %s %q: expected a line \"Active connections: <number>\"", response.Status, line)
	}
	return active, nil
}

// RoundTrips gathers from Nginx how far its clients are: a datagram for each request, in the form of syslog, with the
// connection's round trip in microseconds.
type RoundTrips struct {
	connection *net.UnixConn
	seconds    prometheus.Histogram
}

// ListenRoundTrips listens at the path of a unix socket. What is left there of a process that was killed is replaced.
func ListenRoundTrips(path string, registry prometheus.Registerer) (*RoundTrips, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("round trips: %w", err)
	}
	connection, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("round trips: %w", err)
	}
	r := &RoundTrips{connection: connection, seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "radpanel_front_door_round_trip_seconds", Help: "TCP round trip to the client, of each request at the front door.",
		// There is an edge at 0.15 s, from which on a user is far away (see the plan).
		Buckets: []float64{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1},
	})}
	return r, registry.Register(r.seconds)
}

// Run gathers until ctx ends.
func (r *RoundTrips) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = r.connection.Close() })
	defer stop()
	buffer := make([]byte, 512)
	for {
		n, err := r.connection.Read(buffer)
		if ctx.Err() != nil { // Told to stop.
			return nil
		}
		if err != nil {
			return fmt.Errorf("round trips: %w", err)
		}
		if took, ok := roundTrip(buffer[:n]); ok {
			r.seconds.Observe(took.Seconds())
		}
	}
}

// roundTrip reads a datagram such as "<190>Nov 25 00:55:01 rtt: 1234". Nginx leaves the number away where the kernel does
// not know it.
func roundTrip(datagram []byte) (time.Duration, bool) {
	at := bytes.LastIndex(datagram, []byte(": "))
	if at < 0 {
		return 0, false
	}
	microseconds, err := strconv.ParseUint(string(bytes.TrimSpace(datagram[at+2:])), 10, 32)
	return time.Duration(microseconds) * time.Microsecond, err == nil
}
