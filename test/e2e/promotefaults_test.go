package e2e

import (
	"bufio"
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/test/radstack"
)

// wholeMatrix is set by make test-promote: every fault at every point. Without it there is time for the worst alone.
const wholeMatrix = "RAD_TEST_PROMOTE"

// The points of a promotion, of its way back, and of its end, as rad passes them. At turn and at turned, all is decided and
// the guard does the rest, so that only one of them can be met in a cut-over by a rad that is killed.
func promotionPoints() []string {
	return strings.Fields("check prepare fence-new publish empty-new subscribe copy files verify cut-over approach hold fence await " +
		"follow open turn follow-back end-forward front-door forward drain jobs caches")
}

func rollbackPoints() []string {
	return strings.Fields("approach hold fence await follow open turned backward drain jobs caches clean-up leave cleaned-up")
}

func finishPoints() []string {
	return strings.Fields("end-reverse share-port close-old-door own-port clean-up leave cleaned-up")
}

// settleTime is how long a panel may take to write again after a fault. A PostgreSQL that was killed takes a moment to
// come back, and one that was killed again and again is started half a minute later.
const settleTime = time.Minute

// wellAfter waits until the panel writes again, to exactly one database.
func (s *stack) wellAfter(to *stack, book *ledger, what string) {
	s.t.Helper()
	before := book.count()
	began := time.Now()
	require.Eventually(s.t, func() bool { return book.count() > before+5 }, settleTime, 20*time.Millisecond, "writes do not go on after %s", what)
	if took := time.Since(began); took > 2*time.Second {
		s.t.Logf("%-48s writes went on after %v", what, took.Round(10*time.Millisecond))
	}
	var known promotion
	require.Eventually(s.t, func() bool {
		known = s.promotion(to)
		return known.Step == "check" || known.Step == "prepare" || known.problem() == ""
	}, settleTime, 100*time.Millisecond, "%+v", known)
	if known.Step != "check" && known.Step != "prepare" {
		known.writable(s.t)
	}
}

// rad is killed at points of a promotion, of a rollback and of the end, or at each of them. Each time the panel goes on, exactly one
// database is written to, and the same command goes on where it was. Nothing is lost or doubled.
func TestAPromotionSurvivesThatRadIsKilled(t *testing.T) {
	mvp := newStack(t, "mvp")
	mvp.up()
	tier1 := mvp.beside("tier1")
	book := mvp.startLedger(mvp.user("writer@example.com"), 20)
	watch := mvp.startWitness(mvp.user("reader@example.com"), 20)
	// Before the new database is fenced, both may be written to, and nobody writes to that one.
	early := mvp.RunBy(filepath.Join(built.folder, "faultyrad"), "RAD_FAULT=fence-new die")
	out, err := early.Rad(t.Context(), "promote", mvp.Name, tier1.Name)
	require.ErrorContains(t, err, "killed", out)
	mvp.promote(tier1, "rollback")
	require.Equal(t, fullName(mvp), mvp.promotion(tier1).writable(t))

	there, back, end := promotionPoints(), rollbackPoints(), finishPoints()
	if os.Getenv(wholeMatrix) == "" {
		there, back, end = strings.Fields("subscribe fence open turn caches"), strings.Fields("follow backward cleaned-up"), strings.Fields("share-port own-port cleaned-up")
	}
	for _, part := range []struct {
		points  []string
		command []string
	}{{there, nil}, {back, []string{"rollback"}}, {[]string{"fence"}, nil}, {end, []string{"finish"}}} {
		for _, point := range part.points {
			struck := mvp.RunBy(filepath.Join(built.folder, "faultyrad"), "RAD_FAULT="+point+" die")
			out, err := struck.Rad(t.Context(), append(append([]string{"promote"}, part.command...), mvp.Name, tier1.Name)...)
			require.ErrorContains(t, err, "killed", "the point %s was not reached: %s", point, out)
			mvp.wellAfter(tier1, book, strings.Join(part.command, " ")+" killed at "+point)
		}
		mvp.promote(tier1, part.command...)
	}
	require.Equal(t, "finished", mvp.promotion(tier1).Step)
	watch.settle(t)
	book.settle(t)
}

// calls lets a test do something when rad reaches a point.
type calls struct {
	socket string

	mu sync.Mutex
	at func(point string)
}

func newCalls(t *testing.T) *calls {
	t.Helper()
	c := &calls{socket: filepath.Join(t.TempDir(), "rad.sock")}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", c.socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return // The test is over.
			}
			point, _ := bufio.NewReader(connection).ReadString('\n')
			c.mu.Lock()
			if c.at != nil {
				c.at(strings.TrimSpace(point))
			}
			c.mu.Unlock()
			_ = connection.Close()
		}
	}()
	return c
}

