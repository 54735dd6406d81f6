package price

import (
	"fmt"

	"github.com/radpanel/radpanel/stacks"
)

// Verdict says how a monthly cost stands to the plan's range, and how far it is over it: 0 within it and below.
func Verdict(monthly float64, budget stacks.Cost) (text string, over float64) {
	switch {
	case monthly > float64(budget.High):
		over = monthly - float64(budget.High)
		return fmt.Sprintf("$%.0f over the plan's $%d-%d", over, budget.Low, budget.High), over
	case monthly < float64(budget.Low):
		return fmt.Sprintf("below the plan's $%d-%d", budget.Low, budget.High), 0
	default:
		return fmt.Sprintf("within the plan's $%d-%d", budget.Low, budget.High), 0
	}
}
