// Package balancer looks after the instances behind Nginx: one that hangs is taken out of the balancer, and put back when
// it answers. Nginx itself notices only what breaks: an instance that takes connections and never answers would hold
// every other request until its time is up.
package balancer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// probeInterval and probeTimeout decide how long a hanging instance gets requests: two probes that fail, at most
	// 2.5 seconds.
	probeInterval = 500 * time.Millisecond
	probeTimeout  = time.Second
	// failures is how many probes in a row have to fail.
	failures = 2
)

// Options say who is behind the balancer, and how it is told.
type Options struct {
	// Backends are the addresses of the instances, host:port, each with the parameters that Nginx is to use, such as
	// "127.0.0.1:8001 max_fails=2".
	Backends []string
	// File is what Nginx includes in its upstream. PIDFile names its master process, which reads it again at HUP.
	File, PIDFile string
	Log           *slog.Logger
	Registry      prometheus.Registerer
}

// Watcher probes the instances. Make one with New.
type Watcher struct {
	Options

	client *http.Client
	out    *prometheus.GaugeVec

	mu sync.Mutex
	// failed counts the probes in a row that failed, for each backend.
	failed []int
	// untold says that Nginx may not have read the file as it is now.
	untold bool
}

// New returns a watcher, and writes the file with every instance in: Nginx may start.
func New(options Options) (*Watcher, error) {
	w := &Watcher{
		Options: options, failed: make([]int, len(options.Backends)),
		// A connection of its own each time: one that hangs must not be waited for by the next.
		client: &http.Client{Timeout: probeTimeout, Transport: &http.Transport{DisableKeepAlives: true}},
		out: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "radpanel_balancer_backend_out", Help: "1 if the instance gets no requests because it hangs.",
		}, []string{"backend"}),
	}
	options.Registry.MustRegister(w.out)
	_, err := w.write()
	return w, err
}

// Run probes until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	var probing sync.WaitGroup
	for i := range w.Backends {
		probing.Go(func() {
			tick := time.NewTicker(probeInterval)
			defer tick.Stop()
			for {
				w.probe(ctx, i)
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	probing.Wait()
}

// probe asks one instance, and tells Nginx if that changes anything. An instance that refuses connections is Nginx's
// own affair: it tries the next one at once, and nothing is lost.
func (w *Watcher) probe(ctx context.Context, i int) {
	address := w.address(i)
	err := w.ask(ctx, address)
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil || errors.Is(err, syscall.ECONNREFUSED) {
		w.failed[i] = 0
	} else {
		w.failed[i]++
	}
	changed, writeErr := w.write()
	if changed {
		w.Log.WarnContext(ctx, "the balancer's instances have changed", "backend", address, "out", w.isOut(i), "error", err)
	}
	if w.untold {
		writeErr = errors.Join(writeErr, w.reload())
	}
	if writeErr != nil {
		w.Log.ErrorContext(ctx, "the balancer could not be told", "error", writeErr)
	}
}

func (w *Watcher) address(i int) string {
	address, _, _ := strings.Cut(w.Backends[i], " ")
	return address
}

// ask is content with any answer: an instance that says that it is not ready still answers, and says so to users too.
func (w *Watcher) ask(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/livez", nil)
	if err != nil {
		return err
	}
	response, err := w.client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (w *Watcher) isOut(i int) bool { return w.failed[i] >= failures }

// write brings the file up to date, and tells whether that changed it. If every instance hangs, all stay in: perhaps it
// is this process that does not get its turn.
func (w *Watcher) write() (changed bool, err error) {
	all := true
	for i := range w.Backends {
		all = all && w.isOut(i)
	}
	var text bytes.Buffer
	for i, backend := range w.Backends {
		down := ""
		value := 0.0
		if w.isOut(i) && !all {
			down, value = " down", 1
		}
		fmt.Fprintf(&text, "server %s%s;\n", backend, down)
		w.out.WithLabelValues(w.address(i)).Set(value)
	}
	present, err := os.ReadFile(w.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("instances of the balancer: %w", err)
	}
	if bytes.Equal(present, text.Bytes()) {
		return false, nil
	}
	temporary := filepath.Join(filepath.Dir(w.File), "."+filepath.Base(w.File))
	if err := os.WriteFile(temporary, text.Bytes(), 0o600); err != nil {
		return false, fmt.Errorf("instances of the balancer: %w", err)
	}
	if err := os.Rename(temporary, w.File); err != nil {
		return false, fmt.Errorf("instances of the balancer: %w", err)
	}
	w.untold = true
	return true, nil
}

// reload has Nginx read its files again, which takes no request from anybody. One that starts just now may have read
// them already, and written no process id yet: it is told by a later probe.
func (w *Watcher) reload() error {
	text, err := os.ReadFile(w.PIDFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("process of nginx: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return fmt.Errorf("process of nginx: %s holds %q, expected a process id", w.PIDFile, text)
	}
	err = syscall.Kill(pid, syscall.SIGHUP)
	if errors.Is(err, syscall.ESRCH) {
		return nil // It was killed, and left its id.
	}
	if err != nil {
		return fmt.Errorf("reload nginx, process %d: %w", pid, err)
	}
	w.untold = false
	return nil
}
