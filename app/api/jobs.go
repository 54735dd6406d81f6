package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
	"github.com/radpanel/radpanel/app/job"
)

const tagJobs = "Jobs"

func (a *API) registerJobs() {
	register(a, a.signedIn(huma.Operation{
		OperationID: "list-jobs", Method: http.MethodGet, Path: "/jobs", Tags: []string{tagJobs},
		Summary: "List one's own jobs", Description: "Newest first. Finished jobs and their results are kept for 7 days.",
	}), a.listJobs)
	register(a, a.signedIn(huma.Operation{
		OperationID: "get-job", Method: http.MethodGet, Path: "/jobs/{job_id}", Tags: []string{tagJobs},
		Summary: "Read a job",
	}), a.getJob)
	register(a, forTransfer(a.signedIn(huma.Operation{
		OperationID: "get-job-result", Method: http.MethodGet, Path: "/jobs/{job_id}/result", Tags: []string{tagJobs},
		Summary: "Download what a job made", Description: "404 until it has succeeded. Ranges can be asked for.",
		Responses: bytesResponses("The result: text/csv or application/zip."),
	})), a.getJobResult)
	register(a, a.forAdmins(huma.Operation{
		OperationID: "list-all-jobs", Method: http.MethodGet, Path: "/admin/jobs", Tags: []string{tagAdmin},
		Summary: "List the jobs of all users", Description: "Newest first.",
	}), a.listAllJobs)
	register(a, a.forAdmins(huma.Operation{
		OperationID: "retry-job", Method: http.MethodPost, Path: "/admin/jobs/{job_id}/retry", Tags: []string{tagAdmin},
		Summary: "Run a failed job again",
	}), a.retryJob)
}

// Job is background work as the API shows it.
type Job struct {
	ID            uuid.UUID  `json:"id" format:"uuid"`
	UserID        uuid.UUID  `json:"user_id" format:"uuid"`
	Kind          string     `json:"kind" example:"panel-export"`
	State         string     `json:"state" enum:"queued,running,succeeded,failed"`
	Attempt       int32      `json:"attempt"`
	MaxAttempts   int32      `json:"max_attempts"`
	ProgressDone  int64      `json:"progress_done"`
	ProgressTotal int64      `json:"progress_total" doc:"0 as long as it is not known."`
	Error         string     `json:"error,omitempty" doc:"Why it failed, or is tried again; several lines for an import."`
	CreatedAt     time.Time  `json:"created_at"`
	FinishedAt    *time.Time `json:"finished_at,omitempty"`
	Result        *JobResult `json:"result,omitempty"`
}

// JobResult is what a job that has succeeded has made. Its bytes, if it has any, are at /jobs/{job_id}/result.
type JobResult struct {
	FileName    string `json:"file_name,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	SizeBytes   int64  `json:"size_bytes,omitempty"`
	Records     int64  `json:"records" doc:"How many records were written or read."`
}

func jobOf(row dbgen.Job) Job {
	shown := Job{
		ID: row.ID, UserID: row.UserID, Kind: row.Kind, State: row.State, Attempt: row.Attempt, MaxAttempts: row.MaxAttempts,
		ProgressDone: row.ProgressDone, ProgressTotal: row.ProgressTotal, CreatedAt: row.CreatedAt, FinishedAt: row.FinishedAt,
	}
	if row.Error != nil {
		shown.Error = *row.Error
	}
	if result, ok := job.ResultOf(row); ok {
		shown.Result = &JobResult{
			FileName: result.FileName, ContentType: result.ContentType, SizeBytes: result.SizeBytes, Records: result.Records,
		}
	}
	return shown
}

type listJobsInput struct{ Paging }

func (a *API) listJobs(ctx context.Context, in *listJobsInput) (*listOutput[Job], error) {
	who := identity(ctx)
	before, err := a.before("jobs", in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := a.DB.ListJobs(ctx, dbgen.ListJobsParams{
		Bucket: who.User.Bucket, UserID: who.User.ID, Before: before, RowLimit: int32(in.Limit + 1), //nolint:gosec // At most 201.
	})
	if err != nil {
		return nil, err
	}
	return pageOf(a, "jobs", in.Limit, rows, jobOf, jobPosition)
}

func jobPosition(row dbgen.Job) newestFirst { return newestFirst{row.ID} }

type jobInput struct {
	JobID uuid.UUID `path:"job_id" format:"uuid"`
}

type jobOutput struct{ Body Job }

func (a *API) findJob(ctx context.Context, id uuid.UUID) (dbgen.Job, error) {
	who := identity(ctx)
	return a.DB.GetJob(ctx, dbgen.GetJobParams{Bucket: who.User.Bucket, ID: id, UserID: who.User.ID})
}

func (a *API) getJob(ctx context.Context, in *jobInput) (*jobOutput, error) {
	found, err := a.findJob(ctx, in.JobID)
	if err != nil {
		return nil, err
	}
	return &jobOutput{Body: jobOf(found)}, nil
}

func (a *API) getJobResult(ctx context.Context, in *jobInput) (*huma.StreamResponse, error) {
	found, err := a.findJob(ctx, in.JobID)
	if err != nil {
		return nil, err
	}
	result, ok := job.ResultOf(found)
	if !ok || found.State != job.StateSucceeded || result.StoreKey == "" {
		return nil, database.ErrNotFound
	}
	return a.download(ctx, content{
		storeKey: result.StoreKey, name: result.FileName, contentType: result.ContentType, tag: found.ID.String(),
	})
}

type listAllJobsInput struct {
	Paging

	State string `query:"state" enum:"queued,running,succeeded,failed" doc:"Only jobs in this state."`
}

func (a *API) listAllJobs(ctx context.Context, in *listAllJobsInput) (*listOutput[Job], error) {
	list := "all jobs " + in.State
	before, err := a.before(list, in.Cursor)
	if err != nil {
		return nil, err
	}
	states := []string{in.State}
	if in.State == "" {
		states = job.States()
	}
	rows, err := a.DB.ListAllJobs(ctx, dbgen.ListAllJobsParams{
		States: states, Before: before, RowLimit: int32(in.Limit + 1), //nolint:gosec // At most 201.
	})
	if err != nil {
		return nil, err
	}
	return pageOf(a, list, in.Limit, rows, jobOf, jobPosition)
}

func (a *API) retryJob(ctx context.Context, in *jobInput) (*jobOutput, error) {
	retried, err := job.Retry(ctx, a.DB, in.JobID)
	if err != nil {
		return nil, err
	}
	a.WakeJobs()
	a.Log.InfoContext(ctx, "job retried", "job_id", retried.ID, "kind", retried.Kind)
	return &jobOutput{Body: jobOf(retried)}, nil
}
