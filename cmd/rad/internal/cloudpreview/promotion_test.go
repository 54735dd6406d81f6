package cloudpreview_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

// Every step of a promotion on AWS is a change of one stack's configuration, which a reviewer sees before it is made. No step
// loses what either stack holds.
func TestEachStepOfEachPromotionAsAReviewerSeesIt(t *testing.T) {
	for _, promotion := range []struct{ from, to stacks.Tier }{{stacks.MVP, stacks.Tier1}, {stacks.Tier1, stacks.Tier2}} {
		t.Run(string(promotion.to), func(t *testing.T) {
			o := newOperator(t)
			from, to := string(promotion.from), string(promotion.to)
			usual := []string{"domain: panel.example.com", "hostedZone: Z0123456789", "acknowledgeCost: 600"}
			up := func(stack string) { o.plain("up", "--yes", "--skip-preview", "--stack", stack) }
			step := func(name, stack string, lines ...string) {
				o.configure(stack, append(lines, usual...)...)
				got := o.rad("preview", stack, "--target", "aws", "--markdown")
				require.Zero(t, got.code, got.out+got.errors)
				check(t, "promote-"+to+"-"+name+".md", got.out)
				assert.NotContains(t, got.out, "CAUTION", "what holds data stays")
				o.keepsItsSecrets(got.out + got.errors)
				up(stack)
			}
			o.configure(from, usual...)
			o.configure(to)
			for _, stack := range []string{from, to} {
				o.plain("stack", "init", stack)
			}
			up(from)

			step("1-beside", to, "promoteFrom: "+from)
			step("2-forwarding", from, "promoteTo: "+to)
			step("3-finished", to)
		})
	}
}
