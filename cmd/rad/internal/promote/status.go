package promote

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/radpanel/radpanel/infra/local"
)

// LockFile is the file that whoever works on a promotion holds locked.
func LockFile(stateFolder string) string { return filepath.Join(Folder(stateFolder), "lock") }

// lookTimeout bounds a look at one side.
const lookTimeout = 5 * time.Second

// Status is how a promotion stands.
type Status struct {
	Record

	Sides []SideStatus `json:"sides,omitempty"`
	// FilesAlikeAt is when the files of both sides were last seen to be alike.
	FilesAlikeAt *time.Time `json:"files_alike_at,omitempty"`
}

// SideStatus is how one side stands.
type SideStatus struct {
	Name string `json:"name"`
	// Writable tells whether its database may be written to, Epoch how often the panel had moved when it became so.
	Writable bool  `json:"writable"`
	Epoch    int64 `json:"epoch"`
	// HeldBytes is how much of its log it keeps for the other side, in bytes.
	HeldBytes int64 `json:"held_bytes"`
	// Problem says why it could not be looked at.
	Problem string `json:"problem,omitempty"`
}

// Look tells how a promotion stands. It changes nothing.
func Look(ctx context.Context, stateFolder, from, to string) (Status, error) {
	record, err := load(stateFolder, from, to)
	status := Status{Record: record}
	if err != nil || record.Step == Check {
		return status, err
	}
	for _, name := range []string{from, to} {
		side, alike := lookAt(ctx, stateFolder, name, record.ToTier)
		status.Sides = append(status.Sides, side)
		if alike != nil && (status.FilesAlikeAt == nil || alike.After(*status.FilesAlikeAt)) {
			status.FilesAlikeAt = alike
		}
	}
	return status, nil
}

func lookAt(ctx context.Context, stateFolder, name, tier string) (SideStatus, *time.Time) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	status := SideStatus{Name: name}
	alike, err := status.look(ctx, stateFolder, tier)
	if err != nil {
		status.Problem = err.Error()
	}
	return status, alike
}

func (s *SideStatus) look(ctx context.Context, stateFolder, tier string) (*time.Time, error) {
	side, err := local.OpenSide(stateFolder, s.Name)
	if err != nil {
		return nil, err
	}
	connection, err := side.Connect(ctx, "rad promote status")
	if err != nil {
		return nil, fmt.Errorf("its database does not answer: %w", err)
	}
	d := database{Conn: connection, side: s.Name}
	defer d.Close(context.WithoutCancel(ctx)) //nolint:errcheck // The server forgets it either way.
	f, err := d.readFence(ctx)
	if err != nil {
		return nil, err
	}
	s.Writable, s.Epoch = f.Writable, f.Epoch
	for _, slot := range []string{forward, reverse} {
		held, err := d.slotLag(ctx, slot)
		if err != nil {
			return nil, err
		}
		s.HeldBytes += held
	}
	var alike *time.Time
	err = d.QueryRow(ctx, "SELECT alike_at FROM promotion.alignment WHERE tier = $1", tier).Scan(&alike)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // It is over.
	}
	return alike, d.fail("look how far the files are", err)
}

// Next says what to do next.
func (r Record) Next() string {
	names := r.From + " " + r.To
	switch r.Step {
	case Bake:
		return fmt.Sprintf("rad promote finish %s, or go back: rad promote rollback %s", names, names)
	case Finish:
		return "rad promote finish " + names
	case Finished:
		return "rad down " + r.From
	case RollBack, DoorBack:
		return "rad promote rollback " + names
	case RolledBack:
		return "rad promote " + names + " once more, or rad down --purge " + r.To
	default:
		return fmt.Sprintf("rad promote %s goes on, rad promote rollback %s goes back", names, names)
	}
}
