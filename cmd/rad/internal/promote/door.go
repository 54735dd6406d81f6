package promote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/radpanel/radpanel/infra/local"
)

const (
	// cacheTerm is for how long after it was told not to an instance may still use its cache: the term of its lease, and
	// some more.
	cacheTerm = 1500 * time.Millisecond
	// gate is how fast a write has to arrive at the other side before writes are held: it is part of how long they are.
	gate = 150 * time.Millisecond
	// gateTransaction is how old a transaction may be then: those that are older would mostly outlast the time in which all have to
	// end, and everybody else would wait for nothing.
	gateTransaction = 500 * time.Millisecond
	// gateTimeout is how long to wait for that.
	gateTimeout = 5 * time.Minute
	// drainLimit is how long the requests that an instance has may take, and jobsTimeout its jobs.
	drainLimit  = 11 * time.Minute
	jobsTimeout = time.Hour
	// answerTimeout is how long an instance may take to say what it serves, and hungPatience how long it may not say it at all
	// before it is taken to hang for good, and killed.
	answerTimeout = 5 * time.Second
	hungPatience  = time.Minute
	// frontDoorService is the web server that users meet.
	frontDoorService = "nginx"
)

// approach makes all ready for a cut-over: no cache is used, the other side is close behind, no transaction is long. It
// renews the connections if they break while it waits.
func (p *Promotion) approach(ctx context.Context, fromDB, toDB *database, following, keeps string) error {
	p.At("approach")
	if err := errors.Join(fromDB.disableCaches(ctx), toDB.disableCaches(ctx)); err != nil {
		return err
	}
	unused := time.After(cacheTerm)
	if err := toDB.exec(ctx, "follow", "ALTER SUBSCRIPTION "+following+" ENABLE"); err != nil {
		return err
	}
	if keeps != "" { // An attempt that was broken off made it, and it keeps what is on this side already.
		if err := toDB.dropSlot(ctx, keeps); err != nil {
			return err
		}
	}
	waiting, cancel := context.WithTimeout(ctx, gateTimeout)
	defer cancel()
	for {
		err := p.checkGate(waiting, *fromDB, *toDB)
		if err == nil {
			break
		}
		if waiting.Err() != nil {
			return fmt.Errorf("not ready to hold writes after %s: %w", gateTimeout, err)
		}
		var trouble error
		if fromDB.IsClosed() || toDB.IsClosed() { // A server went away, or had not answered when its time was up.
			trouble = p.reconnect(waiting, fromDB, toDB)
		} else {
			trouble = p.behind(waiting, *fromDB, *toDB, following)
		}
		if errors.As(trouble, new(*LostError)) {
			return trouble
		}
		p.sayTrouble("waiting to hold writes: "+err.Error(), trouble)
		if err := p.rest(ctx); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-unused:
		return nil
	}
}

func (p *Promotion) checkGate(ctx context.Context, fromDB, toDB database) error {
	ctx, cancel := context.WithTimeoutCause(ctx, arrival, fmt.Errorf("what is written does not arrive within %s", arrival))
	defer cancel()
	for range 3 {
		marker, err := fromDB.mark(ctx)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := toDB.awaitMarker(ctx, marker); err != nil {
			return err
		}
		if took := time.Since(began); took > gate {
			return fmt.Errorf("what is written takes %s to arrive, expected at most %s", took.Round(time.Millisecond), gate)
		}
	}
	return fromDB.checkTransactions(ctx, gateTransaction)
}

// moveFrontDoor sends new requests to the new stack, and lets the old one finish what it has.
func (p *Promotion) moveFrontDoor(ctx context.Context) error {
	if err := p.followBack(ctx); err != nil { // Done already, unless rad was killed just then.
		return err
	}
	defer keepConnections()()
	p.At("forward")
	if err := p.Deployer.Up(ctx, p.From, map[string]string{"promoteTo": p.To}, frontDoorService); err != nil {
		return err
	}
	return p.takeOver(ctx, p.from, p.toDB, p.record.ToTier)
}

// keepConnections has the kernel hand those who wait at a socket that is closed over to another one of the same port, until it is
// called back: otherwise it resets whoever has connected to one web server and is not accepted yet, while two share the port
// (net.ipv4.tcp_migrate_req, Linux 5.14). Only root may say so.
func keepConnections() (back func()) {
	const setting = "/proc/sys/net/ipv4/tcp_migrate_req"
	before, err := os.ReadFile(setting)
	if err != nil || strings.TrimSpace(string(before)) != "0" || os.WriteFile(setting, []byte("1"), 0) != nil {
		return func() {}
	}
	return func() { _ = os.WriteFile(setting, []byte("0"), 0) } // Left as it is, it does no harm.
}

// takeOver makes one side's instances the only ones, when the other's have finished. The database is the writable one.
func (p *Promotion) takeOver(ctx context.Context, leaving local.Side, d database, tier string) error {
	p.At("drain")
	if err := p.drain(ctx, leaving); err != nil {
		return err
	}
	p.At("jobs")
	if err := p.moveJobs(ctx, d, tier); err != nil {
		return err
	}
	p.At("caches")
	return d.enableCaches(ctx)
}

