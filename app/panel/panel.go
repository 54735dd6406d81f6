// Package panel is what the service is for: panels, the records that users keep in them, the files attached to them,
// and their exports and imports.
//
// Every function takes the Owner who asks. What belongs to somebody else is not found, as if it did not exist.
package panel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/cache"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// RestorationPeriod is how long a deleted panel can be brought back.
const RestorationPeriod = 30 * 24 * time.Hour

// Owner is the user whose things are meant.
type Owner struct {
	UserID uuid.UUID
	Bucket int16
}

// Service keeps panels, records and the rows of files.
type Service struct {
	db       *database.DB
	cache    *cache.Cache
	replicas *database.Replicas
}

// NewService returns the service on a database, and on a cache and replicas, which may be nil.
func NewService(db *database.DB, cache *cache.Cache, replicas *database.Replicas) *Service {
	return &Service{db: db, cache: cache, replicas: replicas}
}

// readList reads where the owner's own last write is to be seen: at a replica that has it, or at the primary.
func readList[T any](ctx context.Context, s *Service, owner Owner, read func(context.Context, *database.DB) (T, error)) (T, error) {
	if s.replicas == nil {
		return read(ctx, s.db)
	}
	position, known := s.cache.LastWrite(ctx, owner.UserID)
	if !known {
		return read(ctx, s.db)
	}
	return database.Read(ctx, s.replicas, s.db, position, read)
}

// Draft is a panel to be. Its texts are taken without the white space around them.
type Draft struct {
	Name        string
	Description string
	// Columns are the keys of the records' documents that are shown, in order.
	Columns []string
}

// Create makes a panel in the given transaction. ErrTooManyPanels, or an InvalidError that names the field.
func (s *Service) Create(ctx context.Context, tx *database.Tx, owner Owner, draft Draft) (dbgen.Panel, error) {
	draft, err := draft.validate()
	if err != nil {
		return dbgen.Panel{}, err
	}
	if err := reservePanel(ctx, tx, owner); err != nil {
		return dbgen.Panel{}, err
	}
	tx.Changes(database.OwnerScope(owner.UserID))
	return tx.CreatePanel(ctx, dbgen.CreatePanelParams{
		Bucket: owner.Bucket, ID: uuid.Must(uuid.NewV7()), UserID: owner.UserID,
		Name: draft.Name, Description: draft.Description, Columns: draft.Columns,
	})
}

// reservePanel checks that the owner may have one more panel, and holds off others who would add one until the
// transaction ends.
func reservePanel(ctx context.Context, tx *database.Tx, owner Owner) error {
	if _, err := tx.LockLimitsOfUser(ctx, dbgen.LockLimitsOfUserParams{Bucket: owner.Bucket, ID: owner.UserID}); err != nil {
		return err
	}
	count, err := tx.CountPanels(ctx, dbgen.CountPanelsParams{Bucket: owner.Bucket, UserID: owner.UserID})
	if err != nil {
		return err
	}
	if count >= MaxPanels {
		return ErrTooManyPanels
	}
	return nil
}

// Get reads a panel; database.ErrNotFound if there is none, or it is deleted.
func (s *Service) Get(ctx context.Context, owner Owner, id uuid.UUID) (dbgen.Panel, error) {
	item := cache.Item{
		Kind: "panel", Key: id.String() + ":" + owner.UserID.String(), Scopes: []database.Scope{database.PanelScope(id)},
	}
	return cache.Get(ctx, s.cache, item, func(ctx context.Context) (dbgen.Panel, error) {
		return s.db.GetPanel(ctx, dbgen.GetPanelParams{Bucket: owner.Bucket, ID: id, UserID: owner.UserID})
	})
}

// Change is what an update does to a panel; nil leaves a field as it is.
type Change struct {
	Name        *string
	Description *string
	Columns     []string
}

