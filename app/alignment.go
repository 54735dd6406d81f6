package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
)

const (
	// peerInterval is between looks for another stack.
	peerInterval = 2 * time.Second
	// alignInterval is between looks at what is recent, fullInterval between comparisons of everything.
	alignInterval = 500 * time.Millisecond
	fullInterval  = 5 * time.Minute
	// recentAge is how far back a look at what is recent goes: longer than a request takes from the making of an id to the
	// commit of its row, and than fullInterval, so that nothing falls between the two.
	recentAge = 15 * time.Minute
	// alignBatch bounds the keys that are held in memory at once.
	alignBatch = 1_000
)

// alignment keeps the files of the two stacks of a promotion alike, by what the rows of the database name. It copies both
// ways: an object is written once and never changed, so either side's is as good.
type alignment struct {
	db     *database.DB
	shared *file.Shared
	tier   string
	token  string
	client *http.Client
	log    *slog.Logger
	// peer is the address of the instance of the other stack; empty: there is none.
	peer string
	// keepsAlike tells whether this tier's instances copy what either side lacks. Otherwise they only fetch what is asked for.
	keepsAlike bool
	// seen are recent keys that both sides have.
	seen map[string]time.Time
	// full is when the last comparison of everything began that came to its end.
	full time.Time
}

func newAlignment(cfg config.Config, db *database.DB, shared *file.Shared, token string, log *slog.Logger) *alignment {
	return &alignment{
		db: db, shared: shared, tier: cfg.Tier, token: token, log: log,
		client: &http.Client{Transport: &http.Transport{ResponseHeaderTimeout: cfg.RequestTimeout, IdleConnTimeout: idleTimeout / 2}},
	}
}

// run aligns while there is another stack, until ctx ends.
func (a *alignment) run(ctx context.Context) {
	failing := false
	for {
		pause := peerInterval
		if a.findPeer(ctx); a.peer != "" && a.keepsAlike {
			pause = alignInterval
			err := a.pass(ctx)
			if (err != nil) != failing && ctx.Err() == nil { // Said once, not at every look.
				failing = err != nil
				a.say(ctx, err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (a *alignment) say(ctx context.Context, err error) {
	if err != nil {
		a.log.WarnContext(ctx, "the files of the two stacks are not alike; trying again", "error", err)
		return
	}
	a.log.InfoContext(ctx, "the files of the two stacks are alike")
}

// findPeer looks whether the panel is being promoted, and where the other stack is. What cannot be learnt stays as it was.
func (a *alignment) findPeer(ctx context.Context) {
	found, err := a.db.GetFilesPeer(ctx, a.tier)
	if err != nil && !errors.Is(err, database.ErrNotFound) {
		return
	}
	a.keepsAlike = found.KeepsAlike
	if found.PeerUrl == a.peer {
		return
	}
	a.peer, a.seen, a.full = found.PeerUrl, map[string]time.Time{}, time.Time{}
	if a.peer == "" {
		a.shared.Join(nil)
		return
	}
	a.shared.Join(&file.Peer{URL: a.peer, Token: a.token, Client: a.client})
}

// pass aligns what is recent, and everything when that is due, and writes down how it went.
func (a *alignment) pass(ctx context.Context) error {
	began := time.Now()
	state := dbgen.PutFilesStateParams{Tier: a.tier}
	var err error
	if began.Sub(a.full) > fullInterval {
		if err = a.everything(ctx, &state); err == nil {
			a.full = began
		}
	}
	if err == nil {
		err = a.recent(ctx, began, &state)
	}
	if err == nil {
		state.AlikeAt = &began
	} else {
		state.Problem = err.Error()
	}
	if putErr := a.db.PutFilesState(ctx, state); putErr != nil && !errors.Is(putErr, database.ErrBusy) {
		return errors.Join(err, putErr)
	}
	return err
}

func (a *alignment) everything(ctx context.Context, state *dbgen.PutFilesStateParams) error {
	for bucket := range int16(math.MaxUint8 + 1) {
		for after := ""; ; {
			keys, err := a.db.ListStoreKeys(ctx, dbgen.ListStoreKeysParams{Bucket: bucket, After: after, RowLimit: alignBatch})
			if err != nil {
				return err
			}
			for _, key := range keys {
				if err := a.one(ctx, key, state); err != nil {
					return err
				}
				after = key
			}
			if len(keys) < alignBatch {
				break
			}
		}
	}
	return nil
}

func (a *alignment) recent(ctx context.Context, now time.Time, state *dbgen.PutFilesStateParams) error {
	since := now.Add(-recentAge)
	for key, at := range a.seen {
		if at.Before(since) {
			delete(a.seen, key)
		}
	}
	keys, err := a.db.ListRecentStoreKeys(ctx, dbgen.ListRecentStoreKeysParams{SinceID: firstID(since), Since: since})
	if err != nil {
		return err
	}
	for _, key := range keys {
		if _, known := a.seen[key]; known {
			continue
		}
		if err := a.one(ctx, key, state); err != nil {
			return err
		}
		a.seen[key] = now
	}
	return nil
}

func (a *alignment) one(ctx context.Context, text string, state *dbgen.PutFilesStateParams) error {
	key, err := file.ParseKey(text)
	if err != nil {
		return err
	}
	copied, err := a.shared.Align(ctx, key)
	switch {
	case errors.Is(err, file.ErrNotFound):
		// Neither has it: its row is about to go, or was made for bytes that were lost long ago. Copying cannot help.
		state.Missing++
		return nil
	case copied && err == nil:
		state.Copied++
	}
	return err
}

// firstID is the least UUIDv7 of a moment (RFC 9562, section 5.7).
func firstID(at time.Time) uuid.UUID {
	var id uuid.UUID
	milliseconds := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(milliseconds >> (8 * (5 - i))) //nolint:gosec // That byte of it.
	}
	return id
}
