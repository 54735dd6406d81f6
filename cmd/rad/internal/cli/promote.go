package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/filelock"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/promote"
	"github.com/radpanel/radpanel/stacks"
)

// The SLO of a panel that bakes, beside the p95 of its tier: these shares are judged over a few seconds.
const (
	bakeErrors   = 0.01
	bakeRequests = 20
)

func (a *App) promoteCommand() *cobra.Command {
	bake, autoRollback := time.Duration(0), false
	parent := &cobra.Command{
		Use:   "promote <from> <to>",
		Short: "Move a running panel to the next tier: nothing is lost, nobody waits",
		Long: "promote brings the new stack up beside the old one, copies the panel while it runs, compares every row, moves the writes\n" +
			"in a pause of less than a second, and then the requests. The old stack is kept current until `rad promote finish`, and\n" +
			"`rad promote rollback` goes back without loss. Broken off at any point, it goes on where it was when it is run again.",
		Example: "  rad promote mvp tier1\n  rad promote status mvp tier1\n  rad promote finish mvp tier1",
		Args:    cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, arguments []string) error {
			if bake < 0 {
				return &usageError{problem: fmt.Sprintf("--watch %s: expected a time such as 10m", bake)}
			}
			if autoRollback && bake == 0 {
				return &usageError{problem: "--auto-rollback rolls back if the SLO is breached while it is watched: add --watch, such as --watch 10m"}
			}
			return a.promote(command.Context(), "promote", arguments, func(p *promote.Promotion, ctx context.Context) error {
				if err := p.Run(ctx); err != nil {
					return err
				}
				return a.bake(ctx, p, bake, autoRollback)
			})
		},
	}
	parent.Flags().DurationVar(&bake, "watch", 0, "once the panel has moved, watch error rate and p95 for so long, such as 10m")
	parent.Flags().BoolVar(&autoRollback, "auto-rollback", false, "with --watch: roll back if they breach the SLO")
	rollback := &cobra.Command{
		Use: "rollback <from> <to>", Short: "Take the panel back to the old stack, with nothing lost either",
		Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, arguments []string) error {
			return a.promote(command.Context(), "promote rollback", arguments, (*promote.Promotion).Rollback)
		},
	}
	finish := &cobra.Command{
		Use: "finish <from> <to>", Short: "End the promotion: the new stack has the panel's address, and there is no way back",
		Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, arguments []string) error {
			return a.promote(command.Context(), "promote finish", arguments, (*promote.Promotion).Finish)
		},
	}
	guard := &cobra.Command{
		Use: promote.GuardCommand + " <state folder> <from> <to>", Hidden: true, Args: cobra.ExactArgs(3),
		RunE: func(command *cobra.Command, arguments []string) error {
			return promote.Guard(command.Context(), arguments[0], arguments[1], arguments[2], a.Stdin, a.Stdout)
		},
	}
	a.addDeployFlags(parent)
	for _, command := range []*cobra.Command{rollback, finish} {
		a.addDeployFlags(command)
		a.addJSONFlag(command, "say what happens as one JSON object a line: see rad help json")
	}
	a.addJSONFlag(parent, "say what happens as one JSON object a line: see rad help json")
	parent.AddCommand(a.promoteStatusCommand(), rollback, finish, guard)
	return parent
}

// promote opens a promotion and has something done with it, alone.
func (a *App) promote(ctx context.Context, name string, arguments []string, do func(*promote.Promotion, context.Context) error) error {
	from, to, fromStack, toStack, err := a.promotionOf(arguments)
	if err != nil {
		return err
	}
	return a.report(ctx, name, to, func(show func(progress.Event)) (engine.Outcome, error) {
		if err := makeStateFolder(from.stateFolder); err != nil {
			return engine.Outcome{}, err
		}
		lock, err := lockPromotion(ctx, from, "rad "+name+" "+from.name+" "+to.name, show)
		if err != nil {
			return engine.Outcome{}, interruptedOr(ctx, err)
		}
		deployer := &promotionDeployer{app: a, show: show, sides: map[string]selection{from.name: from, to.name: to}}
		began := a.Now()
		p, err := promote.Open(promote.Options{
			StateFolder: from.stateFolder, From: from.name, To: to.name,
			FromTier: string(fromStack.Tier()), ToTier: string(toStack.Tier()), Port: toStack.Settings.HTTPPort,
			Deployer: deployer, Executable: a.Executable, Lock: lock.File(), At: a.AtPoint, Now: a.Now,
			Say: func(text string, lasting bool) {
				show(progress.Activity{Text: text, Elapsed: progress.Duration(a.Now().Sub(began)), Lasting: lasting})
			},
		})
		if err == nil {
			err = do(p, ctx)
			p.Close(ctx)
		}
		return engine.Outcome{}, errors.Join(interruptedOr(ctx, err), lock.Release())
	})
}

// lockPromotion takes the lock of promotions. If its holder is dead, the guard of its cut-over holds it, which puts that in
// order and ends: that is waited for.
func lockPromotion(ctx context.Context, from selection, purpose string, show func(progress.Event)) (*filelock.Lock, error) {
	guard := engine.Orphan{Name: "guard", Waiting: "until its guard has put the cut-over in order", Limit: promote.GuardTimeout}
	return engine.Outlive(ctx, promote.LockFile(from.stateFolder), from.name, purpose, guard, show)
}

