package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/file"
)

const (
	// transferTime is how long an upload or a download may take: 25 MiB at 350 kbit/s.
	transferTime = 10 * time.Minute
	// removalTimeout bounds the removal of an upload that is not kept.
	removalTimeout = 5 * time.Second
)

// receive stores the body of a request to a panel that is the user's own, under a new id, within the limit of uploads.
func (a *API) receive(ctx context.Context, panelID uuid.UUID, in Raw) (id uuid.UUID, upload file.Upload, err error) {
	if _, err := a.Panels.Get(ctx, owner(ctx), panelID); err != nil {
		return uuid.Nil, file.Upload{}, err
	}
	limit := a.Config.FileSizeLimit
	if in.request.ContentLength > limit { // Said at once, not after the bytes.
		return uuid.Nil, file.Upload{}, &http.MaxBytesError{Limit: limit}
	}
	body := http.MaxBytesReader(in.writer, in.request.Body, limit)
	id = uuid.Must(uuid.NewV7())
	key := file.NewKey(uint8(identity(ctx).User.Bucket), id) //nolint:gosec // 0-255.
	upload, err = file.Receive(ctx, a.Files, key, body, limit)
	return id, upload, err
}

// keepUpload commits the row that owns an upload, whose key no other request has. If no row came to own it the bytes are removed. Where that is not
// known they stay: the housekeeping finds out, and a row without its bytes would be worse.
func keepUpload[T any](ctx context.Context, a *API, upload file.Upload, commit func() (*created[T], error)) (*created[T], error) {
	out, err := commit()
	kept := err == nil && out.Replayed == ""
	if kept || errors.Is(err, database.ErrUncertain) {
		return out, err
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalTimeout)
	defer cancel()
	if removeErr := a.Files.Delete(bounded, upload.Key); removeErr != nil {
		a.Log.WarnContext(ctx, "upload that was not kept is still in the file store", "store_key", upload.Key.String(), "error", removeErr)
	}
	return out, err
}

// bytesBody describes a request body that is streamed as it is.
func bytesBody(contentType string) *huma.RequestBody {
	return &huma.RequestBody{
		Required: true,
		Content:  map[string]*huma.MediaType{contentType: {Schema: binarySchema()}},
	}
}

// bytesResponses describe an answer that is streamed as it is, or a part of it.
func bytesResponses(description string) map[string]*huma.Response {
	answer := func(description string) *huma.Response {
		return &huma.Response{
			Description: description,
			Content:     map[string]*huma.MediaType{"application/octet-stream": {Schema: binarySchema()}},
		}
	}
	return map[string]*huma.Response{
		"200": answer(description),
		"206": answer("The range that was asked for."),
		"302": {Description: "The file store gives it, at this address and for a few minutes.", Headers: map[string]*huma.Param{
			"Location": {Schema: &huma.Schema{Type: huma.TypeString}},
		}},
	}
}

func binarySchema() *huma.Schema { return &huma.Schema{Type: huma.TypeString, Format: "binary"} }
