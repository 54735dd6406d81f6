package monitoring

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/radpanel/radpanel/stacks"
)

// The format of Grafana's dashboards, as far as it is needed:
// https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/.
type grafanaDashboard struct {
	UID           string            `json:"uid"`
	Title         string            `json:"title"`
	Description   string            `json:"description"`
	Tags          []string          `json:"tags"`
	SchemaVersion int               `json:"schemaVersion"`
	Editable      bool              `json:"editable"`
	GraphTooltip  int               `json:"graphTooltip"` // 1: one cross-hair for all panels
	Refresh       string            `json:"refresh"`
	Time          grafanaTime       `json:"time"`
	Timezone      string            `json:"timezone"`
	Templating    grafanaTemplating `json:"templating"`
	Panels        []grafanaPanel    `json:"panels"`
}

type grafanaTime struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type grafanaTemplating struct {
	List []grafanaVariable `json:"list"`
}

type grafanaVariable struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Type  string `json:"type"`
	Query string `json:"query"`
}

type grafanaPanel struct {
	ID          int              `json:"id"`
	Type        string           `json:"type"`
	Title       string           `json:"title"`
	Description string           `json:"description,omitempty"`
	GridPos     grafanaPosition  `json:"gridPos"`
	Datasource  *grafanaSource   `json:"datasource,omitempty"`
	FieldConfig *grafanaFields   `json:"fieldConfig,omitempty"`
	Options     map[string]any   `json:"options,omitempty"`
	Targets     []grafanaTarget  `json:"targets,omitempty"`
	Collapsed   *bool            `json:"collapsed,omitempty"` // of a row
	Panels      *[]grafanaPanel  `json:"panels,omitempty"`    // of a collapsed row
	Links       []map[string]any `json:"links,omitempty"`
}

type grafanaPosition struct {
	X      int `json:"x"`
	Y      int `json:"y"`
	Width  int `json:"w"`
	Height int `json:"h"`
}

type grafanaSource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type grafanaFields struct {
	Defaults  grafanaDefaults `json:"defaults"`
	Overrides []any           `json:"overrides"`
}

type grafanaDefaults struct {
	Unit       string            `json:"unit"`
	Minimum    *float64          `json:"min,omitempty"`
	Thresholds grafanaThresholds `json:"thresholds"`
	Custom     map[string]any    `json:"custom"`
}

type grafanaThresholds struct {
	Mode  string        `json:"mode"`
	Steps []grafanaStep `json:"steps"`
}

// grafanaStep begins at Value; the first one, which has none, is below all others.
type grafanaStep struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

type grafanaTarget struct {
	RefID      string         `json:"refId"`
	Expression string         `json:"expr"`
	Legend     string         `json:"legendFormat"`
	Datasource *grafanaSource `json:"datasource"`
}

const (
	// gridWidth is how many columns a dashboard of Grafana has; panels are a third of that.
	gridWidth, panelWidth, panelHeight = 24, 8, 8
	// grafanaSchema is the version of the format, that of Grafana 10.4; later ones read it.
	grafanaSchema = 39
)

// grafana gives a dashboard in Grafana's format.
func (d Dashboard) grafana() grafanaDashboard {
	source := &grafanaSource{Type: "prometheus", UID: "${datasource}"}
	out := grafanaDashboard{
		UID: "radpanel-" + string(d.Tier), Title: d.Title, Description: d.Description, Tags: []string{"radpanel", string(d.Tier)},
		SchemaVersion: grafanaSchema, GraphTooltip: 1, Refresh: "1m", Timezone: "browser", Time: grafanaTime{From: "now-24h", To: "now"},
		Templating: grafanaTemplating{List: []grafanaVariable{{Name: "datasource", Label: "Prometheus", Type: "datasource", Query: "prometheus"}}},
	}
	id, y := 0, 0
	for _, row := range d.Rows {
		id++
		out.Panels = append(out.Panels, grafanaPanel{
			ID: id, Type: "row", Title: row.Title, GridPos: grafanaPosition{Y: y, Width: gridWidth, Height: 1},
			Collapsed: new(bool), Panels: &[]grafanaPanel{},
		})
		y++
		for i, p := range row.Panels {
			id++
			shown := p.grafana(source)
			shown.ID = id
			shown.GridPos = grafanaPosition{
				X: i * panelWidth % gridWidth, Y: y + i*panelWidth/gridWidth*panelHeight, Width: panelWidth, Height: panelHeight,
			}
			out.Panels = append(out.Panels, shown)
		}
		perLine := gridWidth / panelWidth
		y += (len(row.Panels) + perLine - 1) / perLine * panelHeight
	}
	return out
}

func (p Panel) grafana(source *grafanaSource) grafanaPanel {
	const good, bad = "green", "red"
	steps := []grafanaStep{{Color: good}}
	custom := map[string]any{"fillOpacity": 10, "lineWidth": 2, "showPoints": "never", "spanNulls": false}
	if p.Limit != nil {
		custom["thresholdsStyle"] = map[string]string{"mode": "line"}
		steps = append(steps, grafanaStep{Color: bad, Value: p.Limit})
		if p.Least { // What is under the limit is bad.
			steps[0].Color, steps[1].Color = bad, good
		}
	}
	shown := grafanaPanel{
		Type: "timeseries", Title: p.Title, Description: p.Description, Datasource: source,
		FieldConfig: &grafanaFields{
			Defaults: grafanaDefaults{
				Unit: grafanaUnit(p.Unit), Thresholds: grafanaThresholds{Mode: "absolute", Steps: steps}, Custom: custom,
			},
			Overrides: []any{},
		},
		Options: map[string]any{
			"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": len(p.Queries) > 1 || p.Queries[0].Legend != ""},
			"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
		},
	}
	if !p.Least {
		shown.FieldConfig.Defaults.Minimum = new(float64)
	}
	for i, q := range p.Queries {
		shown.Targets = append(shown.Targets, grafanaTarget{
			RefID: string(rune('A' + i)), Expression: q.Expression, Legend: q.Legend, Datasource: source,
		})
	}
	if p.Runbook != "" {
		shown.Links = []map[string]any{{"title": "Runbook", "url": RunbookBase + p.Runbook + ".md", "targetBlank": true}}
	}
	return shown
}

// grafanaUnit is Grafana's name of a unit:
// https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts.
func grafanaUnit(unit stacks.Unit) string {
	switch unit {
	case stacks.Seconds:
		return "s"
	case stacks.OfHundred:
		return "percent"
	case stacks.Ratio:
		return "percentunit"
	case stacks.PerSecond:
		return "reqps"
	case stacks.BytesStored:
		return "bytes"
	case stacks.Count:
		return "short"
	default:
		return "none"
	}
}

// JSON gives the dashboard as Grafana imports it.
func (d Dashboard) JSON() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(d.grafana()); err != nil {
		return nil, fmt.Errorf("dashboard of tier %s: %w", d.Tier, err)
	}
	return out.Bytes(), nil
}
