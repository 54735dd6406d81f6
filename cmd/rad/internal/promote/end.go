package promote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/radpanel/radpanel/infra/local"
)

// Rollback takes the panel back to the old stack, with the same guarantees as there, from wherever the promotion stands.
// The new stack is left, fenced, for `rad down --purge`.
func (p *Promotion) Rollback(ctx context.Context) error {
	switch p.record.Step {
	case Check, RolledBack:
		return fmt.Errorf("no promotion %s is under way: there is nothing to roll back", p.record)
	case Finished, Finish:
		return fmt.Errorf("the promotion %s is finished: the old stack is not kept current any more, so there is no way back", p.record)
	case Prepare, Copy, Verify, CutOver, FrontDoor, Bake, RollBack, DoorBack:
	}
	if err := p.connect(ctx); err != nil {
		if !p.canDoWithout(ctx) {
			return err
		}
		p.Say(fmt.Sprintf("stack %s does not answer: %v", p.To, err), true)
		// A rad that was killed together with its guard may have left it paused.
		if err := turn(ctx, p.from, p.from); err != nil {
			return err
		}
	}
	switch {
	case p.toDB.Conn != nil && p.record.Step == Prepare:
		// The writes cannot have moved, and the new stack, which may have been fenced or not, is to take none.
		if err := turn(ctx, p.from, p.from); err != nil {
			return err
		}
		if err := p.toDB.fenceCopy(ctx); err != nil {
			p.Say(fmt.Sprintf("stack %s was not fenced: %v", p.To, err), true)
		}
	case p.toDB.Conn != nil:
		writable, err := settle(ctx, p.from, p.to, true)
		if err != nil {
			return err
		}
		p.Close(ctx)
		if err := p.connect(ctx); err != nil {
			return err
		}
		if err := p.writeBack(ctx, writable); err != nil {
			return err
		}
	}
	if p.record.Step == DoorBack {
		if err := p.doorBack(ctx); err != nil {
			return err
		}
	}
	p.At("clean-up")
	canDoWithout := p.canDoWithout(ctx)
	ofOld, ofNew := p.cleanUp(ctx)
	if ofNew != nil && canDoWithout {
		p.Say(fmt.Sprintf("stack %s was left as it is: %v", p.To, p.explain(ofNew)), true)
		ofNew = nil
	}
	if err := errors.Join(p.fromDB.enableCaches(ctx), ofOld, ofNew); err != nil {
		return p.explain(err)
	}
	p.At("leave")
	if err := p.leave(ctx, p.to, p.fromDB); err != nil {
		return err
	}
	p.At("cleaned-up")
	if p.to.Name == "" { // It was never brought up: there is nothing that a later `rad up` of it would have to know.
		return Forget(p.StateFolder, p.To)
	}
	return p.advance(RolledBack)
}

// canDoWithout tells whether the old stack can go on without the new one, which is of no use: the panel has never written
// to that.
func (p *Promotion) canDoWithout(ctx context.Context) bool {
	if p.fromDB.Conn == nil {
		return false
	}
	switch p.record.Step {
	case Prepare, Copy, Verify:
		return true
	case CutOver:
		f, err := p.fromDB.readFence(ctx)
		return err == nil && f.Writable
	default:
		return false
	}
}

// writeBack moves the writes to the old side if they are not there.
func (p *Promotion) writeBack(ctx context.Context, writable local.Side) error {
	if p.record.Step == DoorBack {
		return nil
	}
	if writable.Name == p.From && p.record.Step != RollBack {
		return nil // They never went, and so did no request.
	}
	if writable.Name == p.To {
		// As long as nothing is changed: a panel that cannot go back can still be finished.
		if err := p.lost(ctx, p.toDB, p.fromDB, reverse); err != nil {
			return p.noWayBack(err)
		}
	}
	if err := p.advance(RollBack); err != nil {
		return err
	}
	if writable.Name == p.To {
		if err := p.followBack(ctx); err != nil {
			return err
		}
		err := p.awaitFiles(ctx, p.toDB, p.Now(), filesBackTimeout)
		if errors.Is(err, errNotAlike) { // That may be why one goes back. What is missing is copied before this ends.
			p.Say(err.Error()+": going back before they are", true)
		} else if err != nil {
			return err
		}
		if err := p.cutOver(ctx, p.to, p.from, reverse, ""); err != nil {
			return p.noWayBack(err)
		}
	}
	return p.advance(DoorBack)
}

// noWayBack leaves a rollback that has begun if it can never succeed. The panel writes to the new stack, and what a promotion
// does from there on sets right whatever the rollback did, such as that caches are not used.
func (p *Promotion) noWayBack(err error) error {
	if p.record.Step != RollBack || !errors.As(err, new(*LostError)) {
		return err
	}
	return errors.Join(err, p.advance(FrontDoor))
}

// doorBack sends new requests to the old stack again.
func (p *Promotion) doorBack(ctx context.Context) error {
	defer keepConnections()()
	p.At("backward")
	if err := p.Deployer.Up(ctx, p.From, nil, frontDoorService); err != nil {
		return err
	}
	// What came in at the new side until now is to be found at the old one.
	if err := p.takeOver(ctx, p.to, p.fromDB, p.record.FromTier); err != nil {
		return err
	}
	err := p.awaitFiles(ctx, p.fromDB, p.Now(), filesBackTimeout)
	if errors.Is(err, errNotTold) {
		return nil // They were alike, and cleaning up had begun.
	}
	if errors.Is(err, errNotAlike) {
		return fmt.Errorf("the panel is back on %s, but files that came in last may be on %s alone: have its instances run (`rad logs %s panel`), then go on with `rad promote rollback %s %s`: %w",
			p.From, p.To, p.To, p.From, p.To, err)
	}
	return err
}

