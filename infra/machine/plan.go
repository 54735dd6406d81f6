package machine

import (
	"encoding/json"
	"fmt"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/stacks"
)

// RenderPlan gives the plan as the service reads it: of the plan's JSON, the part that the service shows to
// administrators, and where Prometheus keeps the figures beside it. So a change of anything else, such as a blueprint,
// leaves the running service alone.
func RenderPlan(plan stacks.ScalingPlan) (string, error) {
	whole, err := json.Marshal(plan)
	if err != nil {
		return "", fmt.Errorf("render the plan: %w", err)
	}
	var shown config.Plan
	if err := json.Unmarshal(whole, &shown); err != nil {
		return "", fmt.Errorf("render the plan: the service reads it differently: %w", err)
	}
	shown.Records = map[string]string{}
	for _, metric := range stacks.Metrics() {
		shown.Records[string(metric.Metric)] = metric.Record()
	}
	raw, err := json.MarshalIndent(shown, "", "  ")
	if err != nil {
		return "", fmt.Errorf("render the plan: %w", err)
	}
	return string(raw) + "\n", nil
}
