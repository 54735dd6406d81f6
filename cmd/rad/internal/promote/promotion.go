// Package promote moves a running panel from one stack to another: no acknowledged write is lost or made twice, no
// request fails, and writes are held for less than a second. See docs/promotion.md.
package promote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/radpanel/radpanel/infra/local"
)

// Deployer brings stacks up.
type Deployer interface {
	// Up brings a stack up with keys of its configuration beside those that it has. Only are the names of the services
	// that may change; none: everything may.
	Up(ctx context.Context, stack string, keys map[string]string, only ...string) error
	// Preview tells what that would do to everything, and refuses by its error what must not be done. It changes nothing.
	Preview(ctx context.Context, stack string, keys map[string]string) (Forecast, error)
}

// Forecast is what bringing a stack up would do.
type Forecast struct {
	// Text is for people: which resources would change, and what the stack costs.
	Text string
	// OtherRelease tells whether the stack runs another release than it would then.
	OtherRelease bool
}

// Options say which promotion, and what it needs.
type Options struct {
	StateFolder string
	From, To    string
	// FromTier and ToTier are the tiers of the two stacks.
	FromTier, ToTier string
	// Port is what the new stack's configuration says of its port: 0, or that of the panel's address.
	Port     int
	Deployer Deployer
	// Executable is rad itself.
	Executable string
	// Lock is the open file of the promotion's lock, which a guard holds too. Nil: nobody does.
	Lock *os.File
	// Say is told what happens, in a line. Lasting is worth keeping.
	Say func(text string, lasting bool)
	// At is told which point is reached, before what follows is done. Nil: nobody is.
	At func(point string)
	// Now is the clock.
	Now func() time.Time
}

// Promotion is one that rad works on. Open gives it, Close ends it.
type Promotion struct {
	Options

	record Record
	from   local.Side
	to     local.Side
	fromDB database
	toDB   database
	// wasRolledBack tells that the new stack is there from an earlier time.
	wasRolledBack bool
	// trouble was said already.
	trouble string
}

// Open finds the promotion where it stands. It makes nothing.
func Open(options Options) (*Promotion, error) {
	if options.At == nil {
		options.At = func(string) {}
	}
	p := &Promotion{Options: options}
	var err error
	p.record, err = load(options.StateFolder, options.From, options.To)
	return p, err
}

// Record is what is known of it.
func (p *Promotion) Record() Record { return p.record }

// Close ends the connections.
func (p *Promotion) Close(ctx context.Context) {
	for _, d := range []database{p.fromDB, p.toDB} {
		if d.Conn != nil {
			_ = d.Close(context.WithoutCancel(ctx)) // The server forgets it either way.
		}
	}
	p.fromDB, p.toDB = database{}, database{}
}

// Run goes on from where the promotion stands, up to Bake.
func (p *Promotion) Run(ctx context.Context) error {
	switch p.record.Step {
	case Finished:
		return fmt.Errorf("%s was promoted to %s already: `rad down %s` takes the old stack down", p.From, p.To, p.From)
	case Finish:
		return fmt.Errorf("the promotion is being finished: go on with `rad promote finish %s %s`", p.From, p.To)
	case RollBack, DoorBack:
		return fmt.Errorf("the promotion is being rolled back: go on with `rad promote rollback %s %s`", p.From, p.To)
	case RolledBack: // Once more, from the beginning.
		p.wasRolledBack = true
		p.record = Record{From: p.From, To: p.To, Step: Check, Buckets: AllBuckets()}
	case Check, Prepare, Copy, Verify, CutOver, FrontDoor, Bake:
	}
	if p.record.Step == Check {
		if err := p.isAlone(); err != nil {
			return err
		}
	}
	work := map[Step]func(context.Context) error{
		Check: p.check, Prepare: p.prepare, Copy: p.copy, Verify: p.verify, CutOver: p.cutOverForward, FrontDoor: p.moveFrontDoor,
	}
	for _, step := range steps() {
		if p.record.Step != step || step == Bake {
			continue
		}
		if step != Check {
			err := p.connect(ctx)
			if err != nil && (step != Prepare || p.fromDB.Conn == nil) { // Prepare brings the new stack up, and connects again.
				return p.explain(err)
			}
		}
		p.At(string(step))
		began := p.Now()
		if err := work[step](ctx); err != nil {
			return p.explain(fmt.Errorf("%s: %w", step, err))
		}
		p.Say(fmt.Sprintf("%s: done in %s", step, p.Now().Sub(began).Round(10*time.Millisecond)), true)
		if err := p.advance(next(step)); err != nil {
			return err
		}
	}
	return nil
}

