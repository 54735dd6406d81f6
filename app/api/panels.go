package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/panel"
)

const tagPanels = "Panels"

func (a *API) registerPanels() {
	register(a, a.signedIn(huma.Operation{
		OperationID: "list-panels", Method: http.MethodGet, Path: "/panels", Tags: []string{tagPanels},
		Summary: "List one's own panels",
	}), a.listPanels)
	register(a, a.signedIn(huma.Operation{
		OperationID: "create-panel", Method: http.MethodPost, Path: "/panels", Tags: []string{tagPanels},
		Summary: "Create a panel", DefaultStatus: http.StatusCreated,
	}), a.createPanel)
	register(a, a.signedIn(huma.Operation{
		OperationID: "get-panel", Method: http.MethodGet, Path: "/panels/{panel_id}", Tags: []string{tagPanels},
		Summary: "Read a panel",
	}), a.getPanel)
	register(a, a.signedIn(huma.Operation{
		OperationID: "update-panel", Method: http.MethodPatch, Path: "/panels/{panel_id}", Tags: []string{tagPanels},
		Summary: "Change a panel", Description: "Fields that are left out stay as they are.",
	}), a.updatePanel)
	register(a, a.signedIn(huma.Operation{
		OperationID: "delete-panel", Method: http.MethodDelete, Path: "/panels/{panel_id}", Tags: []string{tagPanels},
		Summary: "Delete a panel", Description: "It can be restored for 30 days.", DefaultStatus: http.StatusNoContent,
	}), a.deletePanel)
	register(a, a.signedIn(huma.Operation{
		OperationID: "restore-panel", Method: http.MethodPost, Path: "/panels/{panel_id}/restoration", Tags: []string{tagPanels},
		Summary: "Undo the deletion of a panel",
	}), a.restorePanel)
}

// Panel is a panel as the API shows one.
type Panel struct {
	ID          uuid.UUID `json:"id" format:"uuid"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Columns     []string  `json:"columns" nullable:"false" doc:"The keys of the records' data that are shown, in order."`
	Version     int64     `json:"version"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func panelOf(p dbgen.Panel) Panel {
	return Panel{
		ID: p.ID, Name: p.Name, Description: p.Description, Columns: p.Columns,
		Version: p.Version, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}

// owner is who asks, as package panel knows them.
func owner(ctx context.Context) panel.Owner {
	who := identity(ctx)
	return panel.Owner{UserID: who.User.ID, Bucket: who.User.Bucket}
}

type listPanelsInput struct {
	Paging

	Q    string `query:"q" maxLength:"200" doc:"A text that the name contains, in upper or lower case."`
	Sort string `query:"sort" enum:"name,-name,created,-created,updated,-updated" default:"-updated"`
}

func (a *API) listPanels(ctx context.Context, in *listPanelsInput) (*listOutput[Panel], error) {
	list := "panels " + in.Sort + " " + in.Q
	after, err := a.after(list, in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := a.Panels.List(ctx, owner(ctx), panel.Sort(in.Sort), in.Q, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(a, list, in.Limit, rows, panelOf, panel.PanelPosition)
}

// after reads the cursor of a list that can be sorted; without one the list starts at its beginning.
func (a *API) after(list, cursor string) (position panel.Position, err error) {
	if cursor != "" {
		err = a.cursors.decode(list, cursor, &position)
	}
	return position, err
}

type createPanelInput struct {
	IdempotencyKey

	Body struct {
		Name        string   `json:"name" minLength:"1" maxLength:"200"`
		Description string   `json:"description,omitempty" maxLength:"2000"`
		Columns     []string `json:"columns,omitempty" nullable:"false" maxItems:"50"`
	}
}

func (a *API) createPanel(ctx context.Context, in *createPanelInput) (*created[Panel], error) {
	c := creation{Operation: "create-panel", Key: in.IdempotencyKey.IdempotencyKey, Request: in.Body}
	return create(ctx, a, c, func(tx *database.Tx) (*created[Panel], error) {
		made, err := a.Panels.Create(ctx, tx, owner(ctx), panel.Draft(in.Body))
		if err != nil {
			return nil, err
		}
		return &created[Panel]{Location: panelPath(made.ID), ETag: etag(made.Version), Body: panelOf(made)}, nil
	})
}

func panelPath(id uuid.UUID) string { return basePath + "/panels/" + id.String() }

type panelOutput struct {
	ETag string `header:"ETag"`
	Body Panel
}

func panelAnswer(p dbgen.Panel, err error) (*panelOutput, error) {
	if err != nil {
		return nil, err
	}
	return &panelOutput{ETag: etag(p.Version), Body: panelOf(p)}, nil
}

// PanelPath is embedded in the inputs of what belongs to a panel.
type PanelPath struct {
	PanelID uuid.UUID `path:"panel_id" format:"uuid"`
}

type getPanelInput struct {
	PanelPath
	IfNoneMatch
}

func (a *API) getPanel(ctx context.Context, in *getPanelInput) (*panelOutput, error) {
	found, err := a.Panels.Get(ctx, owner(ctx), in.PanelID)
	if err == nil && in.matches(found.Version) {
		return nil, notModified(found.Version)
	}
	return panelAnswer(found, err)
}

type updatePanelInput struct {
	PanelPath
	IfMatch

	Body struct {
		Name        *string  `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Description *string  `json:"description,omitempty" maxLength:"2000"`
		Columns     []string `json:"columns,omitempty" nullable:"false" maxItems:"50"`
	}
}

func (a *API) updatePanel(ctx context.Context, in *updatePanelInput) (*panelOutput, error) {
	version, err := in.required()
	if err != nil {
		return nil, err
	}
	return panelAnswer(a.Panels.Update(ctx, owner(ctx), in.PanelID, version, panel.Change(in.Body)))
}

type deletePanelInput struct {
	PanelPath
	IfMatch
}

func (a *API) deletePanel(ctx context.Context, in *deletePanelInput) (*struct{}, error) {
	version, err := in.optional()
	if err != nil {
		return nil, err
	}
	return nil, a.Panels.Delete(ctx, owner(ctx), in.PanelID, version)
}

type restorePanelInput struct{ PanelPath }

func (a *API) restorePanel(ctx context.Context, in *restorePanelInput) (*panelOutput, error) {
	return panelAnswer(a.Panels.Restore(ctx, owner(ctx), in.PanelID))
}