// drain waits until a side's instances serve nothing any more. One that does not answer may still write, and would not tell
// the cache that is used next: it is waited for, and after a while killed rather than left, so that one that hangs, which may
// be why one goes back, does not keep the panel from going on.
func (p *Promotion) drain(ctx context.Context, side local.Side) error {
	ctx, cancel := context.WithTimeoutCause(ctx, drainLimit, fmt.Errorf("stack %s still serves requests after %s", side.Name, drainLimit))
	defer cancel()
	answered, told := map[string]time.Time{}, false
	for _, url := range side.PanelURLs() {
		answered[url] = p.Now()
	}
	for idle := 0; idle < 3; {
		serving, hangs := 0, false
		for url := range answered {
			n, err := inFlight(ctx, url)
			if errors.Is(err, errNoAnswer) {
				hangs = true
				if silent := p.Now().Sub(answered[url]); silent < hungPatience {
					p.Say(fmt.Sprintf("stack %s: %v for %s", side.Name, err, silent.Round(time.Second)), false)
					continue
				}
				p.Say(fmt.Sprintf("stack %s: %v for %s: it is killed, and starts again", side.Name, err, hungPatience), true)
				err = side.KillPanel(url)
			}
			if err != nil {
				return fmt.Errorf("stack %s: %w", side.Name, err)
			}
			answered[url] = p.Now()
			serving += n
		}
		// What an old worker of the web server has not passed on yet comes to an instance later.
		leaving, err := p.from.LeavingWorkers(ctx)
		if err != nil {
			return err
		}
		idle++
		if serving > 0 || leaving > 0 || hangs {
			idle = 0
		}
		if leaving > 0 && !told {
			told = true
			p.Say(fmt.Sprintf("the web server of stack %s finishes what it serves", p.From), true)
		}
		if serving > 0 {
			p.Say(fmt.Sprintf("stack %s finishes %d requests", side.Name, serving), false)
		}
		if err := p.rest(ctx); err != nil {
			return err
		}
	}
	return nil
}

// errNoAnswer: an instance is there, but does not say what it serves.
var errNoAnswer = errors.New("an instance does not answer")

// inFlight tells how many requests an instance serves. One that is gone, which is one that refuses connections, serves none.
func inFlight(ctx context.Context, url string) (int, error) {
	const metric = "radpanel_http_requests_in_flight "
	bounded, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(bounded, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	switch {
	case err == nil:
		defer func() { _ = response.Body.Close() }() // Only read.
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case errors.Is(err, syscall.ECONNREFUSED):
		return 0, nil
	default:
		return 0, fmt.Errorf("%w (%s)", errNoAnswer, url)
	}
	scanner := bufio.NewScanner(response.Body)
	for scanner.Scan() {
		if value, found := strings.CutPrefix(scanner.Text(), metric); found {
			n, err := strconv.ParseFloat(value, 64)
			// The request for the metrics is one of them.
			return max(0, int(n)-1), err
		}
	}
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case scanner.Err() != nil:
		return 0, fmt.Errorf("%w (%s)", errNoAnswer, url)
	}
	return 0, fmt.Errorf("%s/metrics does not have %s", url, metric)
}

// moveJobs has the instances of a tier do the background work, and waits for the jobs that others run.
func (p *Promotion) moveJobs(ctx context.Context, d database, tier string) error {
	if err := errors.Join(p.fromDB.setTier(ctx, tier), p.toDB.setTier(ctx, tier)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, jobsTimeout, fmt.Errorf("jobs still run after %s", jobsTimeout))
	defer cancel()
	rows, err := d.Query(ctx, "SELECT id::text, lease_owner::text FROM jobs WHERE state = 'running' AND lease_owner IS NOT NULL")
	if err != nil {
		return d.fail("list the jobs", err)
	}
	type run struct{ ID, Owner string }
	runs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[run])
	if err != nil {
		return d.fail("list the jobs", err)
	}
	for _, r := range runs {
		for {
			var still bool
			err := d.QueryRow(ctx, "SELECT EXISTS (SELECT FROM jobs WHERE id = $1::uuid AND lease_owner = $2::uuid AND state = 'running' AND lease_until > now())", r.ID, r.Owner).Scan(&still)
			if err != nil {
				return d.fail("look at a job", err)
			}
			if !still {
				break
			}
			p.Say("waiting for a job to end: "+r.ID, false)
			if err := p.rest(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// readNew reads through every part of the new stack: its web server, its panel, its database.
func (p *Promotion) readNew(ctx context.Context) error {
	inside, err := p.to.InsideURL()
	if err != nil {
		return err
	}
	for _, url := range append([]string{inside + "/", inside + "/healthz/service"}, readiness(p.to)...) {
		bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(bounded, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		request.Host = strings.TrimPrefix(p.from.URL(), "http://")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return fmt.Errorf("read from stack %s: %w", p.To, err)
		}
		_ = response.Body.Close() // The status is the answer.
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("read from stack %s: %s: status %d, expected 200: see `rad logs %s`", p.To, url, response.StatusCode, p.To)
		}
	}
	return nil
}

func readiness(side local.Side) []string {
	var urls []string
	for _, url := range side.PanelURLs() {
		urls = append(urls, url+"/readyz")
	}
	return urls
}