// during runs a command of promotion, and has something done at its points.
func (c *calls) during(s, to *stack, at func(point string), command ...string) (string, error) {
	c.mu.Lock()
	c.at = at
	c.mu.Unlock()
	calling := s.RunBy(filepath.Join(built.folder, "faultyrad"), "RAD_FAULT=* call "+c.socket)
	return calling.Rad(s.t.Context(), append(append([]string{"promote"}, command...), s.Name, to.Name)...)
}

// strike is what happens to the servers of a promotion.
type strike struct {
	name string
	do   func()
	// over tells whether all is as it was before.
	over func() bool
}

// outlast waits until it is over, for a while.
func (s strike) outlast() {
	for deadline := time.Now().Add(settleTime); !s.over() && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
}

// arena is a promotion under way between two stacks, while people write.
type arena struct {
	*stack

	to    *stack
	book  *ledger
	calls *calls
}

func newArena(t *testing.T) *arena {
	t.Helper()
	mvp := newStack(t, "mvp")
	mvp.up()
	a := &arena{stack: mvp, to: mvp.beside("tier1"), calls: newCalls(t)}
	mvp.promote(a.to)
	mvp.promote(a.to, "rollback")
	a.book = mvp.startLedger(mvp.user("writer@example.com"), 20)
	watchFences(t, mvp, a.to)
	return a
}

func (a *arena) kill(s *stack) strike {
	reader := &fenceReader{socket: s.service("postgresql").Address}
	return strike{name: s.Name + "'s PostgreSQL killed", over: func() bool {
		defer reader.close(a.t.Context())
		_, answers := reader.read(a.t.Context())
		return answers
	}, do: func() {
		raw, err := os.ReadFile(filepath.Join(a.State, fullName(s), "postgresql", "data", "postmaster.pid"))
		if err != nil {
			return // It is starting anyway.
		}
		line, _, _ := strings.Cut(string(raw), "\n")
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // It may be down already.
		}
	}}
}

// holding are the points at which writes are held: nobody may take his time there.
func holding() []string { return strings.Fields("hold fence await follow open turn turned") }

// suffer has something happen once at each of the points of a command, one after the other, and sees the panel well
// afterwards. Begin brings the promotion to where the command begins.
func (a *arena) suffer(what strike, points []string, begin func(), command ...string) {
	a.t.Helper()
	left := slices.Clone(points)
	for fruitless := 0; len(left) > 0; fruitless++ {
		begin()
		var struck []string
		began := time.Now()
		_, err := a.calls.during(a.stack, a.to, func(point string) {
			at := slices.Index(left, point)
			if at < 0 {
				return
			}
			if len(struck) > 0 { // It went on after the one before.
				if slices.Contains(holding(), point) && !what.over() {
					return // In another run.
				}
				what.outlast()
			}
			struck, left = append(struck, point), slices.Delete(left, at, at+1)
			what.do()
		}, command...)
		if len(struck) == 0 {
			// On a machine that is busy with other tests, transactions may take longer to end than writes are held.
			require.Less(a.t, fruitless, 10, "the points %v were not reached: %v", left, err)
			what.outlast()
			continue
		}
		fruitless = 0
		require.Less(a.t, time.Since(began), radstack.Timeout, "rad waits for what does not come, after %s at %v: %v", what.name, struck, err)
		a.t.Logf("%s at %s: after %.1f s %s", what.name, strings.Join(struck, ", "), time.Since(began).Seconds(), firstLine(err))
		a.wellAfter(a.to, a.book, what.name+" at "+strings.Join(struck, ", "))
	}
	a.carryThrough(command...)
}

// carryThrough runs a command until it is done.
func (a *arena) carryThrough(command ...string) {
	a.t.Helper()
	var err error
	require.Eventually(a.t, func() bool {
		_, err = a.Rad(a.t.Context(), append(append([]string{"promote"}, command...), a.Name, a.to.Name)...)
		return err == nil || strings.Contains(err.Error(), "is finished already") || strings.Contains(err.Error(), "nothing to roll back")
	}, 2*time.Minute, time.Second, "it cannot be carried through: %v", err)
	a.wellAfter(a.to, a.book, "carried through")
}

// toStart goes back if the panel has moved, so that every point of a promotion will be passed; toBake has the panel move.
func (a *arena) toStart() {
	if step := a.promotion(a.to).Step; step == "bake" || strings.HasSuffix(step, "back") {
		a.carryThrough("rollback")
	}
}

func (a *arena) toBake() {
	if step := a.promotion(a.to).Step; step == "rolled-back" {
		a.carryThrough()
	}
}

