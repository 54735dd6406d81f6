package monitoring

import (
	"fmt"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// Alarm is an alarm of CloudWatch's, in CloudWatch's own terms, without its SDK.
type Alarm struct {
	// ID is the trigger's, or that of [Silence].
	ID          string
	Description string
	// Place is where the figure is.
	Place

	Period time.Duration
	// EvaluationPeriods is how many periods in a row must be over the threshold.
	EvaluationPeriods int
	// ComparisonOperator and TreatMissingData are CloudWatch's words.
	ComparisonOperator string
	Threshold          float64
	TreatMissingData   string
}

// Where the target puts the figures.
const (
	// AlarmNamespace holds the figures that Prometheus records on the stack's hosts ([Carried]), by their names, with the
	// dimension AlarmDimension.
	AlarmNamespace = "RADPanel"
	AlarmDimension = "Stack"
)

// CloudWatch's limits on what an alarm looks back on: a day with periods under an hour, seven days with longer ones.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
const (
	shortPeriodsReach = 24 * time.Hour
	longPeriodsReach  = 7 * 24 * time.Hour
)

// Alarms gives a CloudWatch alarm for each trigger of a tier's stack. The last tier has none.
func Alarms(name stacks.Tier) ([]Alarm, error) {
	plan := stacks.Plan()
	if _, err := plan.Tier(name); err != nil {
		return nil, err
	}
	next, ok := plan.Next(name)
	if !ok {
		return nil, nil
	}
	alarms := make([]Alarm, 0, len(next.Triggers))
	for _, trigger := range next.Triggers {
		alarm, err := alarmOf(trigger)
		if err != nil {
			return nil, err
		}
		alarms = append(alarms, alarm)
	}
	return alarms, nil
}

// silence is how long nothing may be heard of a stack: its hosts need a few minutes to start, and to take up a new version.
const silence = 10 * time.Minute

// Silence is the alarm that nothing has been heard of a stack, so that no alert of its own would be told. It is raised by the
// cloud itself, and its runbook is that of the alert on what is not measured.
func Silence() Alarm {
	const id = "measurement-missing"
	place := PlaceOf(RequestsPerSecond) // There always is one.
	place.Statistic = "SampleCount"
	return Alarm{
		ID: id, Place: place, Period: place.Every, EvaluationPeriods: int(silence / place.Every), ComparisonOperator: "LessThanThreshold", Threshold: 1,
		Description: fmt.Sprintf("Nothing has been heard of the stack for %d min, and no alert of its own would be told. %s%s.md",
			int(silence.Minutes()), RunbookBase, id),
		TreatMissingData: "breaching",
	}
}

func alarmOf(trigger stacks.Trigger) (Alarm, error) {
	a := Alarm{
		ID: trigger.ID, Description: trigger.Alert().Summary + ". " + RunbookBase + trigger.ID + ".md",
		Place: PlaceOf(string(trigger.Metric)), Threshold: trigger.Threshold,
		// Without requests there is no response time: that is no reason to end an alarm, nor to raise one.
		TreatMissingData: "ignore",
	}
	switch trigger.Comparison {
	case stacks.Above:
		a.ComparisonOperator = "GreaterThanThreshold"
	default:
		return a, fmt.Errorf("trigger %s: comparison %q: expected %q", trigger.ID, trigger.Comparison, stacks.Above)
	}
	switch {
	case trigger.For <= time.Hour:
		a.Period = a.Every
	case trigger.For <= shortPeriodsReach:
		a.Period = 5 * time.Minute
	case trigger.For <= longPeriodsReach:
		a.Period = time.Hour
	default:
		return a, fmt.Errorf("trigger %s: it must hold for %s: expected at most %s, which is as far as CloudWatch looks back",
			trigger.ID, trigger.For, longPeriodsReach)
	}
	a.EvaluationPeriods = int(trigger.For / a.Period)
	return a, nil
}
