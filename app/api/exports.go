package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/job"
	"github.com/radpanel/radpanel/app/panel"
)

func (a *API) registerExports() {
	register(a, a.signedIn(huma.Operation{
		OperationID: "export-panel", Method: http.MethodPost, Path: "/panels/{panel_id}/exports", Tags: []string{tagPanels, tagJobs},
		Summary: "Export a panel as CSV", Description: "Starts a job; its result is the CSV.", DefaultStatus: http.StatusAccepted,
	}), a.exportPanel)
	register(a, a.signedIn(huma.Operation{
		OperationID: "export-account", Method: http.MethodPost, Path: "/account/exports", Tags: []string{tagAccount, tagJobs},
		Summary:       "Export all of one's own data",
		Description:   "Starts a job; its result is a zip file with the account, and the records and files of every panel.",
		DefaultStatus: http.StatusAccepted,
	}), a.exportAccount)
}

type exportPanelInput struct {
	PanelPath
	IdempotencyKey
}

func (a *API) exportPanel(ctx context.Context, in *exportPanelInput) (*created[Job], error) {
	if _, err := a.Panels.Get(ctx, owner(ctx), in.PanelID); err != nil {
		return nil, err
	}
	c := creation{Operation: "export-panel", Key: in.IdempotencyKey.IdempotencyKey, Request: in.PanelID}
	return a.enqueue(ctx, c, job.New{
		ID: uuid.Must(uuid.NewV7()), Kind: panel.KindExport, Payload: panel.ExportPayload{PanelID: in.PanelID},
	})
}

type exportAccountInput struct{ IdempotencyKey }

func (a *API) exportAccount(ctx context.Context, in *exportAccountInput) (*created[Job], error) {
	c := creation{Operation: "export-account", Key: in.IdempotencyKey.IdempotencyKey}
	return a.enqueue(ctx, c, job.New{ID: uuid.Must(uuid.NewV7()), Kind: panel.KindAccountExport, Payload: struct{}{}})
}

// enqueue answers a request with the job that does it.
func (a *API) enqueue(ctx context.Context, c creation, wanted job.New) (*created[Job], error) {
	wanted.UserID = identity(ctx).User.ID
	out, err := create(ctx, a, c, func(tx *database.Tx) (*created[Job], error) {
		queued, err := job.Enqueue(ctx, tx, wanted)
		if err != nil {
			return nil, err
		}
		return &created[Job]{
			Status: http.StatusAccepted, Location: basePath + "/jobs/" + queued.ID.String(), Body: jobOf(queued),
		}, nil
	})
	if err == nil {
		a.WakeJobs()
	}
	return out, err
}
