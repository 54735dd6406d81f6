package telemetry

import (
	"math"
	"sync"
	"time"
)

const (
	// slotDuration times slotCount is the longest time that a Window looks back: five minutes and the slot in use.
	slotDuration = 10 * time.Second
	slotCount    = 31
	// Response times are counted in logarithmic steps of about 5 %: from 0.1 ms to beyond a minute.
	stepFactor  = 1.05
	firstStep   = 100 * time.Microsecond
	stepsInSlot = 300
)

// Window is a histogram of the last five minutes, kept in the process: the service can tell its own p95 without
// asking a monitoring system. It is safe for concurrent use.
type Window struct {
	now   func() time.Time
	mu    sync.Mutex
	slots [slotCount]slot
}

type slot struct {
	// period is the slot's number since the epoch, so that an old slot is told from a present one.
	period int64
	total  uint64
	counts [stepsInSlot]uint32
}

// NewWindow returns an empty window on the given clock.
func NewWindow(now func() time.Time) *Window { return &Window{now: now} }

// Observe counts one response time.
func (w *Window) Observe(took time.Duration) {
	period := w.now().UnixNano() / int64(slotDuration)
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.slots[period%slotCount]
	if s.period != period {
		*s = slot{period: period}
	}
	s.total++
	s.counts[step(took)]++
}

// Quantile returns the response time that the share q (0 to 1) of the requests in the last d stayed within, to about
// 5 %, and how many requests that was. Without any, the time is 0.
func (w *Window) Quantile(q float64, d time.Duration) (took time.Duration, requests uint64) {
	counts, total := w.sum(d)
	if total == 0 {
		return 0, 0
	}
	rank := uint64(math.Ceil(q * float64(total)))
	var seen uint64
	for i, n := range counts {
		seen += n
		if seen >= rank {
			return upperBound(i), total
		}
	}
	return upperBound(stepsInSlot - 1), total
}

// Rate returns the requests a second over the last d.
func (w *Window) Rate(d time.Duration) float64 {
	_, total := w.sum(d)
	return float64(total) / d.Seconds()
}

func (w *Window) sum(d time.Duration) (counts [stepsInSlot]uint64, total uint64) {
	newest := w.now().UnixNano() / int64(slotDuration)
	oldest := newest - int64(d/slotDuration)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.slots {
		s := &w.slots[i]
		if s.period <= oldest || s.period > newest {
			continue
		}
		total += s.total
		for j, n := range s.counts {
			counts[j] += uint64(n)
		}
	}
	return counts, total
}

func step(took time.Duration) int {
	if took <= firstStep {
		return 0
	}
	i := int(math.Ceil(math.Log(float64(took)/float64(firstStep)) / math.Log(stepFactor)))
	return min(i, stepsInSlot-1)
}

func upperBound(i int) time.Duration {
	return time.Duration(float64(firstStep) * math.Pow(stepFactor, float64(i)))
}
