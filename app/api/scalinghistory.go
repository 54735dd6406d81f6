package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/radpanel/radpanel/app/scaling"
)

func (a *API) registerScalingHistory() {
	register(a, a.forAdmins(huma.Operation{
		OperationID: "get-scaling-history", Method: http.MethodGet, Path: "/admin/scaling/history", Tags: []string{tagAdmin},
		Summary: "Read how the figures of triggers and SLO went",
		Description: "The stack's Prometheus has the history. Where there is none, or it does not answer, the curves are empty and state says " +
			"so: the live figures do not depend on it.",
	}), a.getScalingHistory)
}

// ScalingHistory is how the figures of the triggers and of the SLO went.
type ScalingHistory struct {
	State       string         `json:"state" enum:"available,unavailable,unreachable" doc:"unavailable: no Prometheus was named to this instance; unreachable: it does not answer."`
	Since       time.Time      `json:"since" doc:"The time of the first value of each curve."`
	Until       time.Time      `json:"until" doc:"The time of the last one."`
	StepSeconds float64        `json:"step_seconds" doc:"The time between two values."`
	Triggers    []ScalingCurve `json:"triggers" nullable:"false" doc:"In the order of the triggers."`
	SLO         []ScalingCurve `json:"slo" nullable:"false" doc:"p95, page load, uptime."`
}

// ScalingCurve is how one figure went.
type ScalingCurve struct {
	ID     string     `json:"id" doc:"The trigger's, or slo-p95, slo-page-load, slo-uptime."`
	Unit   string     `json:"unit" enum:"seconds,percent,count,per_second,bytes"`
	Limit  float64    `json:"limit" doc:"The trigger's threshold or the SLO's target."`
	Values []*float64 `json:"values" nullable:"false" doc:"One for each step: the highest within it, of uptime the lowest. Null is what was not measured."`
}

type scalingHistoryInput struct {
	Span string `query:"span" enum:"hour,day,week,month" default:"day" doc:"How far back the history goes."`
}

type scalingHistoryOutput struct{ Body ScalingHistory }

func (a *API) getScalingHistory(ctx context.Context, in *scalingHistoryInput) (*scalingHistoryOutput, error) {
	graph, err := a.History.Graph(ctx, scaling.Spans()[in.Span])
	state := "available"
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, scaling.ErrNoHistory):
		state = "unavailable"
	case err != nil:
		a.Log.WarnContext(ctx, "no history", "error", err)
		state = "unreachable"
	}
	body := ScalingHistory{
		State: state, Since: graph.Until.Add(-graph.Span.Length), Until: graph.Until, StepSeconds: graph.Span.Step.Seconds(),
		Triggers: []ScalingCurve{}, SLO: []ScalingCurve{},
	}
	if state == "available" {
		body.Triggers, body.SLO = curvesOf(graph.Triggers), curvesOf(graph.SLO)
	}
	return &scalingHistoryOutput{body}, nil
}

func curvesOf(curves []scaling.Curve) []ScalingCurve {
	shown := make([]ScalingCurve, len(curves))
	for i, c := range curves {
		shown[i] = ScalingCurve{ID: c.ID, Unit: string(c.Unit), Limit: c.Limit, Values: c.Values}
	}
	return shown
}
