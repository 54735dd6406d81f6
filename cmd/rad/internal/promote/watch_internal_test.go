package promote

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWhatBreachesTheSLO(t *testing.T) {
	t.Parallel()
	slo := SLO{P95: 400 * time.Millisecond, Errors: 0.01, Requests: 20}
	// Of so many requests, those that failed, and those that took at most 0.2 and 0.5 s.
	of := func(requests, errors, fast, inTime float64) served {
		return served{requests: requests, errors: errors, within: map[float64]float64{0.2: fast, 0.5: inTime}}
	}
	for name, c := range map[string]struct {
		before, now served
		breach      string
	}{
		"all is well":                     {of(0, 0, 0, 0), of(100, 1, 90, 95), ""},
		"one in a hundred too many":       {of(0, 0, 0, 0), of(100, 2, 100, 100), "2.0 % of 100 requests failed, expected at most 1.0 %"},
		"errors of before do not count":   {of(100, 50, 100, 100), of(200, 50, 200, 200), ""},
		"too few to judge by":             {of(0, 0, 0, 0), of(19, 19, 0, 0), ""},
		"slow":                            {of(0, 0, 0, 0), of(100, 0, 100, 94), "94.0 % of 100 requests took at most 0.5 s, expected 95 %"},
		"slower than the SLO's p95 alone": {of(0, 0, 0, 0), of(100, 0, 10, 96), ""},
		"the instance began anew":         {of(1000, 0, 1000, 1000), of(30, 30, 0, 0), ""},
	} {
		assert.Equal(t, c.breach, judge(c.before, c.now, slo), name)
	}
}
