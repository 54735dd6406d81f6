// Package prometheustest runs a real Prometheus that has a history: tests ask it what a stack's would say after weeks.
package prometheustest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startTimeout bounds the start of the server.
const startTimeout = time.Minute

// Series is a series of the history.
type Series struct {
	// Name is the metric's, with its labels, such as `up{job="panel"}`.
	Name string
	// At gives the figure at each age. Not a number is a sample too.
	At func(age time.Duration) float64
	// From and To are the ages of the oldest and the newest sample, Every is between two.
	From, To, Every time.Duration
}

// Start starts a Prometheus with these series, as of now, on a free port, and gives its address. It scrapes nothing. It ends
// with the test.
func Start(t testing.TB, now time.Time, history ...Series) (address string) {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "rad-prometheus-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	data := filepath.Join(folder, "data")
	if len(history) > 0 {
		imported := filepath.Join(folder, "history")
		require.NoError(t, os.WriteFile(imported, []byte(openMetrics(now, history)), 0o600))
		// By default a block spans two hours, and a history of weeks would be hundreds.
		out, err := exec.CommandContext(t.Context(), "promtool", "tsdb", "create-blocks-from", "--max-block-duration=2000h",
			"openmetrics", imported, data).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	config := filepath.Join(folder, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, []byte("global: {}\n"), 0o600))
	// Not the test's context: the server is asked to end by the clean-up.
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "prometheus", "--config.file="+config, "--storage.tsdb.path="+data, "--storage.tsdb.retention.time=1y",
		"--web.listen-address=127.0.0.1:0", "--log.format=json")
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	logs, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	found := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		follow(bufio.NewScanner(logs), found)
		_ = command.Wait()
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // It may have ended.
		<-ended
	})
	select {
	case address := <-found:
		return address
	case <-ended:
		require.FailNow(t, "prometheus ended before it was ready")
	case <-time.After(startTimeout):
		require.FailNow(t, "prometheus is not ready after "+startTimeout.String())
	}
	return ""
}

// follow reads the log to its end, and gives the address once the server takes requests.
func follow(lines *bufio.Scanner, found chan<- string) {
	address, ready := "", false
	for told := false; lines.Scan(); {
		var line struct {
			Message string `json:"msg"`
			Address string `json:"address"`
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		switch line.Message { // In either order.
		case "Listening on":
			address = line.Address
		case "Server is ready to receive web requests.":
			ready = true
		}
		if ready && address != "" && !told {
			told = true
			found <- address
		}
	}
}

// openMetrics writes the series as promtool reads them.
func openMetrics(now time.Time, history []Series) string {
	var text strings.Builder
	for _, s := range history {
		for age := s.From; age >= s.To; age -= s.Every {
			figure := s.At(age)
			value := strconv.FormatFloat(figure, 'g', -1, 64)
			if math.IsNaN(figure) {
				value = "NaN"
			}
			fmt.Fprintf(&text, "%s %s %.3f\n", s.Name, value, float64(now.Add(-age).UnixMilli())/1000)
		}
	}
	text.WriteString("# EOF\n")
	return text.String()
}
