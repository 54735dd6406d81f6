package promote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/radpanel/radpanel/infra/local"
)

// pooler is a side's, with a connection to its console that stays open: to begin one takes as long as a cut-over may.
type pooler struct {
	side    local.Side
	console *pgx.Conn
	// spare is for when console still waits for an answer. Nil: there is none.
	spare *pgx.Conn
}

func openPooler(ctx context.Context, side local.Side) (pooler, error) {
	console, err := side.ConnectPooler(ctx)
	if err != nil {
		return pooler{}, fmt.Errorf("pooler of stack %s: %w", side.Name, err)
	}
	return pooler{side: side, console: console}, nil
}

// withSpare gives the pooler a second connection.
func (p pooler) withSpare(ctx context.Context) (pooler, error) {
	another, err := openPooler(ctx, p.side)
	p.spare = another.console
	return p, err
}

func (p pooler) command(ctx context.Context, command string) error {
	_, err := p.console.PgConn().Exec(ctx, command+" "+local.DatabaseName).ReadAll()
	if err != nil {
		return fmt.Errorf("pooler of stack %s: %s: %w", p.side.Name, command, err)
	}
	return nil
}

// pause returns when no transaction runs any more; what comes then waits. It is broken off with ctx, and then has to be
// ended by resume on another connection.
func (p pooler) pause(ctx context.Context) error { return p.command(ctx, "PAUSE") }

// resume lets go on what waits.
func (p pooler) resume(ctx context.Context) error {
	err := p.command(ctx, "RESUME")
	if err != nil && strings.Contains(err.Error(), "is not paused") {
		return nil
	}
	return err
}

func (p pooler) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = p.console.Close(ctx) // The pooler forgets it either way.
	if p.spare != nil {
		_ = p.spare.Close(ctx)
	}
}

// turn makes the side's pooler go to another database, and lets go on what waits. It uses a connection of its own: the
// one that paused may still wait for an answer.
func turn(ctx context.Context, side, to local.Side) error {
	if err := side.Lead(to); err != nil {
		return err
	}
	turning := side.IsTurning()
	p, err := openPooler(ctx, side)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
		return side.EndTurn() // It does not run: it holds nothing back, and goes there when it starts.
	}
	if err != nil {
		return err
	}
	defer p.close(ctx)
	if turning {
		// RECONNECT closes connections to where it led before, each after its transaction. It is not said needlessly: until the
		// first new connection is there, which takes long on a machine that is busy, everybody waits.
		if err := p.command(ctx, "RECONNECT"); err != nil {
			return errors.Join(err, p.resume(ctx))
		}
	}
	return errors.Join(p.resume(ctx), side.EndTurn())
}
