package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/panel"
)

const tagRecords = "Records"

func (a *API) registerRecords() {
	register(a, a.signedIn(huma.Operation{
		OperationID: "list-records", Method: http.MethodGet, Path: "/panels/{panel_id}/records", Tags: []string{tagRecords},
		Summary: "List the records of a panel",
	}), a.listRecords)
	register(a, a.signedIn(huma.Operation{
		OperationID: "create-record", Method: http.MethodPost, Path: "/panels/{panel_id}/records", Tags: []string{tagRecords},
		Summary: "Create a record", DefaultStatus: http.StatusCreated,
	}), a.createRecord)
	register(a, a.signedIn(huma.Operation{
		OperationID: "get-record", Method: http.MethodGet, Path: "/panels/{panel_id}/records/{record_id}", Tags: []string{tagRecords},
		Summary: "Read a record",
	}), a.getRecord)
	register(a, a.signedIn(huma.Operation{
		OperationID: "update-record", Method: http.MethodPatch, Path: "/panels/{panel_id}/records/{record_id}", Tags: []string{tagRecords},
		Summary: "Change a record", Description: "Fields that are left out stay as they are; data replaces the whole document.",
	}), a.updateRecord)
	register(a, a.signedIn(huma.Operation{
		OperationID: "delete-record", Method: http.MethodDelete, Path: "/panels/{panel_id}/records/{record_id}", Tags: []string{tagRecords},
		Summary: "Delete a record", DefaultStatus: http.StatusNoContent,
	}), a.deleteRecord)
	register(a, a.signedIn(huma.Operation{
		OperationID: "delete-records", Method: http.MethodPost, Path: "/panels/{panel_id}/records/deletions", Tags: []string{tagRecords},
		Summary: "Delete many records", Description: "Records that are not there are left out.", DefaultStatus: http.StatusOK,
	}), a.deleteRecords)
}

