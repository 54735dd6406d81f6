package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"golang.org/x/sync/errgroup"

	"github.com/radpanel/radpanel/test/panelclient"
)

// recordsPerUser is how many records each user has before the load starts: more than one page.
const recordsPerUser = 60

// An operation is one kind of request; its weight is its share of the mix, in percent.
type operation struct {
	weight int
	target func(*population, *visitor, *vegeta.Target)
}

// mix is a working day in a panel: four reads to each write, point reads and record pages most of all.
func mix() []operation {
	return []operation{
		{30, func(_ *population, v *visitor, t *vegeta.Target) { v.get(t, v.recordPath(v.anyRecord())) }},
		{25, func(_ *population, v *visitor, t *vegeta.Target) { v.get(t, "/panels/"+v.panel+"/records") }},
		{15, func(_ *population, v *visitor, t *vegeta.Target) { v.get(t, "/panels") }},
		{10, func(_ *population, v *visitor, t *vegeta.Target) { v.get(t, "/panels/"+v.panel) }},
		{10, func(_ *population, v *visitor, t *vegeta.Target) {
			v.send(t, http.MethodPost, "/panels/"+v.panel+"/records", document())
		}},
		{10, func(p *population, v *visitor, t *vegeta.Target) { p.update(v, t) }},
	}
}

// population is the tier's users with their sessions and data.
type population struct {
	base     string
	visitors []*visitor
	mix      []operation

	mu        sync.Mutex
	populated int
	// updating maps the address of an update under way to its record: one update of a record at a time, since an
	// update names the version that it replaces.
	updating map[string]*record
}

type visitor struct {
	base    string
	cookie  string
	panel   string
	records []*record
}

type record struct {
	id      string
	version int64
	busy    bool
}

// signingUp is how many users sign up at once: the service hashes one password for each processor.
const signingUp = 4

