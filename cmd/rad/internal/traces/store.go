// Package traces asks a stack's store of traces, which is Jaeger, and writes what it finds for people.
package traces

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"
)

const (
	// serviceName is what the panel's service calls itself in traces.
	serviceName = "radpanel"
	// askTimeout bounds one question. They take milliseconds.
	askTimeout = 10 * time.Second
	// largestAnswer bounds one answer, in bytes.
	largestAnswer = 64 << 20

	messageID = "messaging.message.id"
	spanKind  = "span.kind"
	requestID = "radpanel.request_id"
)

// Span is a part of a trace.
type Span struct {
	Trace      string      `json:"traceID"`
	ID         string      `json:"spanID"`
	Name       string      `json:"operationName"`
	StartedAt  int64       `json:"startTime"` // In microseconds since 1970.
	Took       int64       `json:"duration"`  // In microseconds.
	References []Reference `json:"references"`
	Tags       []Tag       `json:"tags"`
}

// Reference leads from a span to another: to its parent, or to what it follows from in another trace.
type Reference struct {
	Kind  string `json:"refType"`
	Trace string `json:"traceID"`
	Span  string `json:"spanID"`
}

// Tag is an attribute.
type Tag struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// Tag is the value of an attribute as text; empty if the span has none of the name.
func (s Span) Tag(name string) string {
	for _, tag := range s.Tags {
		if tag.Key == name {
			return fmt.Sprint(tag.Value)
		}
	}
	return ""
}

// parent is the span that this one is a part of; empty for the first of a trace.
func (s Span) parent() string {
	for _, reference := range s.References {
		if reference.Kind == "CHILD_OF" && reference.Trace == s.Trace {
			return reference.Span
		}
	}
	return ""
}

// Trace is all that was done for one request, or in one attempt at a job.
type Trace []Span

// Root is the span that all others are parts of.
func (t Trace) Root() Span {
	if i := slices.IndexFunc(t, func(s Span) bool { return s.parent() == "" }); i >= 0 {
		return t[i]
	}
	return t[0]
}

// Store is the store of traces at an address, such as "127.0.0.1:16686".
type Store struct{ Address string }

// Recent gives the traces of the last hours, the newest first, at most so many.
func (s Store) Recent(ctx context.Context, limit int) ([]Trace, error) {
	return s.search(ctx, limit, nil)
}

var traceID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Find gives the traces that an id leads to, and those of the jobs that they asked for: it is a trace's own, a request's or a
// job's.
func (s Store) Find(ctx context.Context, id string) ([]Trace, error) {
	var found []Trace
	if traceID.MatchString(id) {
		traces, err := s.ask(ctx, "/api/traces/"+id, nil)
		if err != nil {
			return nil, err
		}
		found = traces
	}
	for _, name := range []string{requestID, messageID} {
		if len(found) > 0 {
			break
		}
		traces, err := s.search(ctx, 20, map[string]string{name: id})
		if err != nil {
			return nil, err
		}
		found = traces
	}
	for _, trace := range found {
		for _, span := range trace {
			if span.Tag(spanKind) != "producer" {
				continue
			}
			attempts, err := s.search(ctx, 20, map[string]string{messageID: span.Tag(messageID), spanKind: "consumer"})
			if err != nil {
				return nil, err
			}
			found = append(found, attempts...)
		}
	}
	return sorted(found, true), nil
}

func (s Store) search(ctx context.Context, limit int, tags map[string]string) ([]Trace, error) {
	query := url.Values{"service": {serviceName}, "limit": {strconv.Itoa(limit)}, "lookback": {"48h"}}
	if tags != nil {
		wanted, err := json.Marshal(tags)
		if err != nil {
			return nil, err
		}
		query.Set("tags", string(wanted))
	}
	found, err := s.ask(ctx, "/api/traces", query)
	return sorted(found, false), err
}

// sorted orders traces by their begin, each once.
func sorted(traces []Trace, oldestFirst bool) []Trace {
	slices.SortStableFunc(traces, func(a, b Trace) int {
		if oldestFirst {
			a, b = b, a
		}
		return int(b.Root().StartedAt - a.Root().StartedAt)
	})
	return slices.CompactFunc(traces, func(a, b Trace) bool { return a[0].Trace == b[0].Trace })
}

// ask gives the traces of an answer. That there is no such trace is an answer like others.
func (s Store) ask(ctx context.Context, path string, query url.Values) ([]Trace, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	at := url.URL{Scheme: "http", Host: s.Address, Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	// No proxy: it is on this machine. No connection is kept: rad ends soon.
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("store of traces at %s: %w", s.Address, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, largestAnswer))
	if err != nil {
		return nil, fmt.Errorf("store of traces at %s: %w", s.Address, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("store of traces at %s: %s: %s", s.Address, response.Status, body[:min(len(body), 200)])
	}
	var answer struct {
		Data []struct {
			Spans Trace `json:"spans"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("store of traces at %s: %w", s.Address, err)
	}
	var found []Trace
	for _, one := range answer.Data {
		if len(one.Spans) > 0 {
			found = append(found, one.Spans)
		}
	}
	return found, nil
}
