package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// postgresqlIs has a stack's PostgreSQL stopped, or started again, by its supervisor, and waits until it is.
func (s *stack) postgresqlIs(up bool) {
	s.t.Helper()
	command := "d"
	if up {
		command = "u"
	}
	reader := &fenceReader{socket: filepath.Join(s.State, fullName(s), "postgresql", "run", ".s.PGSQL.5432")}
	control := filepath.Join(s.State, fullName(s), "services", "postgresql", "supervise", "control")
	require.NoError(s.t, os.WriteFile(control, []byte(command), 0o600))
	defer reader.close(context.Background())
	require.Eventually(s.t, func() bool {
		_, answers := reader.read(s.t.Context())
		return answers == up
	}, settleTime, 50*time.Millisecond, "PostgreSQL of %s", s.Name)
}

// Either server is away while the other one gives up what it keeps for it. Before the panel has moved, it is promoted anew;
// once it has, it cannot go back, and the promotion can be finished.
func TestAPromotionSurvivesThatASlotIsLost(t *testing.T) {
	mvp := newStack(t, "mvp")
	mvp.up()
	kept := mvp.newKeepsakes(mvp.user("keeper@example.com"))
	kept.store(t)
	tier1, calls := mvp.beside("tier1"), newCalls(t)

	_, err := calls.during(mvp, tier1, func(point string) {
		if point == "copy" {
			tier1.postgresqlIs(false)
		}
	})
	require.Error(t, err, "there is nothing to copy to")
	mvp.promote(tier1, "rollback")
	require.Equal(t, "rolled-back", mvp.promotion(tier1).Step, "the old stack does without the new one")
	old := mvp.superuser()
	defer func() { require.NoError(t, old.Close(context.Background())) }()
	var slots int
	require.NoError(t, old.QueryRow(t.Context(), "SELECT count(*) FROM pg_replication_slots").Scan(&slots))
	require.Zero(t, slots, "nothing is kept for the new stack")
	kept.store(t)
	tier1.postgresqlIs(true)
	mvp.promote(tier1)
	kept.check(t)

	mvp.postgresqlIs(false)
	kept.store(t)
	database := tier1.superuser()
	defer func() { require.NoError(t, database.Close(context.Background())) }()
	for _, statement := range []string{"ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'", "SELECT pg_reload_conf()"} {
		_, err := database.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	// Each process reads the new limit when it gets to it.
	require.Eventually(t, func() bool {
		for _, statement := range []string{
			"SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000))", "SELECT pg_switch_wal()", "CHECKPOINT",
		} {
			_, err := database.Exec(t.Context(), statement)
			require.NoError(t, err, statement)
		}
		var kept int
		require.NoError(t, database.QueryRow(t.Context(),
			"SELECT count(*) FROM pg_replication_slots WHERE wal_status IS DISTINCT FROM 'lost'").Scan(&kept))
		return kept == 0
	}, settleTime, 100*time.Millisecond, "the new server keeps nothing for the old one")
	mvp.postgresqlIs(true)
	_, err = mvp.Rad(t.Context(), "promote", "rollback", mvp.Name, tier1.Name)
	require.ErrorContains(t, err, "there is no way back without loss any more")
	require.Equal(t, "bake", mvp.promotion(tier1).Step, "the panel stays where it is")
	mvp.promote(tier1, "finish")
	require.Equal(t, "finished", mvp.promotion(tier1).Step)
	kept.check(t)
	kept.store(t)
	for _, service := range mvp.status().Services {
		if service.Name == "panel" {
			require.Zero(t, service.PID, "the old stack's panel would work with the new one's database")
		}
	}
}
