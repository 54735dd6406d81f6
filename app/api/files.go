package api

import (
	"context"
	"encoding/hex"
	"errors"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/file"
)

const tagFiles = "Files"

func (a *API) registerFiles() {
	register(a, a.signedIn(huma.Operation{
		OperationID: "list-files", Method: http.MethodGet, Path: "/panels/{panel_id}/files", Tags: []string{tagFiles},
		Summary: "List the files of a panel", Description: "Newest first.",
	}), a.listFiles)
	register(a, forTransfer(a.signedIn(huma.Operation{
		OperationID: "upload-file", Method: http.MethodPost, Path: "/panels/{panel_id}/files", Tags: []string{tagFiles},
		Summary:       "Attach a file to a panel",
		Description:   "The body is the file. Its type is found from its content, whatever Content-Type says.",
		DefaultStatus: http.StatusCreated,
		RequestBody:   bytesBody("application/octet-stream"),
	})), a.uploadFile)
	register(a, a.signedIn(huma.Operation{
		OperationID: "get-file", Method: http.MethodGet, Path: "/panels/{panel_id}/files/{file_id}", Tags: []string{tagFiles},
		Summary: "Read what is known about a file",
	}), a.getFile)
	register(a, forTransfer(a.signedIn(huma.Operation{
		OperationID: "get-file-content", Method: http.MethodGet, Path: "/panels/{panel_id}/files/{file_id}/content", Tags: []string{tagFiles},
		Summary: "Download a file", Description: "Ranges can be asked for. Only PNG, JPEG, GIF and WebP images are ever shown inline.",
		Responses: bytesResponses("The file."),
	})), a.getFileContent)
	register(a, a.signedIn(huma.Operation{
		OperationID: "delete-file", Method: http.MethodDelete, Path: "/panels/{panel_id}/files/{file_id}", Tags: []string{tagFiles},
		Summary: "Delete a file", DefaultStatus: http.StatusNoContent,
	}), a.deleteFile)
}

// File is an attached file as the API shows one.
type File struct {
	ID          uuid.UUID `json:"id" format:"uuid"`
	Name        string    `json:"name"`
	ContentType string    `json:"content_type"`
	SizeBytes   int64     `json:"size_bytes"`
	SHA256      string    `json:"sha256" doc:"In hexadecimal digits."`
	CreatedAt   time.Time `json:"created_at"`
}

func fileOf(f dbgen.File) File {
	return File{
		ID: f.ID, Name: f.Name, ContentType: f.ContentType, SizeBytes: f.SizeBytes,
		SHA256: hex.EncodeToString(f.SHA256), CreatedAt: f.CreatedAt,
	}
}

type listFilesInput struct {
	PanelPath
	Paging
}

