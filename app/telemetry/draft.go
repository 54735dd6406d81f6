package telemetry

import (
	"crypto/rand"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// draft is what is noted of a span until its trace has ended. It becomes one of the SDK's only if the trace is kept, which
// nearly none is: theirs cost three times as much.
type draft struct {
	// Span answers what nobody asks here: events, links that are added later, other providers.
	noop.Span

	in *draftTrace
	// parent is nil for the root of its trace in this process.
	parent  *draft
	id      trace.SpanID
	options []trace.SpanStartOption
	started time.Time

	// What follows is guarded by the trace's lock.
	name       string
	attributes []attribute.KeyValue
	status     codes.Code
	cause      string
	ended      time.Time
}

// draftTrace is a trace under way, as far as it is one request or one job of this process.
type draftTrace struct {
	tail *tail
	id   trace.TraceID
	// caller is the span that asked for this; not valid where the trace begins here.
	caller trace.SpanContext
	root   *draft

	mu        sync.Mutex
	drafts    []*draft
	isNotable bool
	hasEnded  bool
}

// usualSpans is how many a request has, mostly.
const usualSpans = 8

// newDraftTrace begins a trace, or the part of one that a caller from inside has begun.
func newDraftTrace(t *tail, caller trace.SpanContext, name string, options []trace.SpanStartOption) *draftTrace {
	in := &draftTrace{tail: t, id: caller.TraceID(), caller: caller, drafts: make([]*draft, 0, usualSpans)}
	if !caller.IsValid() {
		_, _ = rand.Read(in.id[:]) // It never fails.
	}
	in.root = in.newDraft(nil, name, options)
	in.drafts = append(in.drafts, in.root)
	return in
}

func (in *draftTrace) newDraft(parent *draft, name string, options []trace.SpanStartOption) *draft {
	d := &draft{in: in, parent: parent, name: name, options: options, started: time.Now()}
	_, _ = rand.Read(d.id[:])
	return d
}

// newChild begins a part of what d is; nil if there may be no more.
func (d *draft) newChild(name string, options []trace.SpanStartOption) *draft {
	in := d.in
	child := in.newDraft(d, name, options)
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.hasEnded:
		in.tail.queue.lost(lostLate, 1)
		return nil
	case len(in.drafts) >= spansInTrace:
		in.tail.queue.lost(lostFull, 1)
		return nil
	}
	in.drafts = append(in.drafts, child)
	return child
}

// End ends the span, and with the root's its trace.
func (d *draft) End(...trace.SpanEndOption) {
	in := d.in
	in.mu.Lock()
	if in.hasEnded || !d.ended.IsZero() {
		in.mu.Unlock()
		return
	}
	d.ended = time.Now()
	in.hasEnded = d == in.root
	in.mu.Unlock()
	if d == in.root {
		in.tail.end(in)
	}
}

// IsRecording reports whether the span has not ended.
func (d *draft) IsRecording() bool {
	d.in.mu.Lock()
	defer d.in.mu.Unlock()
	return !d.in.hasEnded && d.ended.IsZero()
}

// SpanContext is what names the span elsewhere.
func (d *draft) SpanContext() trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: d.in.id, SpanID: d.id, TraceFlags: trace.FlagsSampled, TraceState: d.in.caller.TraceState(),
	})
}

// parentContext is what names its parent; not valid if it has none.
func (d *draft) parentContext() trace.SpanContext {
	if d.parent == nil {
		return d.in.caller
	}
	return d.parent.SpanContext()
}

// SetName replaces its name.
func (d *draft) SetName(name string) {
	d.change(func() { d.name = name })
}

// SetAttributes adds attributes, or replaces them.
func (d *draft) SetAttributes(attributes ...attribute.KeyValue) {
	d.change(func() { d.attributes = append(d.attributes, attributes...) })
}

// SetStatus says how it went.
func (d *draft) SetStatus(status codes.Code, cause string) {
	d.change(func() {
		d.status, d.cause = status, cause
		d.in.isNotable = d.in.isNotable || status == codes.Error
	})
}

func (d *draft) change(to func()) {
	d.in.mu.Lock()
	defer d.in.mu.Unlock()
	if !d.in.hasEnded && d.ended.IsZero() {
		to()
	}
}

// keep says that the trace of a span is worth a look, whatever becomes of it.
func keep(span trace.Span) {
	if d, ok := span.(*draft); ok {
		d.change(func() { d.in.isNotable = true })
	}
}
