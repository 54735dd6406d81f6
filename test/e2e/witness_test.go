package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/test/panelclient"
)

// witnessedRecords is how many records a witness works on: fewer than a page, so that a list shows them all.
const witnessedRecords = 20

// A witness changes and reads its own records at a fixed rate while a stack is being hurt. What it reads, by id or in a
// list, must never be older than what was acknowledged before the read began.
type witness struct {
	client  *panelclient.Client
	panel   string
	records []*witnessed

	mu       sync.Mutex
	answered int
	outages  []outage
	stale    []string

	stop context.CancelFunc
	done sync.WaitGroup
}

// witnessed is a record and the newest version of it that was acknowledged.
type witnessed struct {
	id string

	updating     sync.Mutex // one update at a time, since an update names the version that it replaces
	mu           sync.Mutex
	acknowledged int64
}

func (w *witnessed) version() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acknowledged
}

func (w *witnessed) acknowledge(version int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acknowledged = max(w.acknowledged, version)
}

// outage is a request that failed.
type outage struct {
	at     time.Time
	status int // 0: no answer
	what   string
}

// String is for whoever reads that it should not have been.
func (o outage) String() string { return o.at.Format("15:04:05.000 ") + o.what }

// startWitness begins to work, perSecond requests a second in the open model.
func (s *stack) startWitness(client *panelclient.Client, perSecond int) *witness {
	s.t.Helper()
	panel, err := client.CreatePanel(s.t.Context(), "Witness")
	require.NoError(s.t, err)
	w := &witness{client: client, panel: panel.ID}
	for n := range witnessedRecords {
		made, err := client.CreateRecord(s.t.Context(), panel.ID, fmt.Sprintf("record %02d", n), map[string]any{"n": n})
		require.NoError(s.t, err)
		w.records = append(w.records, &witnessed{id: made.ID, acknowledged: made.Version})
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	w.stop = cancel
	work := s.t.Context() // A request that was sent is seen through after the clock has stopped.
	w.done.Go(func() {
		panelclient.AtRate(ctx, perSecond, func(n int) {
			record := w.records[n%len(w.records)]
			w.done.Go(func() {
				switch n % 10 {
				case 0, 1, 2:
					w.update(work, record)
				case 3, 4, 5:
					w.list(work)
				default:
					w.read(work, record)
				}
			})
		})
	})
	return w
}

func (w *witness) path(record *witnessed) string {
	return "/panels/" + w.panel + "/records/" + record.id
}

func (w *witness) update(ctx context.Context, record *witnessed) {
	if !record.updating.TryLock() {
		w.read(ctx, record)
		return
	}
	defer record.updating.Unlock()
	known := record.version()
	var now panelclient.Record
	err := w.client.Do(ctx, http.MethodPatch, w.path(record), map[string]any{"data": map[string]any{"after": known}}, &now,
		panelclient.Header("If-Match", strconv.Quote(strconv.FormatInt(known, 10))))
	switch {
	case err == nil:
		record.acknowledge(now.Version)
	case panelclient.StatusOf(err) == http.StatusPreconditionFailed:
		// An update that got no answer took place all the same: the next read tells.
		w.read(ctx, record)
		return
	}
	w.note(err)
}

func (w *witness) read(ctx context.Context, record *witnessed) {
	known := record.version()
	var now panelclient.Record
	err := w.client.Do(ctx, http.MethodGet, w.path(record), nil, &now)
	if err == nil {
		w.compare(record, known, now.Version, "read by id")
	}
	w.note(err)
}

func (w *witness) list(ctx context.Context) {
	known := map[string]int64{}
	for _, record := range w.records {
		known[record.id] = record.version()
	}
	var page panelclient.Page[panelclient.Record]
	err := w.client.Do(ctx, http.MethodGet, "/panels/"+w.panel+"/records", nil, &page)
	if err == nil {
		now := map[string]int64{}
		for _, item := range page.Items {
			now[item.ID] = item.Version
		}
		for _, record := range w.records {
			w.compare(record, known[record.id], now[record.id], "read in a list")
		}
	}
	w.note(err)
}

func (w *witness) compare(record *witnessed, known, now int64, how string) {
	if now >= known {
		record.acknowledge(now) // Who has seen it must not see an older one either.
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stale = append(w.stale, fmt.Sprintf("%s record %s: version %d was acknowledged, version %d was %s",
		time.Now().Format(time.TimeOnly), record.id, known, now, how))
}

func (w *witness) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.answered++
		return
	}
	w.outages = append(w.outages, outage{time.Now(), panelclient.StatusOf(err), err.Error()})
}

// since says how the requests fared since a fault struck: how many failed, and when the last one did.
func (w *witness) since(struck time.Time) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	statuses := map[int]int{}
	var last time.Duration
	for _, o := range w.outages {
		if o.at.After(struck) {
			statuses[o.status]++
			last = o.at.Sub(struck)
		}
	}
	if len(statuses) == 0 {
		return "no request failed"
	}
	return fmt.Sprintf("failed requests by status %v, the last after %v", statuses, last.Round(time.Millisecond))
}

// settle stops, and fails the test if anything that was read was too old.
func (w *witness) settle(t *testing.T) {
	t.Helper()
	w.stop()
	w.done.Wait()
	require.NotZero(t, w.answered, "nothing was answered: the test would show nothing")
	require.Empty(t, w.stale, "reads that were older than what had been acknowledged")
	for _, o := range w.outages {
		require.Contains(t, []int{0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, o.status,
			"an outage is told as such")
	}
	t.Logf("%d requests answered, %d failed, none read anything older than was acknowledged", w.answered, len(w.outages))
}
