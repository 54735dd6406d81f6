// Command promote measures promotions under load: how long writes are held, what fails, what is lost or doubled, and how
// fast a panel is copied.
//
// It brings up a stack of its own with many records, sends requests at the tier's rate in the open model, every fifth a
// write that is written down when it is acknowledged, and promotes the panel to the next tier and back, ten times.
//
//	go run ./test/bench/promote [-from mvp] [-rate 50] [-promotions 10]
//
// It prints; it does not judge.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/stacks"
	"github.com/radpanel/radpanel/test/panelclient"
	"github.com/radpanel/radpanel/test/radstack"
)

const (
	// seeded is how many records are copied beside those of the load.
	seeded = 100_000
	// writeShare is one in how many requests writes.
	writeShare = 5
)

// bench is a step of the plan that is measured.
type bench struct {
	stack    *radstack.Stack
	from, to string
	// rate is how many requests a second are sent.
	rate int
	// promotions and as many rollbacks make the cut-overs that are measured.
	promotions int
}

func main() {
	from := flag.String("from", "mvp", "the tier that the panel is promoted from")
	rate := flag.Int("rate", 0, "requests a second; 0: the tier's capacity")
	promotions := flag.Int("promotions", 10, "how many promotions, with as many rollbacks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, stacks.Tier(*from), *rate, *promotions)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "promote:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, from stacks.Tier, rate, promotions int) (err error) {
	tier, err := stacks.Plan().Tier(from)
	if err != nil {
		return err
	}
	next, found := stacks.Plan().Next(from)
	if !found {
		return fmt.Errorf("%s is the last tier: expected one that can be promoted", from)
	}
	if rate == 0 {
		rate = tier.Capacity.RequestsPerSecond
	}
	stack, err := radstack.New(filepath.Join("bin", "rad"), string(from))
	if err != nil {
		return err
	}
	b := bench{stack: stack, from: string(from), to: string(next.Tier), rate: rate, promotions: promotions}
	defer func() {
		// A measurement that is interrupted takes its stacks with it too.
		if purgeErr := b.purge(context.WithoutCancel(ctx)); err == nil {
			err = purgeErr
		}
	}()
	return b.measure(ctx)
}

func (b bench) measure(ctx context.Context) error {
	if _, err := b.stack.Rad(ctx, "up", b.from); err != nil {
		return err
	}
	status, err := b.stack.Status(ctx)
	if err != nil {
		return err
	}
	client, err := panelclient.New(status.URL, 1)
	if err != nil {
		return err
	}
	defer client.Close()
	book, err := newBook(ctx, client)
	if err != nil {
		return err
	}
	if err := b.seed(ctx, book.panel); err != nil {
		return err
	}
	fmt.Printf("%s -> %s: %d requests/s, %d records, %d promotions and as many rollbacks\n\n", b.from, b.to, b.rate, seeded, b.promotions)
	old, err := watchProcesses(status, "postgresql", "panel", "nginx")
	if err != nil {
		return err
	}
	quiet, err := old.during(func() error { return book.rehearse(ctx, b.rate) })
	if err != nil {
		return err
	}
	before := quantile(book.forget(), 0.95)
	load, end := context.WithCancel(ctx)
	done := book.keep(load, b.rate)
	var copied copySpeed
	var pauses []time.Duration
	meanwhile, err := old.during(func() (err error) {
		copied, pauses, err = b.promote(ctx)
		return err
	})
	end()
	<-done
	if err != nil {
		return err
	}
	report(before, copied, pauses, book)
	for _, name := range old.names() {
		fmt.Printf("  load on the old   %-10s %5.1f %% of a processor meanwhile, %5.1f %% before\n", name, 100*meanwhile[name], 100*quiet[name])
	}
	return book.compare(ctx)
}

func (b bench) purge(ctx context.Context) error {
	if err := os.RemoveAll(filepath.Join(b.stack.State, "promotions")); err != nil {
		return err
	}
	if _, err := b.stack.Rad(ctx, "down", b.to, "--purge", "--yes"); err != nil {
		return err
	}
	return b.stack.Purge(ctx)
}

// seed makes records as the load does, by the database itself.
func (b bench) seed(ctx context.Context, panel string) error {
	binaries, err := filepath.Glob("/usr/lib/postgresql/*/bin/psql")
	if err != nil || len(binaries) == 0 {
		return fmt.Errorf("psql is not in /usr/lib/postgresql/*/bin: install Debian's package postgresql")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	statement := fmt.Sprintf(`INSERT INTO records (bucket, id, panel_id, user_id, title, data)
		SELECT p.bucket, gen_random_uuid(), p.id, p.user_id, 'seeded ' || n, jsonb_build_object('text', repeat(md5(n::text), 12))
		FROM panels p, generate_series(1, %d) n WHERE p.id = '%s'; VACUUM ANALYZE records`, seeded, uuid.MustParse(panel))
	command := exec.CommandContext(ctx, binaries[len(binaries)-1], "-q", "-v", "ON_ERROR_STOP=1")
	command.Stdin = strings.NewReader(statement)
	command.Env = append(os.Environ(), "PGHOST="+filepath.Join(b.stack.State, "local-"+b.from, "postgresql", "run"), "PGPORT=5432", "PGUSER=postgres", "PGDATABASE=radpanel")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("seed records: %w\n%s", err, out)
	}
	return nil
}

// clock is how moments are written, so that they can be found in logs.
const clock = "15:04:05.000"

// copySpeed is what the first promotion copied, in bytes, and how long it took.
type copySpeed struct {
	bytes int64
	took  time.Duration
}

var copying = regexp.MustCompile(`copy: done in (\S+)`)

func (b bench) promote(ctx context.Context) (copied copySpeed, pauses []time.Duration, err error) {
	for n := range b.promotions {
		out, err := b.stack.Rad(ctx, "promote", b.from, b.to)
		if err != nil {
			return copied, pauses, err
		}
		if found := copying.FindStringSubmatch(out); found != nil && n == 0 {
			if copied.took, err = time.ParseDuration(found[1]); err != nil {
				return copied, pauses, err
			}
			copied.bytes, err = size(filepath.Join(b.stack.State, "local-"+b.to, "postgresql", "data", "base"))
			if err != nil {
				return copied, pauses, err
			}
		}
		forward, err := b.lastPause(ctx)
		if err != nil {
			return copied, pauses, err
		}
		if _, err := b.stack.Rad(ctx, "promote", "rollback", b.from, b.to); err != nil {
			return copied, pauses, err
		}
		back, err := b.lastPause(ctx)
		if err != nil {
			return copied, pauses, err
		}
		pauses = append(pauses, forward, back)
		fmt.Printf("  %s  %2d: writes held for %v, and %v on the way back\n", time.Now().Format(clock), n+1, forward.Round(time.Millisecond),
			back.Round(time.Millisecond))
	}
	return copied, pauses, nil
}

func size(folder string) (bytes int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}

func (b bench) lastPause(ctx context.Context) (time.Duration, error) {
	out, err := b.stack.Rad(ctx, "promote", "status", b.from, b.to, "--json")
	if err != nil {
		return 0, err
	}
	var status struct {
		CutOvers []struct {
			Pause float64 `json:"pause_seconds"`
		} `json:"cut_overs"`
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return 0, fmt.Errorf("status of the promotion: %w", err)
	}
	last := status.CutOvers[len(status.CutOvers)-1]
	return time.Duration(last.Pause * float64(time.Second)), nil
}

// book is the load: it remembers which writes were acknowledged.
type book struct {
	client *panelclient.Client
	panel  string
	read   string

	mu           sync.Mutex
	acknowledged map[string]bool
	times        []time.Duration
	failed       []failure
}

// failure is a request that failed.
type failure struct {
	began time.Time
	took  time.Duration
	err   error
}

const failuresShown = 20

func newBook(ctx context.Context, client *panelclient.Client) (*book, error) {
	if _, err := client.SignUp(ctx, "bench@example.com", "correct horse battery staple"); err != nil {
		return nil, err
	}
	seeded, err := client.CreatePanel(ctx, "Seeded")
	if err != nil {
		return nil, err
	}
	written, err := client.CreatePanel(ctx, "Written")
	if err != nil {
		return nil, err
	}
	return &book{client: client, panel: seeded.ID, read: written.ID, acknowledged: map[string]bool{}}, nil
}

// keep sends perSecond requests a second until ctx ends; the channel closes when all have been answered.
func (b *book) keep(ctx context.Context, perSecond int) <-chan struct{} {
	done := make(chan struct{})
	var requests sync.WaitGroup
	go func() {
		defer close(done)
		defer requests.Wait()
		panelclient.AtRate(ctx, perSecond, func(n int) {
			requests.Go(func() { b.request(context.WithoutCancel(ctx), n) })
		})
	}()
	return done
}

func (b *book) request(ctx context.Context, n int) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	began, title := time.Now(), ""
	var err error
	if n%writeShare == 0 {
		title = uuid.NewString()
		_, err = b.client.CreateRecord(ctx, b.read, title, map[string]any{"n": n}, panelclient.IdempotencyKey(title))
	} else {
		err = b.client.Do(ctx, "GET", "/panels/"+b.read, nil, nil)
	}
	took := time.Since(began)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.times = append(b.times, took)
	switch {
	case err != nil:
		b.failed = append(b.failed, failure{began, took, err})
	case title != "":
		b.acknowledged[title] = true
	}
}