// Finish ends the promotion: the new stack gets the panel's address, and nothing is kept current any more. The old stack
// is left, fenced, for `rad down`.
func (p *Promotion) Finish(ctx context.Context) error {
	switch p.record.Step {
	case Bake, Finish:
	case Finished:
		return fmt.Errorf("the promotion %s is finished already", p.record)
	default:
		return fmt.Errorf("the promotion %s is not that far (it is at %s): go on with `rad promote %s %s`", p.record, p.record.Step, p.From, p.To)
	}
	if err := p.connectToFinish(ctx); err != nil {
		return err
	}
	if p.record.Step == Bake && p.fromDB.Conn == nil {
		// What it has, the new stack got before the panel moved.
		if err := p.advance(Finish); err != nil {
			return err
		}
	}
	if p.record.Step == Bake {
		if err := p.awaitFiles(ctx, p.toDB, p.Now(), filesTimeout); err != nil {
			return err
		}
		if err := p.advance(Finish); err != nil {
			return err
		}
	}
	p.At("end-reverse")
	if err := p.endFollowing(ctx); err != nil {
		return err
	}
	defer keepConnections()()
	p.At("share-port")
	if err := p.Deployer.Up(ctx, p.To, map[string]string{"promoteFrom": p.From, "httpPort": p.record.Port}); err != nil {
		return err
	}
	p.At("close-old-door")
	p.Say(fmt.Sprintf("the web server of stack %s finishes what it serves", p.From), false)
	if err := p.from.CloseFrontDoor(ctx); err != nil {
		return err
	}
	p.At("own-port")
	if err := p.Deployer.Up(ctx, p.To, nil); err != nil { // It keeps the port that it has.
		return err
	}
	p.At("clean-up")
	ofOld, ofNew := p.cleanUp(ctx)
	if err := errors.Join(ofOld, ofNew); err != nil {
		return err
	}
	p.At("leave")
	if err := p.leave(ctx, p.from, p.toDB); err != nil {
		return err
	}
	p.At("cleaned-up")
	return p.advance(Finished)
}

// oldPatience is how long the old stack's database may be away when a promotion is finished, before it is done without.
const oldPatience = 20 * time.Second

// connectToFinish is connect, but does without the old stack's database if that is gone for good and the panel writes to the new
// one: it has nothing that is needed any more.
func (p *Promotion) connectToFinish(ctx context.Context) error {
	for deadline := p.Now().Add(oldPatience); ; {
		err := p.connect(ctx)
		if err == nil || ctx.Err() != nil || p.toDB.Conn == nil {
			return err
		}
		if p.Now().Before(deadline) {
			p.Say(fmt.Sprintf("waiting for stack %s: %v", p.From, err), false)
			if err := p.rest(ctx); err != nil {
				return err
			}
			continue
		}
		if f, fenceErr := p.toDB.readFence(ctx); fenceErr != nil || !f.Writable {
			return errors.Join(err, fenceErr)
		}
		p.Say(fmt.Sprintf("stack %s was left as it is: %v", p.From, err), true)
		return nil
	}
}

// leave stops the instances of the side that does not have the panel, and only then lets those of any tier do the background
// work: their pooler goes to the other side's database, so they would do it too, and with their own files.
func (p *Promotion) leave(ctx context.Context, side local.Side, d database) error {
	if side.Name != "" { // Without a name it was never brought up.
		if err := side.StopPanels(ctx); err != nil {
			return fmt.Errorf("stop the panel of stack %s, which moved away from it: %w", side.Name, err)
		}
	}
	return d.setTier(ctx, "")
}

// cleanUp removes what the promotion made in both databases, as far as they answer, and tells what could not be removed from
// each.
func (p *Promotion) cleanUp(ctx context.Context) (ofOld, ofNew error) {
	if p.toDB.Conn != nil {
		ofNew = p.toDB.dropSubscription(ctx, forward)
		ofOld = p.fromDB.dropSubscription(ctx, reverse)
	}
	remove := func(d database) error {
		if d.Conn == nil {
			return nil
		}
		return errors.Join(
			d.dropSlots(ctx),
			d.exec(ctx, "end the publication", "DROP PUBLICATION IF EXISTS "+publication),
			d.exec(ctx, "forget where the other files are", "DELETE FROM promotion.alignment"),
			d.exec(ctx, "remove the markers", "DELETE FROM promotion.markers"),
			d.expel(ctx, local.PromotionRole),
		)
	}
	return errors.Join(ofOld, remove(p.fromDB)), errors.Join(ofNew, remove(p.toDB))
}

// Watch looks after a promotion that bakes, for a while: the error says what breached the SLO.
func (p *Promotion) Watch(ctx context.Context, length time.Duration, slo SLO) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	what := watched{instances: p.to.PanelURLs(), door: p.from.URL() + "/healthz/service"}
	return watch(ctx, what, length, slo, func(text string) { p.Say(text, false) })
}
