package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// shift is how long the load is measured with Prometheus, and how long without, and shifts how often each.
	shift  = 15 * time.Second
	shifts = 3
	// scrapes is how many are timed one after the other, for what a single one costs.
	scrapes = 200
	// scrapeInterval is that of a stack (infra/monitoring).
	scrapeInterval = 15 * time.Second
)

// overhead is what monitoring costs the service at a load, in shares of its CPU time without.
type overhead struct {
	with, without time.Duration
	// scrape is the CPU time that the service spends on one answer to Prometheus.
	scrape time.Duration
}

// overhead puts the load on the service by turns with Prometheus and without it, for it is frozen.
func (s *subject) overhead(ctx context.Context, load func(time.Duration)) (o overhead, err error) {
	status, err := s.Status(ctx)
	if err != nil {
		return o, err
	}
	var prometheus int
	var panels []int
	var address string
	for _, service := range status.Services {
		switch {
		case service.Name == "prometheus":
			prometheus = service.PID
		case service.Name == "panel" || strings.HasPrefix(service.Name, "panel-"):
			panels, address = append(panels, service.PID), service.Address
		}
	}
	spend := func(do func()) (time.Duration, error) {
		before, err := cpuTime(panels)
		if err != nil {
			return 0, err
		}
		do()
		after, err := cpuTime(panels)
		return after - before, err
	}
	for range shifts {
		with, err := spend(func() { load(shift) })
		if err != nil {
			return o, err
		}
		if err := syscall.Kill(prometheus, syscall.SIGSTOP); err != nil {
			return o, fmt.Errorf("freeze Prometheus: %w", err)
		}
		without, err := spend(func() { load(shift) })
		_ = syscall.Kill(prometheus, syscall.SIGCONT)
		if err != nil {
			return o, err
		}
		o.with, o.without = o.with+with, o.without+without
	}
	total, err := spend(func() {
		for range scrapes {
			if err = scrapeOnce(ctx, address); err != nil {
				return
			}
		}
	})
	o.scrape = total / scrapes
	return o, err
}

func (o overhead) print() {
	perSecond := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / (shifts * shift.Seconds()) }
	fmt.Printf("\n  CPU of the service    %8.2f ms/s with Prometheus, %.2f ms/s without: %+.2f %%\n",
		perSecond(o.with), perSecond(o.without), 100*(float64(o.with)/float64(o.without)-1))
	fmt.Printf("  one scrape            %8.2f ms of it, every %v: %.3f %% of the service's CPU\n",
		float64(o.scrape.Microseconds())/1000, scrapeInterval,
		100*float64(o.scrape)*shifts*shift.Seconds()/scrapeInterval.Seconds()/float64(o.without))
}

func scrapeOnce(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("metrics of %s: %s", address, response.Status)
	}
	return nil
}

// cpuTime is what processes have spent since they started, by the clock that the kernel has for each (clock_getcpuclockid(3)).
func cpuTime(pids []int) (total time.Duration, err error) {
	const scheduled = 2 // CPUCLOCK_SCHED: the time on a processor, in nanoseconds.
	for _, pid := range pids {
		var spent unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|scheduled), &spent); err != nil {
			return 0, fmt.Errorf("CPU time of the service, process %d: %w", pid, err)
		}
		total += time.Duration(spent.Nano())
	}
	return total, nil
}
