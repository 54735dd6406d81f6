package local

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// readReplica is a server that follows the primary, with the pooler before it.
type readReplica struct {
	pulumi.ResourceState

	ready *service
}

// newReadReplica registers the replica, if the tier has one; else it gives nil.
func newReadReplica(ctx *pulumi.Context, parent *Stack, site site, primary *postgreSQL, pooler *pgBouncer) (*readReplica, error) {
	if !site.hasReplica() {
		return nil, nil //nolint:nilnil // Said above.
	}
	r := &readReplica{}
	if err := ctx.RegisterComponentResource("radpanel:local:ReadReplica", postgresqlReplicaService, r, pulumi.Parent(parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", postgresqlReplicaService, err)
	}
	copied, err := register(ctx, "Replica", "replica-data", replicaInputs{
		Directory: pulumi.String(site.folder.Directory()), Service: pulumi.String(postgresqlReplicaService),
		Binaries: primary.binaries, Socket: pulumi.String(site.socket(postgresqlService, postgresqlPort)),
		Slot: pulumi.String(replicaSlot), Superuser: pulumi.String(superuserRole),
		User: pulumi.String(replicaRole), Password: primary.replicaPassword,
	}, new(replica), pulumi.Parent(r), pulumi.DependsOn([]pulumi.Resource{primary.ready}))
	if err != nil {
		return nil, err
	}
	passwords := primary.replicaPassword.ApplyT(func(password string) map[string]string {
		return map[string]string{passwordFile: fmt.Sprintf("*:*:*:%s:%s\n", replicaRole, password)}
	}).(pulumi.StringMapOutput)
	server, err := startPostgreSQL(ctx, r, site.postgresReplica(), postgresqlReplicaService, site, primary.binaries, passwords, copied)
	if err != nil {
		return nil, err
	}
	r.ready, err = startPgBouncer(ctx, r, site.pgBouncerReplica, pgbouncerReplicaService, postgresqlReplicaService, site, primary, pooler.password, server)
	if err != nil {
		return nil, err
	}
	return r, registerOutputs(ctx, r, pulumi.Map{"socket": pulumi.String(site.socket(pgbouncerReplicaService, pgbouncerPort))})
}