// isAlone refuses a promotion of stacks of which one takes part in another one: its slots and its web server serve that.
func (p *Promotion) isAlone() error {
	var errs []error
	for _, stack := range []string{p.From, p.To} {
		records, err := Of(p.StateFolder, stack)
		errs = append(errs, err)
		for _, other := range records {
			if other.Active() && (other.From != p.From || other.To != p.To) {
				errs = append(errs, other.Engaged(stack))
			}
		}
	}
	return errors.Join(errs...)
}

func next(step Step) Step {
	all := steps()
	for i := range all[:len(all)-1] {
		if all[i] == step {
			return all[i+1]
		}
	}
	return step
}

func (p *Promotion) advance(step Step) error {
	p.record.Step = step
	return p.record.save(p.StateFolder)
}

// connect connects to both sides, as far as they are there, and puts in order what a rad that was killed left behind.
func (p *Promotion) connect(ctx context.Context) error {
	var err error
	if p.from, err = local.OpenSide(p.StateFolder, p.From); err != nil {
		return err
	}
	if p.to, err = local.OpenSide(p.StateFolder, p.To); err != nil {
		if p.record.Step == Prepare {
			return p.open(ctx, &p.fromDB, p.from) // The new stack is not there yet.
		}
		return err
	}
	return errors.Join(p.open(ctx, &p.fromDB, p.from), p.open(ctx, &p.toDB, p.to))
}

func (p *Promotion) open(ctx context.Context, d *database, side local.Side) error {
	if d.Conn != nil && !d.IsClosed() {
		return nil
	}
	var err error
	*d, err = connect(ctx, side)
	return err
}

// cutOverForward moves the writes to the new stack.
func (p *Promotion) cutOverForward(ctx context.Context) error {
	if err := p.cutOver(ctx, p.from, p.to, forward, reverse); err != nil {
		return err
	}
	return p.followBack(ctx)
}

// followBack has the old side get what the new one changes, from the very first change on.
func (p *Promotion) followBack(ctx context.Context) error {
	p.At("follow-back")
	there, err := p.fromDB.subscribes(ctx, reverse)
	if err != nil {
		return err
	}
	if !there {
		err := p.fromDB.exec(ctx, "follow the new stack", fmt.Sprintf("CREATE SUBSCRIPTION %s CONNECTION '%s' PUBLICATION %s "+
			"WITH (create_slot = false, slot_name = '%s', copy_data = false)", reverse, p.to.Source(), publication, reverse))
		if err != nil {
			return err
		}
	}
	p.At("end-forward")
	return errors.Join(p.toDB.dropSubscription(ctx, forward), p.fromDB.dropSlot(ctx, forward))
}

// attempts is how often a cut-over is tried: one that is broken off costs nobody anything, and may succeed a moment later.
const attempts = 5

// brokenOffError is a cut-over that was undone: all is as before.
type brokenOffError struct{ error }

// Unwrap gives why.
func (e *brokenOffError) Unwrap() error { return e.error }

// cutOver moves the writes from one side to another, unless that was done already.
func (p *Promotion) cutOver(ctx context.Context, from, to local.Side, following, keeps string) error {
	for n := 1; ; n++ {
		fromDB, toDB := p.databases(from)
		err := p.tryCutOver(ctx, from, to, fromDB, toDB, following, keeps)
		if !errors.As(err, new(*brokenOffError)) || n == attempts || ctx.Err() != nil {
			return err
		}
		p.Say(fmt.Sprintf("%v: once more", err), true)
	}
}

// databases gives that of a side, and the other one.
func (p *Promotion) databases(from local.Side) (fromDB, toDB database) {
	if from.Name == p.From {
		return p.fromDB, p.toDB
	}
	return p.toDB, p.fromDB
}

