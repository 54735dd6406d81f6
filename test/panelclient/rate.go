package panelclient

import (
	"context"
	"time"
)

// AtRate begins something perSecond times a second, and counts it from 0, until ctx ends. What is begun must not be waited for:
// people come at their own times, however slow the answers are.
func AtRate(ctx context.Context, perSecond int, begin func(n int)) {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			begin(n)
		}
	}
}
