package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"time"

	"github.com/radpanel/radpanel/stacks"
)

// document is a file of docs/ that is generated.
type document struct {
	path     string // from the top of the repository, with slashes
	template string
	data     any
}

//go:embed scaling-plan.md.tmpl
var scalingPlan string

//go:embed configuration.md.tmpl
var configuration string

func documents() []document {
	plan := stacks.Plan()
	return []document{
		{path: "docs/scaling-plan.md", template: scalingPlan, data: struct {
			stacks.ScalingPlan
			Metrics []stacks.MetricDefinition
			Parts   []row
		}{plan, stacks.Metrics(), parts()}},
		{path: "docs/configuration.md", template: configuration, data: struct {
			Namespace string
			Keys      []stacks.Key
			Plan      stacks.ScalingPlan
		}{stacks.Namespace, stacks.Keys(), plan}},
	}
}

func (d document) render() ([]byte, error) {
	plan := stacks.Plan()
	t, err := template.New(d.path).Option("missingkey=error").Funcs(template.FuncMap{
		"show":   show,
		"budget": plan.Budget,
		"previous": func(t stacks.TierPlan) stacks.TierPlan {
			before, _ := plan.Previous(t.Tier)
			return before
		},
		"mark":    mark,
		"label":   label,
		"parts":   words[stacks.Part],
		"targets": words[stacks.Target],
		"cell":    cell,
		"onAWS":   func(t stacks.Tier) string { return stacks.Name(t, stacks.AWS) },
		"onLocal": func(t stacks.Tier) string { return stacks.Name(t, stacks.Local) },
	}).Parse(d.template)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, d.data); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// row is a line of the table that sets the tiers' blueprints side by side.
type row struct {
	Label string
	Field stacks.Field
}

func parts() []row {
	return []row{
		{"Backends", "Blueprint.Backends.Instances"},
		{"Workers of their own", "Blueprint.Workers.Instances"},
		{"Jobs at once, each process", "Blueprint.Workers.JobsPerInstance"},
		{"Database shards", "Blueprint.Database.Shards"},
		{"Replicas of each", "Blueprint.Database.Replicas"},
		{"Pooling", "Blueprint.Database.Pooling"},
		{"Connections of each server", "Blueprint.Database.MaxConnections"},
		{"… kept from the service", "Blueprint.Database.ReservedConnections"},
		{"Query statistics", "Blueprint.Database.Statistics"},
		{"Slow-query log from", "Blueprint.Database.SlowQueryLog"},
		{"Active-active", "Blueprint.Database.ActiveActive"},
		{"Managed database", "Blueprint.Database.Managed"},
		{"Cache (Redis)", "Blueprint.Cache.Memory"},
		{"Managed cache", "Blueprint.Cache.Managed"},
		{"Queue", "Blueprint.Queue"},
		{"Web server", "Blueprint.Web.Server"},
		{"Compression", "Blueprint.Web.Compression"},
		{"Balancer", "Blueprint.Balancer"},
		{"CDN", "Blueprint.CDN"},
		{"Files", "Blueprint.FileStore.Kind"},
		{"Files in every region", "Blueprint.FileStore.CrossRegion"},
		{"Regions", "Blueprint.Regions"},
		{"Zones of each", "Blueprint.Zones"},
		{"Orchestrator", "Blueprint.Orchestrator"},
		{"Monitoring", "Blueprint.Monitoring.Level"},
		{"Datadog", "Blueprint.Monitoring.Datadog"},
	}
}

// show writes the value of a field of the tier for people; what is not there is a dash.
func show(t stacks.TierPlan, field stacks.Field) (string, error) {
	value, err := t.Value(field)
	if err != nil {
		return "", err
	}
	if reflect.ValueOf(value).IsZero() {
		return "–", nil
	}
	switch v := value.(type) {
	case bool:
		return "yes", nil
	case time.Duration:
		return stacks.Seconds.Format(v.Seconds()), nil
	case fmt.Stringer:
		return v.String(), nil
	case int:
		return grouped(v), nil
	default:
		return fmt.Sprint(v), nil
	}
}

// mark follows a figure that the plan does not state.
func mark(t stacks.TierPlan, field stacks.Field) string {
	if t.Source(field) == stacks.Derived {
		return " †"
	}
	return ""
}

// label names a field for people: "Blueprint.Hosts.database.RAM" is "database host, RAM".
func label(field stacks.Field) string {
	name := strings.TrimPrefix(string(field), "Blueprint.")
	if host, ok := strings.CutPrefix(name, "Hosts."); ok {
		role, rest, _ := strings.Cut(host, ".")
		name = role + " host." + rest
	}
	return "`" + strings.TrimSuffix(name, ".") + "`"
}

func words[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

// cell escapes what would end a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// grouped writes a whole number with a comma between thousands.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
