package local

import (
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// tracesService keeps the traces; tracesProgram is its program in the release folder.
const (
	tracesService = "traces"
	tracesProgram = "jaeger"
)

// hasTraces tells whether the stack keeps its own traces: the tier's monitoring has them, and they go nowhere else.
func (s site) hasTraces() bool {
	return s.stack.Plan.Blueprint.Monitoring.Level.Has(stacks.APM) && s.stack.Settings.TraceEndpoint == ""
}

// startTraces runs the store of traces. The panel does not wait for it, and never needs it.
func (w *watch) startTraces(ctx *pulumi.Context) error {
	site := w.site
	made, err := register(ctx, "Port", tracesService+"-query-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(w))
	if err != nil {
		return err
	}
	released, folder, err := newRelease(ctx, w, site, tracesService, filepath.Join(site.options.ReleaseFolder, tracesProgram))
	if err != nil {
		return err
	}
	known := monitoring.TraceStore{DataFolder: filepath.Join(site.folder.Folder(tracesService), dataFolder)}
	command := pulumi.StringArray{pulumi.String(filepath.Join(folder, tracesProgram))}
	for _, argument := range known.Arguments() {
		command = append(command, pulumi.String(argument))
	}
	command = append(command,
		pulumi.Sprintf("%s127.0.0.1:%d", monitoring.TraceStoreTakes, w.tracesPort), pulumi.Sprintf("%s127.0.0.1:%d", monitoring.TraceStoreAnswers, made.Port))
	_, err = register(ctx, "Service", tracesService, serviceInputs{
		Directory:   pulumi.String(site.folder.Directory()),
		Name:        pulumi.String(tracesService),
		Account:     pulumi.String(string(supervisor.Monitor)),
		Host:        site.hostOf(stacks.PartWeb, 1),
		Command:     command,
		Environment: pulumi.ToStringMap(monitoring.TraceStoreEnvironment()),
		Folders:     pulumi.StringMap{dataFolder: pulumi.String("0700")},
		StopSignal:  pulumi.String("TERM"),
		StopSeconds: pulumi.Int(15),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.HTTP)), Address: pulumi.Sprintf("127.0.0.1:%d", made.Port), Path: pulumi.String(monitoring.TraceStoreReady), Seconds: pulumi.Int(30),
		},
	}, new(service), pulumi.Parent(w), pulumi.DependsOn([]pulumi.Resource{site.host, released}))
	return err
}