// tryCutOver tries that once.
func (p *Promotion) tryCutOver(ctx context.Context, from, to local.Side, fromDB, toDB database, following, keeps string) error {
	writable, err := settle(ctx, from, to, true)
	if err != nil {
		return err
	}
	if err := p.reconnect(ctx, &fromDB, &toDB); err != nil {
		return err
	}
	if writable.Name == to.Name {
		return nil
	}
	if err := toDB.mustBeFenced(ctx); err != nil {
		return err
	}
	if err := p.approach(ctx, &fromDB, &toDB, following, keeps); err != nil {
		return err
	}
	held, err := fromDB.readFence(ctx)
	if err != nil {
		return err
	}
	watch, err := startGuard(p.Executable, p.StateFolder, from, to, p.Lock)
	if err != nil {
		return err
	}
	spare, err := connect(ctx, from)
	if err != nil {
		return errors.Join(err, watch.end())
	}
	defer spare.Close(context.WithoutCancel(ctx)) //nolint:errcheck // The server forgets it either way.
	c := &cutOver{from: from, to: to, fromDB: fromDB, toDB: toDB, following: following, keeps: keeps, epoch: held.Epoch, at: p.At, opening: watch.opening, spareDB: spare}
	defer func() {
		for _, pooler := range c.poolers {
			pooler.close(ctx)
		}
	}()
	for _, side := range []local.Side{from, to} {
		leads, err := side.LeadsTo(from)
		if err != nil {
			return errors.Join(err, watch.end())
		}
		if !leads {
			continue
		}
		opened, err := openPooler(ctx, side)
		if err == nil {
			opened, err = opened.withSpare(ctx)
			c.poolers = append(c.poolers, opened)
		}
		if err != nil {
			return errors.Join(err, watch.end())
		}
	}
	return p.hold(ctx, c, watch)
}

// hold does the cut-over under the eyes of a guard, and undoes it if it fails.
func (p *Promotion) hold(ctx context.Context, c *cutOver, watch *guard) error {
	if err := watch.holding(); err != nil {
		return errors.Join(err, watch.end())
	}
	outcome := Outcome{At: p.Now(), To: c.to.Name}
	settled := false
	pause, draining, err := c.run(ctx)
	if err != nil {
		err = errors.Join(err, watch.settling())
		undone := c.undo(context.WithoutCancel(ctx))
		pause = time.Since(c.began)
		writable, settleErr := settle(context.WithoutCancel(ctx), c.from, c.to, c.opened)
		if !undone {
			pause = time.Since(c.began)
		}
		switch {
		case settleErr != nil:
			err = errors.Join(err, settleErr)
		case writable.Name == c.to.Name: // It failed when all but the turning was done, and that is done by now.
			err, settled = nil, true
		default:
			outcome.To = writable.Name
			err = &brokenOffError{fmt.Errorf("broken off after %s, and the panel writes to %s as before: %w", pause.Round(time.Millisecond), writable.Name, err)}
		}
		if err != nil {
			outcome.Failure = err.Error()
		}
	}
	outcome.Pause, outcome.Draining = pause.Seconds(), draining.Seconds()
	p.record.CutOvers = append(p.record.CutOvers, outcome)
	if err == nil {
		p.Say(fmt.Sprintf("writes were held for %s, %s of it until transactions had ended: the panel writes to %s",
			pause.Round(time.Millisecond), draining.Round(time.Millisecond), c.to.Name), true)
	}
	err = errors.Join(err, watch.end(), p.record.save(p.StateFolder))
	if err == nil && settled {
		err = p.reconnect(ctx, &c.fromDB, &c.toDB)
	}
	return err
}

// reconnect renews the connections, which settle may have ended, or a server.
func (p *Promotion) reconnect(ctx context.Context, fromDB, toDB *database) error {
	sides := map[string]*database{p.From: &p.fromDB, p.To: &p.toDB}
	p.Close(ctx)
	if err := p.connect(ctx); err != nil {
		return err // What the caller has is as closed as before.
	}
	*fromDB, *toDB = *sides[fromDB.side], *sides[toDB.side]
	return nil
}
