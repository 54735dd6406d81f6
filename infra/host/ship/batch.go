package ship

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// CloudWatch's limits on one call (CloudWatch Logs API, PutLogEvents).
const (
	batchEvents   = 10_000
	batchBytes    = 1 << 20
	eventOverhead = 26
	batchSpan     = 24 * time.Hour
)

// batch is what goes in one call.
type batch struct {
	entries         []entry
	bytes           int
	earliest, until time.Time
	// cursor is where the journal is read on once the batch has been taken.
	cursor string
}

// takes tells whether an entry fits in as well.
func (b *batch) takes(e entry) bool {
	if len(b.entries) == 0 {
		return true
	}
	earliest, until := b.earliest, b.until
	if e.at.Before(earliest) {
		earliest = e.at
	}
	if e.at.After(until) {
		until = e.at
	}
	return len(b.entries) < batchEvents && b.bytes+len(e.text)+eventOverhead <= batchBytes && until.Sub(earliest) < batchSpan
}

func (b *batch) add(e entry) {
	b.cursor = e.cursor
	if e.routine {
		return
	}
	if len(b.entries) == 0 || e.at.Before(b.earliest) {
		b.earliest = e.at
	}
	if len(b.entries) == 0 || e.at.After(b.until) {
		b.until = e.at
	}
	b.entries = append(b.entries, e)
	b.bytes += len(e.text) + eventOverhead
}

// events gives them in the order of time, as a clock that was put back does not leave them.
func events(entries []entry) []types.InputLogEvent {
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b entry) int { return a.at.Compare(b.at) })
	all := make([]types.InputLogEvent, len(sorted))
	for i, e := range sorted {
		all[i] = types.InputLogEvent{Message: aws.String(e.text), Timestamp: aws.Int64(e.at.UnixMilli())}
	}
	return all
}