// Record is a record as the API shows one.
type Record struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	Title     string    `json:"title"`
	Data      Document  `json:"data"`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func recordOf(r dbgen.Record) Record {
	return Record{
		ID: r.ID, Title: r.Title, Data: Document(r.Data), Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

// Document is the data of a record: a JSON object, passed through as text so that no number loses digits.
type Document []byte

// Schema describes any JSON object.
func (Document) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// MarshalJSON gives the text.
func (d Document) MarshalJSON() ([]byte, error) { return d, nil }

// UnmarshalJSON keeps the text. null is as if nothing was given.
func (d *Document) UnmarshalJSON(text []byte) error {
	*d = nil
	if string(text) != "null" {
		*d = append(*d, text...)
	}
	return nil
}

type listRecordsInput struct {
	PanelPath
	Paging

	Q    string `query:"q" maxLength:"200" doc:"A text that the title contains, in upper or lower case; one of fewer than three characters has to begin a word."`
	Sort string `query:"sort" enum:"created,-created,title,-title,updated,-updated" default:"created"`
}

// RecordList is a page of a panel's records. Its fields are written out because the document would leave out those
// of an embedded type that is not exported.
type RecordList struct {
	Items      []Record `json:"items" nullable:"false"`
	NextCursor string   `json:"next_cursor,omitempty" doc:"Where the next items are; absent at the end."`
	Total      *int64   `json:"total,omitempty" doc:"How many records the panel has; absent in a search."`
}

type listRecordsOutput struct{ Body RecordList }

func (a *API) listRecords(ctx context.Context, in *listRecordsInput) (*listRecordsOutput, error) {
	list := "records " + in.PanelID.String() + " " + in.Sort + " " + in.Q
	after, err := a.after(list, in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := a.Panels.Get(ctx, owner(ctx), in.PanelID)
	if err != nil {
		return nil, err
	}
	rows, err := a.Panels.ListRecords(ctx, owner(ctx), in.PanelID, panel.Sort(in.Sort), in.Q, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(a, list, in.Limit, rows, recordOf, panel.RecordPosition)
	if err != nil {
		return nil, err
	}
	out := &listRecordsOutput{RecordList{Items: page.Body.Items, NextCursor: page.Body.NextCursor}}
	if strings.TrimSpace(in.Q) == "" {
		out.Body.Total = &found.RecordCount
	}
	return out, nil
}

type createRecordInput struct {
	PanelPath
	IdempotencyKey

	Body struct {
		Title string   `json:"title" minLength:"1" maxLength:"200"`
		Data  Document `json:"data,omitempty"`
	}
}

func (a *API) createRecord(ctx context.Context, in *createRecordInput) (*created[Record], error) {
	c := creation{Operation: "create-record", Key: in.IdempotencyKey.IdempotencyKey, Request: []any{in.PanelID, in.Body}}
	return create(ctx, a, c, func(tx *database.Tx) (*created[Record], error) {
		made, err := a.Panels.CreateRecord(ctx, tx, owner(ctx), in.PanelID, panel.RecordDraft{Title: in.Body.Title, Data: in.Body.Data})
		if err != nil {
			return nil, err
		}
		return &created[Record]{
			Location: panelPath(in.PanelID) + "/records/" + made.ID.String(), ETag: etag(made.Version), Body: recordOf(made),
		}, nil
	})
}

type recordOutput struct {
	ETag string `header:"ETag"`
	Body Record
}

func recordAnswer(r dbgen.Record, err error) (*recordOutput, error) {
	if err != nil {
		return nil, err
	}
	return &recordOutput{ETag: etag(r.Version), Body: recordOf(r)}, nil
}

// RecordPath is embedded in the inputs of operations on one record.
type RecordPath struct {
	PanelPath

	RecordID uuid.UUID `path:"record_id" format:"uuid"`
}

type getRecordInput struct {
	RecordPath
	IfNoneMatch
}

func (a *API) getRecord(ctx context.Context, in *getRecordInput) (*recordOutput, error) {
	found, err := a.Panels.GetRecord(ctx, owner(ctx), in.PanelID, in.RecordID)
	if err == nil && in.matches(found.Version) {
		return nil, notModified(found.Version)
	}
	return recordAnswer(found, err)
}

type updateRecordInput struct {
	RecordPath
	IfMatch

	Body struct {
		Title *string  `json:"title,omitempty" minLength:"1" maxLength:"200"`
		Data  Document `json:"data,omitempty"`
	}
}

func (a *API) updateRecord(ctx context.Context, in *updateRecordInput) (*recordOutput, error) {
	version, err := in.required()
	if err != nil {
		return nil, err
	}
	change := panel.RecordChange{Title: in.Body.Title, Data: in.Body.Data}
	return recordAnswer(a.Panels.UpdateRecord(ctx, owner(ctx), in.PanelID, in.RecordID, version, change))
}

type deleteRecordInput struct {
	RecordPath
	IfMatch
}

func (a *API) deleteRecord(ctx context.Context, in *deleteRecordInput) (*struct{}, error) {
	version, err := in.optional()
	if err != nil {
		return nil, err
	}
	return nil, a.Panels.DeleteRecord(ctx, owner(ctx), in.PanelID, in.RecordID, version)
}

type deleteRecordsInput struct {
	PanelPath

	Body struct {
		IDs []uuid.UUID `json:"ids" format:"uuid" nullable:"false" minItems:"1" maxItems:"1000"`
	}
}

// Deleted says how many things were deleted.
type Deleted struct {
	Deleted int64 `json:"deleted"`
}

type deletedOutput struct{ Body Deleted }

func (a *API) deleteRecords(ctx context.Context, in *deleteRecordsInput) (*deletedOutput, error) {
	deleted, err := a.Panels.DeleteRecords(ctx, owner(ctx), in.PanelID, in.Body.IDs)
	return &deletedOutput{Body: Deleted{Deleted: deleted}}, err
}
