package local

import (
	"encoding/json"
	"fmt"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/stacks"
)

// renderPlan gives the plan as the service reads it: of the plan's JSON, the part that the service shows to
// administrators. So a change of anything else, such as a blueprint, leaves the running service alone.
func renderPlan(plan stacks.ScalingPlan) (string, error) {
	whole, err := json.Marshal(plan)
	if err != nil {
		return "", fmt.Errorf("render the plan: %w", err)
	}
	var shown config.Plan
	if err := json.Unmarshal(whole, &shown); err != nil {
		return "", fmt.Errorf("render the plan: the service reads it differently: %w", err)
	}
	raw, err := json.MarshalIndent(shown, "", "  ")
	if err != nil {
		return "", fmt.Errorf("render the plan: %w", err)
	}
	return string(raw) + "\n", nil
}
