package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// twinPatience bounds the start of a twin.
const twinPatience = 30 * time.Second

const (
	// turn is how long each twin has the load before it is the next one's, and turns how often each has it: the machine's
	// speed changes from one minute to the next, and changes all of a round alike.
	turn  = 5 * time.Second
	turns = 15
)

// tracing is what traces cost the service at a load, in the CPU time of each turn.
type tracing struct {
	with, without []time.Duration
	// again is a second measurement without traces: it differs by what the measurement cannot tell.
	again []time.Duration
}

// tracing puts the load by turns on three twins of the panel, on the same database, cache and files: one that makes traces
// and two that make none. They began at the same time, and nothing stands before them, so nothing else tells them apart. ok
// is false where the stack traces nothing.
func (s *subject) tracing(ctx context.Context, load func(address string, d time.Duration)) (t tracing, ok bool, err error) {
	status, err := s.Status(ctx)
	if err != nil {
		return t, false, err
	}
	var panel int
	for _, service := range status.Services {
		if service.Name == "panel" {
			panel = service.PID
		}
	}
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(panel), "environ"))
	if err != nil {
		return t, false, fmt.Errorf("environment of the panel: %w", err)
	}
	variables := strings.Split(strings.TrimRight(string(environment), "\x00"), "\x00")
	if !slices.ContainsFunc(variables, isEndpoint) {
		return t, false, nil
	}
	untraced := slices.DeleteFunc(slices.Clone(variables), isEndpoint)
	twins := map[*twin]*[]time.Duration{}
	for _, one := range []struct {
		variables []string
		spent     *[]time.Duration
	}{{variables, &t.with}, {untraced, &t.without}, {untraced, &t.again}} {
		twin, err := startTwin(ctx, panel, one.variables)
		if err != nil {
			return t, false, err
		}
		defer twin.stop()
		twins[twin] = one.spent
		load(twin.address, 3*time.Second) // Connections and plans are warm when the measurement starts.
	}
	for range turns {
		for one, spent := range twins { // In an order by chance: no twin always comes after the same one.
			took, err := one.spend(func() { load(one.address, turn) })
			if err != nil {
				return t, false, err
			}
			*spent = append(*spent, took)
		}
	}
	return t, true, ctx.Err()
}

func isEndpoint(variable string) bool { return strings.HasPrefix(variable, "RAD_TRACE_ENDPOINT=") }

func (t tracing) print() {
	perSecond := func(turns []time.Duration) float64 {
		return float64(median(turns).Microseconds()) / 1000 / turn.Seconds()
	}
	more, unsure := excess(t.with, t.without, t.again)
	fmt.Printf("  CPU of the service    %8.2f ms/s with traces, %.2f and %.2f ms/s in two twins without: %+.1f ± %.1f %%\n",
		perSecond(t.with), perSecond(t.without), perSecond(t.again), 100*more, 100*unsure)
}

// excess is by what share with is above the mean of the others of its round, and the standard error of that.
func excess(with, without, again []time.Duration) (mean, standardError float64) {
	shares := make([]float64, len(with))
	for i := range with {
		shares[i] = 2*float64(with[i])/float64(without[i]+again[i]) - 1
		mean += shares[i] / float64(len(with))
	}
	var squares float64
	for _, share := range shares {
		squares += (share - mean) * (share - mean)
	}
	n := float64(len(shares))
	return mean, math.Sqrt(squares / (n * (n - 1)))
}

func median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// twin is one more process of the panel's program.
type twin struct {
	command *exec.Cmd
	address string
	// log is read once the twin has ended.
	log bytes.Buffer
}

// startTwin runs the program of a process with these variables, as the same user, on a port of its own.
func startTwin(ctx context.Context, of int, variables []string) (*twin, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &twin{address: listener.Addr().String()}
	if err := listener.Close(); err != nil {
		return nil, err
	}
	process := filepath.Join("/proc", strconv.Itoa(of))
	program, err := os.Readlink(filepath.Join(process, "exe"))
	if err != nil {
		return nil, fmt.Errorf("program of the panel: %w", err)
	}
	owner, err := os.Stat(process)
	if err != nil {
		return nil, err
	}
	t.command = exec.CommandContext(ctx, program)
	t.command.Env = append(slices.Clone(variables), "RAD_LISTEN_ADDRESS="+t.address)
	t.command.Stdout, t.command.Stderr = &t.log, &t.log
	t.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if id := owner.Sys().(*syscall.Stat_t); os.Geteuid() == 0 {
		t.command.SysProcAttr.Credential = &syscall.Credential{Uid: id.Uid, Gid: id.Gid}
	}
	if err := t.command.Start(); err != nil {
		return nil, fmt.Errorf("twin of the panel: %w", err)
	}
	if err := t.await(ctx); err != nil {
		t.stop()
		return nil, fmt.Errorf("%w\n%s", err, t.log.String())
	}
	return t, nil
}

func (t *twin) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, twinPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.address+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the twin of the panel does not get ready"), err)
		case <-tick.C:
		}
	}
}

// spend is the CPU time that the twin takes meanwhile.
func (t *twin) spend(do func()) (time.Duration, error) {
	of := []int{t.command.Process.Pid}
	before, err := cpuTime(of)
	if err != nil {
		return 0, err
	}
	do()
	after, err := cpuTime(of)
	return after - before, err
}

func (t *twin) stop() {
	_ = t.command.Process.Signal(syscall.SIGTERM)
	_ = t.command.Wait()
}