// The network between the two stacks is cut, and either PostgreSQL killed, where it is worst. The promotion is broken off or
// goes on; either way exactly one database is written to, it can be carried through afterwards, and nothing is lost or
// doubled.
func TestAPromotionSurvivesFaults(t *testing.T) {
	a := newArena(t)
	l := a.link(a.to, a.stack)
	a.suffer(l.held(), []string{"fence"}, a.toStart)
	a.suffer(l.reset(), []string{"open"}, a.toStart)
	a.suffer(a.kill(a.to), []string{"await"}, a.toStart) // It listens at its own sockets again from here on.
	a.suffer(a.kill(a.stack), []string{"fence"}, a.toStart)
	a.suffer(a.kill(a.stack), []string{"approach"}, a.toStart)
	a.suffer(a.kill(a.to), []string{"fence"}, a.toBake, "rollback")
	a.book.settle(t)
}

// Every fault at every point of a promotion, of its way back and of its end.
func TestAPromotionSurvivesEveryFaultAtEveryPoint(t *testing.T) {
	if os.Getenv(wholeMatrix) == "" {
		t.Skip("by `make test-promote` alone: it takes more than an hour")
	}
	for name, fault := range map[string]func(a *arena) strike{
		"old PostgreSQL killed": func(a *arena) strike { return a.kill(a.stack) },
		"new PostgreSQL killed": func(a *arena) strike { return a.kill(a.to) },
		"network silent":        func(a *arena) strike { return a.link(a.to, a.stack).held() },
		"network reset":         func(a *arena) strike { return a.link(a.to, a.to).reset() },
	} {
		t.Run(name, func(t *testing.T) {
			a := newArena(t)
			what := fault(a)
			a.suffer(what, promotionPoints(), a.toStart)
			a.suffer(what, rollbackPoints(), a.toBake, "rollback")
			a.toBake()
			for left := finishPoints(); ; { // There is no way back from here, so all of it is met on one way.
				before := len(left)
				_, err := a.calls.during(a.stack, a.to, func(point string) {
					if at := slices.Index(left, point); at >= 0 {
						left = slices.Delete(left, at, at+1)
						what.do()
					}
				}, "finish")
				t.Logf("%s, left to meet in the end: %v: %s", what.name, left, firstLine(err))
				a.wellAfter(a.to, a.book, what.name)
				if a.promotion(a.to).Step == "finished" {
					require.Empty(t, left, "points that were not reached")
					break
				}
				require.True(t, len(left) < before || len(left) == 0, "it does not go on: %v", err)
			}
			a.book.settle(t)
		})
	}
}

// watchFences looks, until the test ends, whether two databases may be written to at one instant.
func watchFences(t *testing.T, from, to *stack) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	t.Cleanup(func() {
		stop()
		done.Wait()
	})
	sides := []*fenceReader{{socket: from.service("postgresql").Address}, {socket: to.service("postgresql").Address}}
	looks := 0
	done.Go(func() {
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				for _, side := range sides {
					side.close(ctx)
				}
				t.Logf("looked %d times whether two databases may be written to", looks)
				return
			case <-tick.C:
			}
			// The first one is writable before and after the other is looked at: both are at once.
			before, first := sides[0].read(ctx)
			between, second := sides[1].read(ctx)
			after, third := sides[0].read(ctx)
			if !first || !second || !third {
				continue
			}
			looks++
			if before.writable && after.writable && before.epoch == after.epoch && between.writable {
				t.Errorf("both databases may be written to: epochs %d and %d", before.epoch, between.epoch)
			}
		}
	})
}

// fenceReader reads a side's fence, past any link.
type fenceReader struct {
	socket     string
	connection *pgx.Conn
}

type fenceState struct {
	writable bool
	epoch    int64
}

func (r *fenceReader) read(ctx context.Context) (state fenceState, ok bool) {
	bounded, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if r.connection == nil {
		config, err := pgx.ParseConfig("user=postgres dbname=radpanel sslmode=disable port=5432")
		if err != nil {
			return state, false
		}
		config.Host = filepath.Dir(r.socket)
		config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			path := direct(r.socket)
			if _, err := os.Stat(path); err != nil {
				path = r.socket
			}
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
		if r.connection, err = pgx.ConnectConfig(bounded, config); err != nil {
			r.connection = nil
			return state, false
		}
	}
	err := r.connection.QueryRow(bounded, "SELECT writable, epoch FROM promotion.fence").Scan(&state.writable, &state.epoch)
	if err != nil {
		r.close(ctx)
	}
	return state, err == nil
}

func (r *fenceReader) close(ctx context.Context) {
	if r.connection != nil {
		_ = r.connection.Close(context.WithoutCancel(ctx)) // The server forgets it either way.
		r.connection = nil
	}
}

func firstLine(err error) string {
	if err == nil {
		return "it went on"
	}
	for line := range strings.Lines(err.Error()) {
		if strings.HasPrefix(line, "rad: ") {
			return strings.TrimSpace(line)
		}
	}
	return err.Error()
}
