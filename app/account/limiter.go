package account

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiterKeys bounds the memory of a limiter, to some ten megabytes. The key that was not seen for the longest time is
// forgotten first.
const limiterKeys = 50_000

// limiter allows each key, such as a network address, so many events a period. A key that was quiet for a period may
// use them all at once.
type limiter struct {
	limit rate.Limit
	burst int
	now   func() time.Time

	mu      sync.Mutex
	byKey   map[string]*list.Element
	byUse   *list.List // Front: last seen.
	maximum int
}

type limiterEntry struct {
	key    string
	bucket *rate.Limiter
}

func newLimiter(events int, period time.Duration, now func() time.Time) *limiter {
	return &limiter{
		limit: rate.Limit(float64(events) / period.Seconds()), burst: events, now: now,
		byKey: map[string]*list.Element{}, byUse: list.New(), maximum: limiterKeys,
	}
}

// allow counts an event for the key. When there were too many it returns a *RateLimitError.
func (l *limiter) allow(key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	bucket := l.bucket(key)
	reservation := bucket.ReserveN(now, 1)
	delay := reservation.DelayFrom(now)
	if delay == 0 {
		return nil
	}
	reservation.CancelAt(now) // A refused event does not push the next one further away.
	return &RateLimitError{RetryAfter: delay}
}

func (l *limiter) bucket(key string) *rate.Limiter {
	if element, ok := l.byKey[key]; ok {
		l.byUse.MoveToFront(element)
		return element.Value.(*limiterEntry).bucket // Only this type is put in.
	}
	entry := &limiterEntry{key: key, bucket: rate.NewLimiter(l.limit, l.burst)}
	l.byKey[key] = l.byUse.PushFront(entry)
	if l.byUse.Len() > l.maximum {
		oldest := l.byUse.Back()
		l.byUse.Remove(oldest)
		delete(l.byKey, oldest.Value.(*limiterEntry).key) // Only this type is put in.
	}
	return entry.bucket
}
