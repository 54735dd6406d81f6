package main

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/file"
)

// An instance of the old stack gets what it is asked for from the new one, at once: a file that was uploaded there just
// before the requests came back is never away. It copies nothing by itself.
func TestAnOldInstanceFetchesWhatTheNewOneHas(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	d := server.NewEmptyDatabase(t)
	require.NoError(t, database.Migrate(ctx, d.OwnerURL))
	db := d.Open(t)
	stores := map[string]*file.Disk{}
	for _, side := range []string{"old", "new"} {
		store, err := file.OpenDisk(t.TempDir())
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, store.Close()) })
		stores[side] = store
	}
	const token = "a token"
	peer := httptest.NewServer(file.NewPeerHandler(stores["new"], token))
	t.Cleanup(peer.Close)
	_, err := d.Connect(t).Exec(ctx, "INSERT INTO promotion.alignment (tier, peer_url, keeps_alike) VALUES ('mvp', $1, false)", peer.URL)
	require.NoError(t, err)

	shared := &file.Shared{Store: stores["old"]}
	cfg := testConfig(t, d)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		newAlignment(cfg, db, shared, token, slog.New(slog.DiscardHandler)).run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	uploaded := file.NewKey(7, uuid.Must(uuid.NewV7()))
	_, err = stores["new"].Put(ctx, uploaded, strings.NewReader("uploaded at the new stack"))
	require.NoError(t, err)
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		object, err := shared.Open(ctx, uploaded)
		if !assert.NoError(t, err) {
			return
		}
		content, err := io.ReadAll(object)
		assert.NoError(t, err)
		assert.NoError(t, object.Close())
		assert.Equal(t, "uploaded at the new stack", string(content))
	}, patience, 50*time.Millisecond, "it does not know the new stack")
	_, err = shared.Open(ctx, file.NewKey(7, uuid.Must(uuid.NewV7())))
	require.ErrorIs(t, err, file.ErrNotFound, "neither side has it")
	var checked bool
	require.NoError(t, d.Connect(t).QueryRow(ctx, "SELECT alike_at IS NOT NULL FROM promotion.alignment").Scan(&checked))
	require.False(t, checked, "to keep the files alike is left to the new stack's instances")
}
