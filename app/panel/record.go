package panel

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/cache"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// RecordDraft is a record to be.
type RecordDraft struct {
	Title string
	// Data is the document as JSON; empty is an empty document.
	Data []byte
}

// CreateRecord adds a record to a panel in the given transaction. ErrTooManyRecords, database.ErrNotFound if the panel
// is not there, or an InvalidError that names the field.
func (s *Service) CreateRecord(ctx context.Context, tx *database.Tx, owner Owner, panelID uuid.UUID, draft RecordDraft) (dbgen.Record, error) {
	title, titleErr := line("title", draft.Title, maxTitleLength)
	data, dataErr := ParseDocument(draft.Data)
	if err := errors.Join(titleErr, dataErr); err != nil {
		return dbgen.Record{}, err
	}
	tx.Changes(database.PanelScope(panelID), database.OwnerScope(owner.UserID))
	record, err := tx.CreateRecord(ctx, dbgen.CreateRecordParams{
		Bucket: owner.Bucket, ID: uuid.Must(uuid.NewV7()), PanelID: panelID, UserID: owner.UserID,
		Title: title, Data: data, MaxRecords: MaxRecords,
	})
	if !errors.Is(err, database.ErrNotFound) {
		return record, err
	}
	if _, err := tx.GetPanel(ctx, dbgen.GetPanelParams{Bucket: owner.Bucket, ID: panelID, UserID: owner.UserID}); err != nil {
		return dbgen.Record{}, err
	}
	return dbgen.Record{}, ErrTooManyRecords
}

// GetRecord reads a record; database.ErrNotFound if there is none, or its panel is deleted.
func (s *Service) GetRecord(ctx context.Context, owner Owner, panelID, id uuid.UUID) (dbgen.Record, error) {
	item := cache.Item{
		Kind: "record", Key: id.String() + ":" + panelID.String() + ":" + owner.UserID.String(),
		Scopes: []database.Scope{database.RecordScope(id), database.PanelPresenceScope(panelID)},
	}
	return cache.Get(ctx, s.cache, item, func(ctx context.Context) (dbgen.Record, error) {
		return s.db.GetRecord(ctx, dbgen.GetRecordParams{Bucket: owner.Bucket, ID: id, PanelID: panelID, UserID: owner.UserID})
	})
}

// RecordChange is what an update does to a record; nil leaves a field as it is. Data replaces the whole document.
type RecordChange struct {
	Title *string
	Data  []byte
}

// UpdateRecord changes a record that still has the expected version; 0 is any. database.ErrStale if it has another.
func (s *Service) UpdateRecord(ctx context.Context, owner Owner, panelID, id uuid.UUID, expected int64, change RecordChange) (dbgen.Record, error) {
	params := dbgen.UpdateRecordParams{Bucket: owner.Bucket, ID: id, PanelID: panelID, UserID: owner.UserID, ExpectedVersion: expected}
	if err := change.apply(&params.Title, &params.Data); err != nil {
		return dbgen.Record{}, err
	}
	var updated dbgen.Record
	err := s.db.Change(ctx, []database.Scope{database.RecordScope(id), database.OwnerScope(owner.UserID)}, func() (err error) {
		updated, err = s.db.UpdateRecord(ctx, params)
		return err
	})
	if errors.Is(err, database.ErrNotFound) {
		return dbgen.Record{}, s.whyNoRecord(ctx, owner, panelID, id)
	}
	return updated, err
}

func (c RecordChange) apply(title **string, data *json.RawMessage) error {
	var titleErr, dataErr error
	if c.Title != nil {
		var value string
		value, titleErr = line("title", *c.Title, maxTitleLength)
		*title = &value
	}
	if c.Data != nil {
		*data, dataErr = ParseDocument(c.Data)
	}
	return errors.Join(titleErr, dataErr)
}

// DeleteRecord deletes a record that still has the expected version; 0 is any.
func (s *Service) DeleteRecord(ctx context.Context, owner Owner, panelID, id uuid.UUID, expected int64) error {
	deleted, err := s.deleteCounted(ctx, owner, panelID, []uuid.UUID{id}, func(tx *database.Tx) (int64, error) {
		return tx.DeleteRecord(ctx, dbgen.DeleteRecordParams{
			Bucket: owner.Bucket, ID: id, PanelID: panelID, UserID: owner.UserID, ExpectedVersion: expected,
		})
	})
	if err == nil && deleted == 0 {
		return s.whyNoRecord(ctx, owner, panelID, id)
	}
	return err
}

// DeleteRecords deletes those of the given records that are there, and returns how many were.
func (s *Service) DeleteRecords(ctx context.Context, owner Owner, panelID uuid.UUID, ids []uuid.UUID) (int64, error) {
	return s.deleteCounted(ctx, owner, panelID, ids, func(tx *database.Tx) (int64, error) {
		return tx.DeleteRecords(ctx, dbgen.DeleteRecordsParams{Bucket: owner.Bucket, PanelID: panelID, UserID: owner.UserID, Ids: ids})
	})
}

// deleteCounted runs a deletion under the panel's lock and corrects the panel's count by what it deleted.
func (s *Service) deleteCounted(ctx context.Context, owner Owner, panelID uuid.UUID, ids []uuid.UUID,
	remove func(tx *database.Tx) (int64, error),
) (deleted int64, err error) {
	err = s.db.InTx(ctx, func(tx *database.Tx) error {
		tx.Changes(database.PanelScope(panelID), database.OwnerScope(owner.UserID))
		for _, id := range ids {
			tx.Changes(database.RecordScope(id))
		}
		if _, err := tx.LockPanel(ctx, dbgen.LockPanelParams{Bucket: owner.Bucket, ID: panelID, UserID: owner.UserID}); err != nil {
			return err
		}
		if deleted, err = remove(tx); err != nil || deleted == 0 {
			return err
		}
		_, err = tx.ChangeRecordCount(ctx, dbgen.ChangeRecordCountParams{
			Bucket: owner.Bucket, ID: panelID, UserID: owner.UserID, Change: -deleted,
		})
		return err
	})
	return deleted, err
}

func (s *Service) whyNoRecord(ctx context.Context, owner Owner, panelID, id uuid.UUID) error {
	if _, err := s.GetRecord(ctx, owner, panelID, id); err != nil {
		return err
	}
	return database.ErrStale
}

// ListRecords is a page of a panel's records: at most limit of those whose title matches search, after the position.
// The zero Position is the start. The caller has checked that the panel is there.
func (s *Service) ListRecords(ctx context.Context, owner Owner, panelID uuid.UUID, sort Sort, search string, after Position, limit int) ([]dbgen.Record, error) {
	statement, err := recordPage(sort, owner, panelID, search, after, limit)
	if err != nil {
		return nil, err
	}
	return readList(ctx, s, owner, func(ctx context.Context, db *database.DB) ([]dbgen.Record, error) {
		return collect[dbgen.Record](ctx, db, statement)
	})
}
