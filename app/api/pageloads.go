package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

func (a *API) registerPageLoads() {
	register(a, a.signedIn(huma.Operation{
		OperationID: "report-page-load", Method: http.MethodPost, Path: "/page-loads", Tags: []string{tagAccount},
		Summary: "Report how long a page took to load",
		Description: "Sent by the front end, once for each load of the whole page. Only the time is kept, in a histogram of all users; " +
			"administrators see its 95th percentile beside the plan's target.",
		DefaultStatus: http.StatusNoContent,
	}), a.reportPageLoad)
}

type pageLoadInput struct {
	Body struct {
		LoadMilliseconds int64 `json:"load_ms" minimum:"1" maximum:"60000" doc:"From the start of the navigation to the end of the load event."`
		Cold             bool  `json:"cold" doc:"Nothing of the front end was in the browser's cache."`
	}
}

func (a *API) reportPageLoad(ctx context.Context, in *pageLoadInput) (*struct{}, error) {
	return nil, a.Levels.AddPageLoad(ctx, time.Duration(in.Body.LoadMilliseconds)*time.Millisecond, in.Body.Cold)
}
