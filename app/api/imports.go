package api

import (
	"context"
	"mime"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/radpanel/radpanel/app/job"
	"github.com/radpanel/radpanel/app/panel"
)

func (a *API) registerImports() {
	register(a, forTransfer(a.signedIn(huma.Operation{
		OperationID: "import-records", Method: http.MethodPost, Path: "/panels/{panel_id}/imports", Tags: []string{tagRecords, tagJobs},
		Summary: "Import records from CSV",
		Description: "Starts a job that adds a record for each row: all of them, or none if a line is wrong. The header needs a " +
			"column title; id, created_at and updated_at are left out; every other column becomes a key of the data.",
		DefaultStatus: http.StatusAccepted,
		RequestBody:   bytesBody("text/csv"),
	})), a.importRecords)
}

type importInput struct {
	PanelPath
	IdempotencyKey
	Raw
}

// mayBeCSV tells what browsers and programs call a CSV file.
func mayBeCSV(mediaType string) bool {
	return slices.Contains([]string{"text/csv", "application/csv", "text/plain", "application/octet-stream", "application/vnd.ms-excel"}, mediaType)
}

func (a *API) importRecords(ctx context.Context, in *importInput) (*created[Job], error) {
	if mediaType, _, err := mime.ParseMediaType(in.request.Header.Get("Content-Type")); err != nil || !mayBeCSV(mediaType) {
		return nil, problem(http.StatusUnsupportedMediaType, "Send the file as the body, with Content-Type: text/csv.")
	}
	id, upload, err := a.receive(ctx, in.PanelID, in.Raw)
	if err != nil {
		return nil, err
	}
	c := creation{
		Operation: "import-records", Key: in.IdempotencyKey.IdempotencyKey, Request: []any{in.PanelID, upload.SHA256},
	}
	return keepUpload(ctx, a, upload, func() (*created[Job], error) {
		return a.enqueue(ctx, c, job.New{
			ID: id, Kind: panel.KindImport, Payload: panel.ImportPayload{PanelID: in.PanelID, StoreKey: upload.Key.String()},
		})
	})
}
