package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/file"
)

const (
	// uploadValidity is for how long an address takes an upload: as long as one through the service may take.
	uploadValidity = transferTime
	// completionValidity is for how long an upload can be completed after it was begun. Housekeeping leaves its bytes alone for
	// longer (see orphanAge in app/job).
	completionValidity = time.Hour
	// downloadValidity is for how long an address gives a download. The browser follows it at once.
	downloadValidity = 5 * time.Minute
)

func (a *API) registerUploads() {
	register(a, a.signedIn(huma.Operation{
		OperationID: "begin-upload", Method: http.MethodPost, Path: "/panels/{panel_id}/uploads", Tags: []string{tagFiles},
		Summary: "Ask where to send a file",
		Description: "Send the file's bytes to the address that is answered, by the method and with the headers that are answered. If " +
			"there is a completion, the file store takes the bytes itself: complete the upload then.",
		DefaultStatus: http.StatusOK,
	}), a.beginUpload)
	register(a, forTransfer(a.signedIn(huma.Operation{
		OperationID: "complete-upload", Method: http.MethodPost, Path: "/panels/{panel_id}/uploads/completions", Tags: []string{tagFiles},
		Summary:       "Attach a file that was sent to the file store",
		Description:   "Within an hour of its beginning. Can be repeated: it answers with the same file, unless that was deleted.",
		DefaultStatus: http.StatusCreated,
	})), a.completeUpload)
}

type beginUploadInput struct {
	PanelPath

	Body struct {
		Name      string `json:"name" minLength:"1" maxLength:"1000" doc:"The file's name; of a path only the last part is kept."`
		SizeBytes int64  `json:"size_bytes" minimum:"0"`
	}
}

// UploadTarget says where the bytes of a file go.
type UploadTarget struct {
	Method     string            `json:"method" enum:"PUT,POST"`
	URL        string            `json:"url"`
	Headers    map[string]string `json:"headers"`
	Completion string            `json:"completion,omitempty" doc:"The token that completes the upload; absent if the answer to the bytes is the file itself."`
}

type uploadTargetOutput struct{ Body UploadTarget }

// pendingUpload is what a completion token holds. Nothing of it is kept here: an upload that is never completed is bytes
// without a row, which housekeeping removes.
type pendingUpload struct {
	// ID is a UUIDv7: it also tells when the upload was begun.
	ID   uuid.UUID `json:"i"`
	User uuid.UUID `json:"u"`
	Name string    `json:"n"`
	Size int64     `json:"s"`
}

func (p pendingUpload) begunAt() time.Time { return time.Unix(p.ID.Time().UnixTime()) }

func uploadList(panelID uuid.UUID) string { return "upload " + panelID.String() }

func (a *API) beginUpload(ctx context.Context, in *beginUploadInput) (*uploadTargetOutput, error) {
	if in.Body.SizeBytes > a.Config.FileSizeLimit {
		return nil, &http.MaxBytesError{Limit: a.Config.FileSizeLimit}
	}
	if _, err := a.Panels.Get(ctx, owner(ctx), in.PanelID); err != nil {
		return nil, err
	}
	through := &uploadTargetOutput{UploadTarget{
		Method: http.MethodPost, URL: panelPath(in.PanelID) + "/files?" + url.Values{"name": {in.Body.Name}}.Encode(),
		Headers: map[string]string{"Content-Type": "application/octet-stream"},
	}}
	signer, can := a.Files.(file.Signer)
	if !can || in.Body.SizeBytes == 0 { // An empty body has no length to sign.
		return through, nil
	}
	pending := pendingUpload{uuid.Must(uuid.NewV7()), identity(ctx).User.ID, in.Body.Name, in.Body.SizeBytes}
	address, headers, err := signer.SignUpload(ctx, a.fileKey(ctx, pending.ID), pending.Size, uploadValidity)
	if err != nil {
		return nil, err
	}
	if address == "" {
		return through, nil
	}
	token, err := a.cursors.encode(uploadList(in.PanelID), pending)
	if err != nil {
		return nil, err
	}
	target := UploadTarget{Method: http.MethodPut, URL: address, Headers: map[string]string{}, Completion: token}
	for name := range headers {
		target.Headers[name] = headers.Get(name)
	}
	return &uploadTargetOutput{target}, nil
}