// rehearse sends requests while nothing is promoted.
func (b *book) rehearse(ctx context.Context, perSecond int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	<-b.keep(ctx, perSecond)
	if len(b.failed) > 0 {
		return fmt.Errorf("%d of %d requests failed before anything was promoted, one of them so: %w", len(b.failed), len(b.times), b.failed[0].err)
	}
	return nil
}

// forget gives what requests took so far, and begins anew.
func (b *book) forget() []time.Duration {
	times := b.times
	b.times = nil
	return times
}

// compare counts what was lost or doubled of what was acknowledged.
func (b *book) compare(ctx context.Context) error {
	held := map[string]int{}
	err := b.client.EachRecord(ctx, b.read, func(r panelclient.Record) error {
		held[r.Title]++
		return nil
	})
	if err != nil {
		return err
	}
	lost, doubled := 0, 0
	for title := range b.acknowledged {
		switch held[title] {
		case 0:
			lost++
		case 1:
		default:
			doubled++
		}
	}
	fmt.Printf("  writes            %d acknowledged, %d lost, %d doubled\n", len(b.acknowledged), lost, doubled)
	return nil
}

func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func report(before time.Duration, copied copySpeed, pauses []time.Duration, b *book) {
	ms := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds()*1000, 'f', 1, 64) + " ms" }
	fmt.Printf("\n  writes held       min %s  p50 %s  p95 %s  max %s  (%d cut-overs)\n", ms(slices.Min(pauses)), ms(quantile(pauses, 0.5)), ms(quantile(pauses, 0.95)), ms(slices.Max(pauses)), len(pauses))
	fmt.Printf("  requests          %d sent, %d failed, slowest %s\n", len(b.times), len(b.failed), ms(slices.Max(b.times)))
	for _, one := range b.failed[:min(len(b.failed), failuresShown)] {
		fmt.Printf("    at %s, after %s: %v\n", one.began.Format(clock), ms(one.took), one.err)
	}
	fmt.Printf("  load on requests  p95 %s meanwhile, %s before: %.1f times\n", ms(quantile(b.times, 0.95)), ms(before), quantile(b.times, 0.95).Seconds()/before.Seconds())
	perSecond := float64(copied.bytes) / copied.took.Seconds()
	fmt.Printf("  copy              %d MiB in %v, %.0f MiB/s: 10 GiB would take %v\n", copied.bytes>>20, copied.took.Round(time.Millisecond), perSecond/(1<<20),
		time.Duration(float64(10<<30)/perSecond*float64(time.Second)).Round(time.Second))
}