// Update changes a panel that still has the expected version; 0 is any. database.ErrStale if it has another one.
func (s *Service) Update(ctx context.Context, owner Owner, id uuid.UUID, expected int64, change Change) (dbgen.Panel, error) {
	change, err := change.validate()
	if err != nil {
		return dbgen.Panel{}, err
	}
	var updated dbgen.Panel
	err = s.db.Change(ctx, []database.Scope{database.PanelScope(id), database.OwnerScope(owner.UserID)}, func() error {
		updated, err = s.db.UpdatePanel(ctx, dbgen.UpdatePanelParams{
			Bucket: owner.Bucket, ID: id, UserID: owner.UserID, ExpectedVersion: expected,
			Name: change.Name, Description: change.Description, Columns: change.Columns,
		})
		return err
	})
	if errors.Is(err, database.ErrNotFound) {
		return dbgen.Panel{}, s.whyNoPanel(ctx, owner, id)
	}
	return updated, err
}

// Delete deletes a panel that still has the expected version; 0 is any. It can be restored for RestorationPeriod.
func (s *Service) Delete(ctx context.Context, owner Owner, id uuid.UUID, expected int64) error {
	var deleted int64
	err := s.db.Change(ctx, presence(owner, id), func() (err error) {
		deleted, err = s.db.DeletePanel(ctx, dbgen.DeletePanelParams{
			Bucket: owner.Bucket, ID: id, UserID: owner.UserID, ExpectedVersion: expected,
		})
		return err
	})
	if err == nil && deleted == 0 {
		return s.whyNoPanel(ctx, owner, id)
	}
	return err
}

// presence is what changes when a panel comes or goes, with all that is in it.
func presence(owner Owner, panel uuid.UUID) []database.Scope {
	return []database.Scope{database.PanelScope(panel), database.PanelPresenceScope(panel), database.OwnerScope(owner.UserID)}
}

// whyNoPanel tells a panel that has changed from one that is not there, after a statement that met neither.
func (s *Service) whyNoPanel(ctx context.Context, owner Owner, id uuid.UUID) error {
	if _, err := s.Get(ctx, owner, id); err != nil {
		return err
	}
	return database.ErrStale
}

// Restore undoes the deletion of a panel, with all that was in it. A panel that is not deleted stays as it is.
func (s *Service) Restore(ctx context.Context, owner Owner, id uuid.UUID) (restored dbgen.Panel, err error) {
	err = s.db.InTx(ctx, func(tx *database.Tx) error {
		tx.Changes(presence(owner, id)...)
		restored, err = tx.GetPanel(ctx, dbgen.GetPanelParams{Bucket: owner.Bucket, ID: id, UserID: owner.UserID})
		if !errors.Is(err, database.ErrNotFound) {
			return err
		}
		if err := reservePanel(ctx, tx, owner); err != nil {
			return err
		}
		restored, err = tx.RestorePanel(ctx, dbgen.RestorePanelParams{
			Bucket: owner.Bucket, ID: id, UserID: owner.UserID, DeletedAfter: time.Now().Add(-RestorationPeriod),
		})
		return err
	})
	return restored, err
}

// List is a page of the owner's panels: at most limit of those whose name contains search, after the position. The
// zero Position is the start.
func (s *Service) List(ctx context.Context, owner Owner, sort Sort, search string, after Position, limit int) ([]dbgen.Panel, error) {
	statement, err := panelPage(sort, owner, search, after, limit)
	if err != nil {
		return nil, err
	}
	return readList(ctx, s, owner, func(ctx context.Context, db *database.DB) ([]dbgen.Panel, error) {
		return collect[dbgen.Panel](ctx, db, statement)
	})
}

// collect runs a statement and reads all of its rows.
func collect[T any](ctx context.Context, db *database.DB, statement statement) ([]T, error) {
	rows, err := db.Query(ctx, statement.sql, statement.args...)
	if err != nil {
		return nil, err
	}
	items, err := rowsOf[T](rows)
	if err != nil {
		return nil, fmt.Errorf("read a page: %w", err)
	}
	return items, nil
}
