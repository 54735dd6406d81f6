package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/advise"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/infra/local"
	"github.com/radpanel/radpanel/stacks"
)

// prometheusService is the service of a stack that has its measurements.
const prometheusService = "prometheus"

// youngPrometheus is how long a Prometheus that has just begun may lack figures: uptime takes a whole minute, rates two samples.
const youngPrometheus = 2 * time.Minute

func (a *App) adviseCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "advise [stack]",
		Short: "Say from live measurements whether a stack is outgrown, and when it will be",
		Long: "advise holds what the stack's Prometheus has measured, or of a stack on AWS what CloudWatch has, against the plan: each\n" +
			"trigger, the SLO, the capacity. It says stay, or promote when a trigger has fired (over its threshold without a break for\n" +
			"as long as the plan says), or when a capacity of the tier was used up for 15 minutes. A promotion is overdue when a trigger\n" +
			"has fired and, besides, has been over for 7 days, or a capacity is used up, or the error budget of 30 days is spent. An\n" +
			"error budget that is spent while no trigger has fired is noted, but no larger tier would have saved it.\n\n" +
			"The trend of a trigger is that of the highest level of each day that was held for as long as the trigger asks: the line\n" +
			"after Theil and Sen over up to 30 days, of which it needs 5. It is steady unless 95 % confidence says that it is not.\n\n" +
			"There is no advice on measurements that are missing or older than 2 minutes, or of CloudWatch than 4 (12 for EC2's own, which\n" +
			"are of five minutes). The exit code tells the verdict: 0 stay, 8 promote, 9 overdue, 10 no advice.\n\n" +
			"Of a stack on AWS, its outputs in Pulumi's state say where it is, and CloudWatch is asked with the credentials of AWS's own\n" +
			"command line, which need the action cloudwatch:GetMetricData. It costs a cent for a thousand histories, of which there are\n" +
			"some twenty.",
		Example: "  rad advise\n  rad advise tier1 --json | jq -r .verdict\n  rad advise tier2 --target aws",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			return a.advise(command.Context(), arguments)
		},
	}
	a.addStackFlags(command)
	a.addConfigFlag(command)
	a.addJSONFlag(command, "write it as one JSON object: see rad help json")
	return command
}

func (a *App) advise(ctx context.Context, arguments []string) error {
	selected, stack, _, err := a.loadStack(arguments)
	if err != nil {
		return err
	}
	take := a.adviceFor
	if stack.Target == stacks.AWS {
		take = a.adviceFromCloud
	}
	advice, err := take(ctx, selected, stack)
	if err != nil {
		return interruptedOr(ctx, err)
	}
	if err := a.priceNext(&advice); err != nil {
		return err
	}
	if a.flags.json {
		err = a.writeJSON(advice)
	} else {
		err = advise.Write(a.Stdout, advice, progress.NewStyle(a.colours(a.Stdout)))
	}
	if err != nil {
		return err
	}
	switch advice.Verdict {
	case advise.Stay:
		return nil
	case advise.Promote:
		return &silentError{code: exitPromote}
	case advise.Overdue:
		return &silentError{code: exitOverdue}
	case advise.Refused:
		return &silentError{code: exitRefused}
	default:
		return fmt.Errorf("the advice for stack %s is one that rad does not know: %s", stack.Name, advice.Verdict)
	}
}

// priceNext adds what the next tier costs on AWS today to what the plan says that it may.
func (a *App) priceNext(advice *advise.Advice) error {
	if advice.Next == nil {
		return nil
	}
	stack, err := stacks.Load(stacks.Name(advice.Next.Tier, stacks.AWS), nil)
	if err != nil {
		return err
	}
	cost, err := costOf(stack, nil)
	if err != nil {
		return err
	}
	advice.Next.Cost.AWS = cost.Monthly
	return nil
}

// adviceFor takes the measurements and holds them against the plan. A stack that cannot be measured is refused, which is
// no error.
func (a *App) adviceFor(ctx context.Context, selected selection, stack stacks.Stack) (advise.Advice, error) {
	plan := stacks.Plan()
	if stack.Settings.Alerting.Rehearsal > 0 {
		advise.Rehearse(&plan)
	}
	refuse := func(problem, action string) (advise.Advice, error) {
		return advise.Refuse(stack, plan, advise.Missing{
			Measurement: advise.Source, Problem: problem, Expected: "a Prometheus that answers", Action: action,
		}, a.Now()), nil
	}
	status, err := local.ReadStatus(ctx, selected.folder)
	if err != nil {
		return advise.Advice{}, err
	}
	up := "`rad up " + selected.name + "` starts it"
	if !status.Exists {
		return refuse("there is no stack "+selected.name+" on this machine", up)
	}
	if status.Tier != "" && status.Tier != stack.Tier() { // An older rad did not leave it.
		return refuse(fmt.Sprintf("stack %s runs %s, and its configuration says %s", selected.name, status.Tier, stack.Tier()),
			fmt.Sprintf("`rad advise %s -c tier=%s` is about what runs", selected.name, status.Tier))
	}
	i := slices.IndexFunc(status.Services, func(s local.Service) bool { return s.Name == prometheusService })
	switch {
	case i < 0:
		return refuse("the stack has none: it was brought up by a rad before monitoring", "`rad up "+selected.name+"` adds it")
	case status.Services[i].PID == 0:
		return refuse("it does not run ("+string(status.Services[i].State)+")", up)
	}
	source, err := advise.NewPrometheus(status.Services[i].Address)
	if err != nil {
		return advise.Advice{}, err
	}
	now := a.Now()
	measured, err := source.Measure(ctx, plan, stack.Tier(), now)
	switch {
	case ctx.Err() != nil:
		return advise.Advice{}, context.Cause(ctx)
	case err != nil:
		return refuse(err.Error(), "look at what it says: `rad logs "+selected.name+" "+prometheusService+"`")
	}
	advice := advise.Advise(stack, plan, measured, now)
	if age := status.Services[i].Uptime(now); age < youngPrometheus {
		for m := range advice.Missing {
			advice.Missing[m].Action = fmt.Sprintf("it was begun %d s ago, and has every figure after two minutes: ask again then", int(age.Seconds()))
		}
	}
	return advice, nil
}
