package postgresql

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// promotionNames begin the names of the subscriptions and slots that a promotion makes.
const promotionNames = "promotion\\_%"

// EndPromotion removes what is left of a promotion once the two servers cannot reach each other any more: the subscriptions,
// the slots, which would hold the write-ahead log until the disk is full, and the role. What there is not is left out.
func (d Database) EndPromotion(ctx context.Context, role string) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	database, err := d.Connect(ctx, d.Name)
	if err != nil {
		return err
	}
	defer func() { _ = database.Close(context.WithoutCancel(ctx)) }()
	rows, err := database.Query(ctx, "SELECT subname FROM pg_subscription WHERE subname LIKE $1", promotionNames)
	if err != nil {
		return fmt.Errorf("end a promotion: list the subscriptions: %w", err)
	}
	subscriptions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("end a promotion: list the subscriptions: %w", err)
	}
	for _, name := range subscriptions {
		if err := DropSubscription(ctx, database, name); err != nil {
			return fmt.Errorf("end a promotion: %w", err)
		}
	}
	if err := endSessions(ctx, database, role); err != nil {
		return err
	}
	if _, err := database.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE $1", promotionNames); err != nil {
		return fmt.Errorf("end a promotion: remove the slots: %w", err)
	}
	var there bool
	if err := database.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&there); err != nil || !there {
		return err
	}
	for _, statement := range []string{"DROP OWNED BY " + quoted(role), "DROP ROLE " + quoted(role)} {
		if _, err := database.Exec(ctx, statement); err != nil {
			return fmt.Errorf("end a promotion: %s: %w", statement, err)
		}
	}
	return nil
}

// DropSubscription removes a subscription, and leaves its slot on the other server, which is not asked: it may not be there any
// more, nor let this one in.
func DropSubscription(ctx context.Context, database *pgx.Conn, name string) error {
	subscription := quoted(name)
	for _, statement := range []string{
		"ALTER SUBSCRIPTION " + subscription + " DISABLE", "ALTER SUBSCRIPTION " + subscription + " SET (slot_name = NONE)",
		"DROP SUBSCRIPTION " + subscription,
	} {
		if _, err := database.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// endSessions ends those of a role, and waits until they have.
func endSessions(ctx context.Context, database *pgx.Conn, role string) error {
	if _, err := database.Exec(ctx, "ALTER ROLE "+quoted(role)+" NOLOGIN"); err != nil && !hasCode(err, "42704") { // There is none.
		return fmt.Errorf("end a promotion: role %s: %w", role, err)
	}
	for {
		var sessions int
		err := database.QueryRow(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1", role).Scan(&sessions)
		if err != nil {
			return fmt.Errorf("end a promotion: end the sessions of %s: %w", role, err)
		}
		if sessions == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("end a promotion: %d sessions of %s do not end: %w", sessions, role, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