// populate signs up the users and gives each a panel with records.
func populate(ctx context.Context, base string, users int, progress func(done int)) (*population, error) {
	p := &population{base: base, mix: mix(), updating: map[string]*record{}, visitors: make([]*visitor, users)}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(signingUp)
	for i := range users {
		group.Go(func() error {
			v, err := newVisitor(ctx, base, uint32(i))
			if err != nil {
				return fmt.Errorf("user %d of %d: %w", i+1, users, err)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.visitors[i] = v
			p.populated++
			progress(p.populated)
			return nil
		})
	}
	return p, group.Wait()
}

func newVisitor(ctx context.Context, base string, number uint32) (*visitor, error) {
	client, err := panelclient.New(base, number)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	email := fmt.Sprintf("user-%d@example.com", number)
	if _, err := client.SignUp(ctx, email, "a long enough pass phrase "+strconv.Itoa(int(number))); err != nil {
		return nil, err
	}
	panel, err := client.CreatePanel(ctx, "Customers")
	if err != nil {
		return nil, err
	}
	v := &visitor{base: base, cookie: client.Cookie(), panel: panel.ID}
	if err := client.Import(ctx, panel.ID, strings.NewReader("title,city,orders\n"+strings.Repeat("Customer,Oslo,7\n", recordsPerUser))); err != nil {
		return nil, err
	}
	return v, client.EachRecord(ctx, panel.ID, func(r panelclient.Record) error {
		v.records = append(v.records, &record{id: r.ID, version: r.Version})
		return nil
	})
}

func (v *visitor) anyRecord() *record { return v.records[rand.IntN(len(v.records))] }

func (v *visitor) recordPath(r *record) string { return "/panels/" + v.panel + "/records/" + r.id }

func (v *visitor) get(t *vegeta.Target, path string) { v.send(t, http.MethodGet, path, nil) }

func (v *visitor) send(t *vegeta.Target, method, path string, body []byte) {
	t.Method, t.URL, t.Body = method, v.base+"/api/v1"+path, body
	t.Header = http.Header{"Cookie": {v.cookie}, "Accept": {"application/json"}}
	if body != nil {
		t.Header.Set("Content-Type", "application/json")
		t.Header.Set("Origin", v.base)
	}
}

// update changes a record that nobody is updating; when all of the user's are taken, it reads one.
func (p *population) update(v *visitor, t *vegeta.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := v.anyRecord()
	if r.busy {
		v.get(t, v.recordPath(r))
		return
	}
	v.send(t, http.MethodPatch, v.recordPath(r), document())
	t.Header.Set("If-Match", strconv.Quote(strconv.FormatInt(r.version, 10)))
	r.busy = true
	p.updating[t.URL] = r
}

func (p *population) settle(result *vegeta.Result) {
	if result.Method != http.MethodPatch {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.updating[result.URL]
	delete(p.updating, result.URL)
	if r == nil || result.Code != http.StatusOK {
		// Whether the update took place is unknown: the record stays busy and is only read from here on.
		return
	}
	var answer struct{ Version int64 }
	if json.Unmarshal(result.Body, &answer) == nil && answer.Version > 0 {
		r.version, r.busy = answer.Version, false
	}
}

func (p *population) targeter() vegeta.Targeter {
	return func(t *vegeta.Target) error {
		v := p.visitors[rand.IntN(len(p.visitors))]
		draw := rand.IntN(100)
		for _, operation := range p.mix {
			if draw -= operation.weight; draw < 0 {
				operation.target(p, v, t)
				return nil
			}
		}
		return fmt.Errorf("the weights of the mix add up to less than 100")
	}
}

func document() []byte {
	body, err := json.Marshal(map[string]any{
		"title": fmt.Sprintf("Customer %d", rand.IntN(1_000_000)),
		"data":  map[string]any{"city": "Bergen", "orders": rand.IntN(100), "note": "Called back, wants the larger plan."},
	})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return body
}

// measurement is what one run of load saw, per route and in all.
type measurement struct {
	routes map[string]*vegeta.Metrics
	all    vegeta.Metrics
}

// attack sends the mix at a fixed rate (open model: a slow answer delays no later request).
func (p *population) attack(ctx context.Context, perSecond int, duration time.Duration) *measurement {
	return p.attackBy(ctx, vegeta.NewAttacker(vegeta.Timeout(attackTimeout), vegeta.KeepAlive(true), vegeta.Connections(1000)), perSecond, duration)
}

// attackTimeout is after how long a request counts as failed.
const attackTimeout = 10 * time.Second

// attackAt is attack past the front door, at a server's address.
func (p *population) attackAt(ctx context.Context, address string, perSecond int, duration time.Duration) *measurement {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
		MaxIdleConnsPerHost: 1000,
	}
	defer transport.CloseIdleConnections()
	return p.attackBy(ctx, vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: transport, Timeout: attackTimeout})), perSecond, duration)
}

func (p *population) attackBy(ctx context.Context, attacker *vegeta.Attacker, perSecond int, duration time.Duration) *measurement {
	m := &measurement{routes: map[string]*vegeta.Metrics{}}
	stop := context.AfterFunc(ctx, func() { attacker.Stop() })
	defer stop()
	for result := range attacker.Attack(p.targeter(), vegeta.Rate{Freq: perSecond, Per: time.Second}, duration, "load") {
		p.settle(result)
		route := routeOf(result)
		if m.routes[route] == nil {
			m.routes[route] = &vegeta.Metrics{}
		}
		m.routes[route].Add(result)
		m.all.Add(result)
	}
	for _, metrics := range m.routes {
		metrics.Close()
	}
	m.all.Close()
	return m
}

// holds says whether the run met the p95 target with at most one failure in a thousand, at the rate asked for.
func (m *measurement) holds(p95 time.Duration, perSecond int) bool {
	return m.all.Latencies.P95 < p95 && m.all.Success > 0.999 && m.all.Rate > 0.97*float64(perSecond)
}

var identifier = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)

func routeOf(result *vegeta.Result) string {
	path := result.URL[len("http://"):]
	for i := range path {
		if path[i] == '/' {
			path = path[i:]
			break
		}
	}
	return result.Method + " " + identifier.ReplaceAllString(path, "{id}")
}
