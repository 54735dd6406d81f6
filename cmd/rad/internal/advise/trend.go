package advise

import (
	"math"
	"slices"
	"time"
)

const (
	// fewestDays is how many days a trend needs: with fewer, the confidence below can never be had.
	fewestDays = 5
	// dayCoverage is the share of a day that must have been measured for the day to count.
	dayCoverage = 0.5
	// horizon is how far ahead a trend is believed.
	horizon = 365 * 24 * time.Hour
	// confidence is the standard normal's quantile for 95 %, two-sided.
	confidence = 1.96

	day = 24 * time.Hour
)

// Course is the way in which a figure goes.
type Course string

// The courses.
const (
	Unknown Course = "unknown" // too little history
	Steady  Course = "steady"  // neither grows nor falls, as far as can be told
	Rising  Course = "rising"
	Falling Course = "falling"
)

// Trend is how the highest level of a day that was held as long as the trigger asks changes from day to day: the line
// after Theil and Sen, which up to 29 % of days that are out of the ordinary do not turn.
type Trend struct {
	Course Course `json:"course" doc:"rising, falling, steady, or unknown for lack of history"`
	Days   int    `json:"days" doc:"how many days with enough measurements that is from"`
	// PerDay is 0 unless the course is known.
	PerDay float64 `json:"per_day" doc:"change of the day's highest level, in the trigger's unit"`
	// Crossing is when that level reaches the threshold. Nil: not within a year, or not at all.
	Crossing *time.Time `json:"crossing,omitempty" doc:"when it reaches the threshold at this rate; none within a year: left out"`
	Earliest *time.Time `json:"crossing_earliest,omitempty" doc:"the same at the fastest rate that the history supports, with 95 % confidence"`
}

// trendOf finds the trend of what was held for so long, and when it reaches the threshold.
func trendOf(lows []Point, hold time.Duration, threshold float64, now time.Time) Trend {
	days := dailyLevels(held(lows, min(hold, day)), now)
	trend := Trend{Course: Unknown, Days: len(days)}
	if len(days) < fewestDays {
		return trend
	}
	slope, slowest, fastest := theilSen(days)
	trend.PerDay = significant(slope, 6)
	switch {
	case slowest > 0:
		trend.Course = Rising
	case fastest < 0:
		trend.Course = Falling
		return trend
	default:
		trend.Course = Steady
		return trend
	}
	residuals := make([]float64, len(days))
	for i, d := range days {
		residuals[i] = d.level - slope*d.at
	}
	level := median(residuals) // At the present, which is day 0.
	trend.Crossing = crossing(level, slope, threshold, now)
	trend.Earliest = crossing(level, fastest, threshold, now)
	return trend
}

func crossing(level, perDay, threshold float64, now time.Time) *time.Time {
	days := max(0, (threshold-level)/perDay)
	if days > horizon.Hours()/24 {
		return nil
	}
	at := now.Add(time.Duration(days * float64(day))).UTC().Truncate(time.Hour)
	if at.Before(now) { // The hour has begun.
		at = now.UTC()
	}
	return &at
}

// held gives the level that was held for so long up to each point: the least of the points within, if none is missing.
func held(lows []Point, hold time.Duration) []Point {
	count := max(1, int(math.Ceil(float64(hold)/float64(LowStep))))
	var levels []Point
	for i := count - 1; i < len(lows); i++ {
		window := lows[i-count+1 : i+1]
		if window[count-1].At.Sub(window[0].At) > time.Duration(count-1)*LowStep+longestGap {
			continue // Something is missing in between.
		}
		least := slices.MinFunc(window, func(a, b Point) int {
			switch { // What is not a number comes first: nothing was held then.
			case math.IsNaN(a.Figure):
				return -1
			case math.IsNaN(b.Figure) || a.Figure > b.Figure:
				return 1
			case a.Figure < b.Figure:
				return -1
			default:
				return 0
			}
		})
		levels = append(levels, Point{At: lows[i].At, Figure: least.Figure})
	}
	return levels
}

// dayLevel is the highest level of the 24 hours up to at, in days from now: 0 is the last day, -1 the one before.
type dayLevel struct{ at, level float64 }

// dailyLevels reduces levels to one for each 24 hours back from now, so that the hour of the day, at which load differs
// most, is the same in all of them. A day that was not half measured is left out.
func dailyLevels(levels []Point, now time.Time) []dayLevel {
	type summary struct {
		highest float64
		count   int
	}
	byDay := map[int]summary{}
	for _, p := range levels {
		if math.IsNaN(p.Figure) || math.IsInf(p.Figure, 0) || p.At.After(now) {
			continue
		}
		number := -int(now.Sub(p.At) / day)
		s, seen := byDay[number]
		if !seen || p.Figure > s.highest {
			s.highest = p.Figure
		}
		s.count++
		byDay[number] = s
	}
	var days []dayLevel
	for number, s := range byDay {
		if float64(s.count)*float64(LowStep) >= dayCoverage*float64(day) {
			days = append(days, dayLevel{float64(number), s.highest})
		}
	}
	slices.SortFunc(days, func(a, b dayLevel) int { return int(a.at - b.at) })
	return days
}

// theilSen gives the median slope between all pairs of days, and the bounds between which the true one is with 95 %
// confidence, after Sen (1968), Journal of the American Statistical Association 63, page 1379.
func theilSen(days []dayLevel) (slope, slowest, fastest float64) {
	var slopes []float64
	for i, a := range days {
		for _, b := range days[i+1:] {
			slopes = append(slopes, (b.level-a.level)/(b.at-a.at))
		}
	}
	slices.Sort(slopes)
	n, pairs := float64(len(days)), float64(len(slopes))
	spread := confidence * math.Sqrt(n*(n-1)*(2*n+5)/18)
	lower := max(0, int((pairs-spread)/2)-1)
	upper := min(len(slopes)-1, int(math.Ceil((pairs+spread)/2)))
	return median(slopes), slopes[lower], slopes[upper]
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
