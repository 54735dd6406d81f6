// Command bench measures a panel under the load that its tier is planned for, through its front door.
//
// It brings up a stack of its own (the one that you use is left alone), signs up the tier's users, sends the mix at
// the tier's rate, then looks for the highest rate that still holds the tier's p95, and measures two ceilings beside it
// that no service on this machine can pass: point reads of the same database by pgbench, and a static file from the same
// Nginx.
//
//	go run ./test/bench tier1
//
// It prints; it does not judge.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// How long each part of the measurement lasts.
const (
	planLoad = 30 * time.Second
	trial    = 8 * time.Second
	ceiling  = 10 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	name := string(stacks.MVP)
	if len(args) > 0 {
		name = args[0]
	}
	tier, err := stacks.Plan().Tier(stacks.Tier(name))
	if err != nil {
		return err
	}
	fmt.Printf("Bringing up %s for the measurement\n", name)
	subject, err := bringUp(ctx, name)
	if err != nil {
		return err
	}
	defer func() {
		// A measurement that is interrupted takes its stack with it too.
		if purgeErr := subject.Purge(context.WithoutCancel(ctx)); err == nil {
			err = purgeErr
		}
	}()

	users, rate := tier.Capacity.ConcurrentUsers, tier.Capacity.RequestsPerSecond
	people, err := populate(ctx, subject.url, users, func(done int) {
		if done%50 == 0 || done == users {
			fmt.Printf("  %d of %d users signed up, %d records each\n", done, users, recordsPerUser)
		}
	})
	if err != nil {
		return err
	}

	fmt.Printf("\n%d requests/s by %d users for %v, the tier's capacity (target: p95 < %v)\n", rate, users, planLoad, tier.SLO.P95)
	fmt.Printf("The plan gives the MVP 50 requests/s for 100 users; the other tiers keep that half request per second and user.\n\n")
	people.attack(ctx, rate, 3*time.Second) // Connections, caches and plans are warm when the measurement starts.
	people.attack(ctx, rate, planLoad).print()

	cost, err := subject.overhead(ctx, func(d time.Duration) { people.attack(ctx, rate, d) })
	if err != nil {
		return err
	}
	cost.print()
	traces, traced, err := subject.tracing(ctx, func(address string, d time.Duration) { people.attackAt(ctx, address, rate, d) })
	if err != nil {
		return err
	}
	if traced {
		traces.print()
	}

	fmt.Printf("\nHighest rate that holds p95 < %v with at most 1 failure in 1,000, trials of %v\n\n", tier.SLO.P95, trial)
	highest := people.highestRate(ctx, rate, tier.SLO.P95)

	pointReads, err := subject.pointReads(ctx, ceiling)
	if err != nil {
		return err
	}
	staticFiles, err := subject.staticFiles(ctx, ceiling)
	if err != nil {
		return err
	}
	fmt.Printf("\n  highest rate          %8d requests/s  (%.1f times the tier's capacity)\n", highest, float64(highest)/float64(rate))
	fmt.Printf("  pgbench point reads   %8.0f reads/s     (-M prepared, same database, same run)\n", pointReads)
	fmt.Printf("  ratio                 %8.3f\n", float64(highest)/pointReads)
	fmt.Printf("  static file           %8.0f requests/s  (through the front door, same client, same run)\n", staticFiles)
	fmt.Printf("  ratio                 %8.3f\n", float64(highest)/staticFiles)
	return ctx.Err()
}

// highestRate doubles the rate until the target is missed, then halves the gap until it is within a tenth.
func (p *population) highestRate(ctx context.Context, start int, p95 time.Duration) int {
	holds := func(rate int) bool {
		m := p.attack(ctx, rate, trial)
		ok := m.holds(p95, rate)
		fmt.Printf("  %6d/s  p95 %8v  answered %6.0f/s  succeeded %6.2f %%  %s\n",
			rate, m.all.Latencies.P95.Round(100*time.Microsecond), m.all.Throughput, 100*m.all.Success, map[bool]string{true: "holds", false: "does not hold"}[ok])
		return ok
	}
	low, high := 0, start
	for ctx.Err() == nil && holds(high) {
		low, high = high, 2*high
	}
	for ctx.Err() == nil && high-low > max(1, low/10) {
		if middle := (low + high) / 2; holds(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

func (m *measurement) print() {
	fmt.Printf("  %-44s %8s %9s %9s %9s %9s %10s\n", "route", "requests", "p50", "p95", "p99", "max", "succeeded")
	routes := make([]string, 0, len(m.routes))
	for route := range m.routes {
		routes = append(routes, route)
	}
	slices.Sort(routes)
	for _, route := range append(routes, "all") {
		metrics := m.routes[route]
		if metrics == nil {
			metrics = &m.all
		}
		l := metrics.Latencies
		rounded := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
		fmt.Printf("  %-44s %8d %9v %9v %9v %9v %9.2f%%\n", route, metrics.Requests,
			rounded(l.P50), rounded(l.P95), rounded(l.P99), rounded(l.Max), 100*metrics.Success)
	}
	for _, problem := range m.all.Errors {
		fmt.Println("  !", problem)
	}
}
