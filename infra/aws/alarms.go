package aws

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// logDays is how long logs are kept: over the 30 days in which the plan counts uptime.
const logDays = 60

// alarms is where logs and alarms go.
type alarms struct {
	pulumi.ResourceState

	logs  *cloudwatch.LogGroup
	topic *sns.Topic
}

// alarmsArgs are what it is made from.
type alarmsArgs struct {
	// Email, when set, is told of every alarm once it has confirmed that it wants to be.
	Email string
}

func newAlarms(ctx *pulumi.Context, args alarmsArgs, options ...pulumi.ResourceOption) (*alarms, error) {
	a := &alarms{}
	if err := ctx.RegisterComponentResource("radpanel:aws:Alarms", "alarms", a, options...); err != nil {
		return nil, err
	}
	var err error
	// CloudWatch encrypts logs by itself.
	if a.logs, err = cloudwatch.NewLogGroup(ctx, "logs", &cloudwatch.LogGroupArgs{
		Name: pulumi.String("/radpanel/" + ctx.Stack()), RetentionInDays: pulumi.Int(logDays),
	}, pulumi.Parent(a)); err != nil {
		return nil, err
	}
	if a.topic, err = sns.NewTopic(ctx, "alarms", &sns.TopicArgs{}, pulumi.Parent(a)); err != nil {
		return nil, err
	}
	if args.Email != "" {
		if _, err := sns.NewTopicSubscription(ctx, "alarms", &sns.TopicSubscriptionArgs{
			Topic: a.topic.Arn, Protocol: pulumi.String("email"), Endpoint: pulumi.String(args.Email),
		}, pulumi.Parent(a)); err != nil {
			return nil, err
		}
	}
	return a, ctx.RegisterResourceOutputs(a, pulumi.Map{"topicArn": a.topic.Arn, "logGroup": a.logs.Name})
}

// actions is what an alarm does: it tells everybody who follows the topic.
func (a *alarms) actions() pulumi.Array { return pulumi.Array{a.topic.Arn} }

// watch raises an alarm for each of the plan's triggers that says that the tier is outgrown, and one when nothing is heard of
// the stack. What EC2 measures of each host has an alarm for each, the figures of the stack have one.
func (a *alarms) watch(ctx *pulumi.Context, tier stacks.Tier, hosts pulumi.StringMap) error {
	triggers, err := monitoring.Alarms(tier)
	if err != nil {
		return err
	}
	for _, alarm := range append(triggers, monitoring.Silence()) {
		values := map[string]pulumi.StringInput{alarm.ID: pulumi.String(ctx.Stack())}
		if alarm.Dimension != monitoring.AlarmDimension {
			clear(values)
			for host, instance := range hosts {
				values[alarm.ID+"-"+host] = instance
			}
		}
		for name, value := range values {
			if err := a.add(ctx, name, alarm, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *alarms) add(ctx *pulumi.Context, name string, alarm monitoring.Alarm, value pulumi.StringInput) error {
	_, err := cloudwatch.NewMetricAlarm(ctx, name, &cloudwatch.MetricAlarmArgs{
		AlarmDescription: pulumi.String(alarm.Description), Namespace: pulumi.String(alarm.Namespace),
		MetricName: pulumi.String(alarm.MetricName), Dimensions: pulumi.StringMap{alarm.Dimension: value},
		Statistic: pulumi.String(alarm.Statistic), Period: pulumi.Int(int(alarm.Period.Seconds())),
		EvaluationPeriods: pulumi.Int(alarm.EvaluationPeriods), Threshold: pulumi.Float64(alarm.Threshold),
		ComparisonOperator: pulumi.String(alarm.ComparisonOperator), TreatMissingData: pulumi.String(alarm.TreatMissingData),
		AlarmActions: a.actions(), OkActions: a.actions(),
	}, pulumi.Parent(a))
	return err
}