func (a *API) listFiles(ctx context.Context, in *listFilesInput) (*listOutput[File], error) {
	list := "files " + in.PanelID.String()
	before, err := a.before(list, in.Cursor)
	if err != nil {
		return nil, err
	}
	if _, err := a.Panels.Get(ctx, owner(ctx), in.PanelID); err != nil {
		return nil, err
	}
	rows, err := a.Panels.ListFiles(ctx, owner(ctx), in.PanelID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(a, list, in.Limit, rows, fileOf, func(f dbgen.File) newestFirst { return newestFirst{f.ID} })
}

type uploadFileInput struct {
	PanelPath
	IdempotencyKey
	Raw

	Name string `query:"name" required:"true" minLength:"1" maxLength:"1000" doc:"The file's name; of a path only the last part is kept."`
}

func (a *API) uploadFile(ctx context.Context, in *uploadFileInput) (*created[File], error) {
	id, upload, err := a.receive(ctx, in.PanelID, in.Raw)
	if err != nil {
		return nil, err
	}
	c := creation{
		Operation: "upload-file", Key: in.IdempotencyKey.IdempotencyKey, Request: []any{in.PanelID, in.Name, upload.SHA256},
	}
	return keepUpload(ctx, a, upload, func() (*created[File], error) {
		return create(ctx, a, c, func(tx *database.Tx) (*created[File], error) {
			made, err := a.Panels.AttachFile(ctx, tx, owner(ctx), in.PanelID, id, in.Name, upload)
			if err != nil {
				return nil, err
			}
			return &created[File]{Location: panelPath(in.PanelID) + "/files/" + made.ID.String(), Body: fileOf(made)}, nil
		})
	})
}

// FilePath is embedded in the inputs of operations on one file.
type FilePath struct {
	PanelPath

	FileID uuid.UUID `path:"file_id" format:"uuid"`
}

type fileOutput struct{ Body File }

func (a *API) getFile(ctx context.Context, in *struct{ FilePath }) (*fileOutput, error) {
	found, err := a.Panels.GetFile(ctx, owner(ctx), in.PanelID, in.FileID)
	if err != nil {
		return nil, err
	}
	return &fileOutput{Body: fileOf(found)}, nil
}

type getFileContentInput struct {
	FilePath

	Disposition string `query:"disposition" enum:"attachment,inline" default:"attachment" doc:"inline shows an image in the browser; other files are always saved."`
}

func (a *API) getFileContent(ctx context.Context, in *getFileContentInput) (*huma.StreamResponse, error) {
	found, err := a.Panels.GetFile(ctx, owner(ctx), in.PanelID, in.FileID)
	if err != nil {
		return nil, err
	}
	return a.download(ctx, content{
		storeKey: found.StoreKey, name: found.Name, contentType: found.ContentType,
		tag: hex.EncodeToString(found.SHA256), inline: in.Disposition == "inline",
	})
}

func (a *API) deleteFile(ctx context.Context, in *struct{ FilePath }) (*struct{}, error) {
	return nil, a.Panels.DeleteFile(ctx, owner(ctx), in.PanelID, in.FileID)
}

// content is a stored object as a browser gets it.
type content struct {
	storeKey, name, contentType string
	// tag tells contents apart: it becomes the ETag.
	tag string
	// inline asks to show it rather than to save it; done only where mayBeInline says so.
	inline bool
}

// mayBeInline tells the types that may be shown within the panel's origin: images that can run nothing. Not SVG.
func mayBeInline(contentType string) bool {
	return slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, contentType)
}

func (c content) disposition() string {
	kind := "attachment"
	if c.inline && mayBeInline(c.contentType) {
		kind = "inline"
	}
	return mime.FormatMediaType(kind, map[string]string{"filename": c.name})
}

// download answers with a stored object. What users uploaded must not run as a page of this origin, so the type is
// fixed, nothing may be loaded or run, and all but plain images are saved.
func (a *API) download(ctx context.Context, c content) (*huma.StreamResponse, error) {
	key, err := file.ParseKey(c.storeKey)
	if err != nil {
		return nil, err
	}
	object, err := a.Files.Open(ctx, key)
	if errors.Is(err, file.ErrNotFound) {
		// Deleted just now; or, if this is logged more often, lost.
		a.Log.ErrorContext(ctx, "the bytes of a row are not in the file store", "store_key", c.storeKey)
		return nil, database.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if answer, err := a.redirect(ctx, key, c); answer != nil || err != nil {
		_ = object.Close() // Not even read.
		return answer, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer func() { _ = object.Close() }() // Only read.
		r, w := humago.Unwrap(ctx)
		header := w.Header()
		header.Set("Content-Type", c.contentType)
		header.Set("Content-Disposition", c.disposition())
		header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "private, no-cache") // May be kept, but is asked for: it can be deleted.
		header.Set("ETag", `"`+c.tag+`"`)
		http.ServeContent(&rangeRecorder{ResponseWriter: w, request: r}, r, "", object.Info().StoredAt, object)
	}}, nil
}
