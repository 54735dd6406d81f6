package panel

import (
	"context"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
)

const (
	maxFileNameLength = 255
	// unnamed is the name of a file whose given name has nothing in it that could be one.
	unnamed = "file"
)

// AttachFile adds an uploaded file to a panel in the given transaction; id is that of the upload's key. ErrFileDeleted if its
// bytes are about to go.
func (s *Service) AttachFile(ctx context.Context, tx *database.Tx, owner Owner, panelID, id uuid.UUID, name string, upload file.Upload) (dbgen.File, error) {
	if _, err := tx.LockPanel(ctx, dbgen.LockPanelParams{Bucket: owner.Bucket, ID: panelID, UserID: owner.UserID}); err != nil {
		return dbgen.File{}, err
	}
	count, err := tx.CountFiles(ctx, dbgen.CountFilesParams{Bucket: owner.Bucket, PanelID: panelID})
	if err != nil {
		return dbgen.File{}, err
	}
	if count >= MaxFiles {
		return dbgen.File{}, ErrTooManyFiles
	}
	tx.Changes(database.OwnerScope(owner.UserID))
	made, err := tx.CreateFile(ctx, dbgen.CreateFileParams{
		Bucket: owner.Bucket, ID: id, PanelID: panelID, UserID: owner.UserID, Name: CleanFileName(name),
		ContentType: upload.ContentType, SizeBytes: upload.Size, SHA256: upload.SHA256[:], StoreKey: upload.Key.String(),
	})
	if err != nil {
		return dbgen.File{}, err
	}
	// Last: the row has waited for a deletion of an earlier one with its id.
	return made, refuseDeleted(ctx, tx.Queries, owner, upload.Key)
}

// CheckUpload tells whether an upload may still be attached; ErrFileDeleted if it was, and the file was deleted.
func (s *Service) CheckUpload(ctx context.Context, owner Owner, key file.Key) error {
	return refuseDeleted(ctx, s.db.Queries, owner, key)
}

func refuseDeleted(ctx context.Context, queries *dbgen.Queries, owner Owner, key file.Key) error {
	removed, err := queries.IsFileRemoved(ctx, dbgen.IsFileRemovedParams{Bucket: owner.Bucket, StoreKey: key.String()})
	if err == nil && removed {
		return ErrFileDeleted
	}
	return err
}

// GetFile reads the row of a file; database.ErrNotFound if there is none, or its panel is deleted.
func (s *Service) GetFile(ctx context.Context, owner Owner, panelID, id uuid.UUID) (dbgen.File, error) {
	return s.db.GetFile(ctx, dbgen.GetFileParams{Bucket: owner.Bucket, ID: id, PanelID: panelID, UserID: owner.UserID})
}

// ListFiles is a page of a panel's files, newest first, from before the given id. The caller has checked that the
// panel is there.
func (s *Service) ListFiles(ctx context.Context, owner Owner, panelID, before uuid.UUID, limit int) ([]dbgen.File, error) {
	return readList(ctx, s, owner, func(ctx context.Context, db *database.DB) ([]dbgen.File, error) {
		return db.ListFiles(ctx, dbgen.ListFilesParams{
			Bucket: owner.Bucket, PanelID: panelID, UserID: owner.UserID, Before: before, RowLimit: int32(limit), //nolint:gosec // At most 201.
		})
	})
}

// DeleteFile deletes a file. Its bytes go after the row is gone for good (see file_removals in the schema).
func (s *Service) DeleteFile(ctx context.Context, owner Owner, panelID, id uuid.UUID) error {
	var deleted int64
	err := s.db.Change(ctx, []database.Scope{database.OwnerScope(owner.UserID)}, func() (err error) {
		deleted, err = s.db.DeleteFile(ctx, dbgen.DeleteFileParams{Bucket: owner.Bucket, ID: id, PanelID: panelID, UserID: owner.UserID})
		return err
	})
	if err == nil && deleted == 0 {
		return database.ErrNotFound
	}
	return err
}

// CleanFileName makes of a name that a client gave one that can be shown and saved anywhere: the last part of a path of
// any system, without control characters and without the marks that turn the direction of writing ("gpj.exe" must not
// look like "exe.jpg").
func CleanFileName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '\\':
			return '/'
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == utf8.RuneError, r == '\u2028', r == '\u2029':
			return -1
		default:
			return r
		}
	}, name)
	name = strings.TrimSpace(path.Base(name))
	if runes := []rune(name); len(runes) > maxFileNameLength {
		name = shorten(runes)
	}
	if strings.Trim(name, "./ ") == "" {
		return unnamed
	}
	return name
}

// shorten keeps the extension, by which people and systems know what a file is.
func shorten(runes []rune) string {
	const longestExtension = 20
	extension := []rune(path.Ext(string(runes)))
	if len(extension) > longestExtension {
		extension = nil
	}
	return string(runes[:maxFileNameLength-len(extension)]) + string(extension)
}