// promotionOf reads which promotion is meant.
func (a *App) promotionOf(arguments []string) (from, to selection, fromStack, toStack stacks.Stack, err error) {
	if from, err = a.selectStack(arguments[:1]); err != nil {
		return
	}
	if to, err = a.selectStack(arguments[1:]); err != nil {
		return
	}
	if fromStack, _, err = a.loadWith(from, nil); err != nil {
		return
	}
	if toStack, _, err = a.loadWith(to, nil); err != nil {
		return
	}
	next, found := stacks.Plan().Next(fromStack.Tier())
	switch {
	case fromStack.Target != stacks.Local || toStack.Target != stacks.Local:
		err = &usageError{problem: cannotPromote(fromStack, toStack)}
	case !found || next.Tier != toStack.Tier():
		err = &usageError{problem: fmt.Sprintf("stack %s runs %s, and stack %s runs %s: expected the tier that follows in the plan",
			from.name, fromStack.Plan.Title, to.name, toStack.Plan.Title)}
	}
	return
}

// cannotPromote says what there is for stacks on AWS, and what is missing.
func cannotPromote(from, to stacks.Stack) string {
	return fmt.Sprintf("rad cannot move a panel from %s to %s, which are on AWS. Built is what it needs there: `pulumi config set promoteFrom %s --stack %s` "+
		"and `pulumi up` connect the two networks, give both sides the keys and the replication's password, and have their hosts let each other in. "+
		"Not built is what would copy, compare and cut over from host to host. See docs/promotion.md, On AWS", from.Name, to.Name, from.Name, to.Name)
}

// bake watches a panel that has moved, if it is asked for.
func (a *App) bake(ctx context.Context, p *promote.Promotion, length time.Duration, autoRollback bool) error {
	if length == 0 {
		return nil
	}
	tier, err := stacks.Plan().Tier(stacks.Tier(p.ToTier))
	if err != nil {
		return err
	}
	err = p.Watch(ctx, length, promote.SLO{P95: tier.SLO.P95, Errors: bakeErrors, Requests: bakeRequests})
	if !errors.As(err, new(*promote.BreachError)) || !autoRollback {
		return err
	}
	p.Say(err.Error()+": rolling back", true)
	return errors.Join(err, p.Rollback(ctx))
}

// promotionDeployer brings the stacks of a promotion up.
type promotionDeployer struct {
	app   *App
	show  func(progress.Event)
	sides map[string]selection
}

// Up implements [promote.Deployer].
func (d *promotionDeployer) Up(ctx context.Context, name string, keys map[string]string, only ...string) error {
	selected := d.sides[name]
	stack, config, err := d.app.loadWith(selected, keys)
	if err != nil {
		return err
	}
	_, err = d.app.run(ctx, "promote", selected, stack, config, d.show, func(ctx context.Context, d deployment) (engine.Outcome, error) {
		return d.engine.UpOnly(ctx, only...)
	})
	return err
}

// Preview implements [promote.Deployer].
func (d *promotionDeployer) Preview(ctx context.Context, name string, keys map[string]string) (promote.Forecast, error) {
	selected := d.sides[name]
	stack, config, err := d.app.loadWith(selected, keys)
	if err != nil {
		return promote.Forecast{}, err
	}
	cost, err := costOf(stack, nil)
	if err != nil {
		return promote.Forecast{}, err
	}
	outcome, err := d.app.run(ctx, "promote", selected, stack, config, d.show, func(ctx context.Context, run deployment) (engine.Outcome, error) {
		plan, err := run.engine.Plan(ctx)
		return plan, d.app.judge(ctx, plan.Resources, err)
	})
	forecast := promote.Forecast{Text: fmt.Sprintf("%s; %s", outcome.Counts.Planned(), cost.Says)}
	for _, change := range outcome.Changes {
		if strings.HasSuffix(change.Type, ":Release") {
			forecast.OtherRelease = true
		}
	}
	return forecast, err
}

// promotionKeys are those that a stack has while it takes part in a promotion.
func promotionKeys(selected selection) (map[string]string, error) {
	record, found, err := promote.Find(selected.stateFolder, selected.name)
	if err != nil || !found || !record.Active() {
		return nil, err
	}
	switch {
	case record.To == selected.name:
		return map[string]string{"promoteFrom": record.From}, nil
	case record.IsForwarding():
		return map[string]string{"promoteTo": record.To}, nil
	default:
		return nil, nil
	}
}

// mayComeUp refuses a stack that the panel has moved away from: its instances would work on the other's database.
func mayComeUp(selected selection) error {
	records, err := promote.Of(selected.stateFolder, selected.name)
	if err != nil || slices.ContainsFunc(records, promote.Record.Active) {
		return err
	}
	for _, record := range records {
		switch {
		case record.From == selected.name && record.Step == promote.Finished:
			return &usageError{problem: fmt.Sprintf("the panel of stack %s was promoted to %s: take it down with `rad down %s`, or remove it with `rad down --purge %s`",
				selected.name, record.To, selected.name, selected.name)}
		case record.To == selected.name && record.Step == promote.RolledBack:
			return &usageError{problem: fmt.Sprintf("the promotion %s was rolled back, and stack %s has no panel of its own: promote to it again with `rad promote %s %s`, or remove it with `rad down --purge %s`",
				record, selected.name, record.From, record.To, selected.name)}
		}
	}
	return nil
}

// mayGoDown refuses to end a stack that a promotion needs.
func mayGoDown(selected selection) error {
	record, found, err := promote.Find(selected.stateFolder, selected.name)
	if err != nil || !found || !record.Active() {
		return err
	}
	return &usageError{problem: record.Engaged(selected.name).Error()}
}