func (a *API) fileKey(ctx context.Context, id uuid.UUID) file.Key {
	return file.NewKey(uint8(identity(ctx).User.Bucket), id) //nolint:gosec // 0-255.
}

type completeUploadInput struct {
	PanelPath

	Body struct {
		Completion string `json:"completion" maxLength:"8000"`
	}
}

func (a *API) completeUpload(ctx context.Context, in *completeUploadInput) (*created[File], error) {
	if _, err := a.Panels.Get(ctx, owner(ctx), in.PanelID); err != nil {
		return nil, err
	}
	var pending pendingUpload
	if err := a.cursors.decode(uploadList(in.PanelID), in.Body.Completion, &pending); err != nil {
		return nil, invalid("body.completion", "expected the completion of an upload to this panel")
	}
	if pending.User != identity(ctx).User.ID {
		return nil, database.ErrNotFound
	}
	if made, err := a.completed(ctx, in.PanelID, pending.ID); !errors.Is(err, database.ErrNotFound) {
		return made, err
	}
	if a.Now().After(pending.begunAt().Add(completionValidity)) {
		return nil, problem(http.StatusConflict, "This upload was begun too long ago. Begin it anew.")
	}
	key := a.fileKey(ctx, pending.ID)
	// Before its bytes are read, which may go in between.
	if err := a.Panels.CheckUpload(ctx, owner(ctx), key); err != nil {
		return nil, err
	}
	upload, err := file.Examine(ctx, a.Files, key)
	if errors.Is(err, file.ErrNotFound) {
		return nil, problem(http.StatusConflict, "The file has not been sent yet, or was deleted. Send it to the address that was given, then complete the upload.")
	}
	if err != nil {
		return nil, err
	}
	if upload.Size != pending.Size {
		return nil, problem(http.StatusConflict, "The file that was sent is not as long as was announced. Begin the upload anew.")
	}
	// Whatever becomes of this the bytes stay: other completions have the same ones, and this one can be sent again. If no row
	// comes to own them they go with the housekeeping.
	made, err := create(ctx, a, creation{Operation: "complete-upload"}, func(tx *database.Tx) (*created[File], error) {
		made, err := a.Panels.AttachFile(ctx, tx, owner(ctx), in.PanelID, pending.ID, pending.Name, upload)
		if err != nil {
			return nil, err
		}
		return &created[File]{Location: panelPath(in.PanelID) + "/files/" + made.ID.String(), Body: fileOf(made)}, nil
	})
	if errors.Is(err, database.ErrConflict) { // Another completion was faster.
		return a.completed(ctx, in.PanelID, pending.ID)
	}
	return made, err
}

// completed answers the repetition of a completion.
func (a *API) completed(ctx context.Context, panelID, id uuid.UUID) (*created[File], error) {
	found, err := a.Panels.GetFile(ctx, owner(ctx), panelID, id)
	if err != nil {
		return nil, err
	}
	return &created[File]{
		Status: http.StatusCreated, Location: panelPath(panelID) + "/files/" + found.ID.String(), Body: fileOf(found),
	}, nil
}

// redirect sends a browser to the file store for an object, if the store can be asked directly.
func (a *API) redirect(ctx context.Context, key file.Key, c content) (*huma.StreamResponse, error) {
	signer, can := a.Files.(file.Signer)
	if !can {
		return nil, nil //nolint:nilnil // It goes through the service.
	}
	address, err := signer.SignDownload(ctx, key, downloadValidity, http.Header{
		"Content-Type": {c.contentType}, "Content-Disposition": {c.disposition()}, "Cache-Control": {"private, no-store"},
	})
	if err != nil || address == "" {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Cache-Control", "no-store")
		ctx.SetHeader("Location", address)
		ctx.SetStatus(http.StatusFound)
	}}, nil
}
