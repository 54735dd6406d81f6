// Command pulumi-resource-radlocal is the provider of the embedded target as a plugin: what the Pulumi CLI starts when
// a program has resources of it. `rad` has the same provider within itself and does not need this.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/radpanel/radpanel/infra/local/provider"
	"github.com/radpanel/radpanel/infra/postgresql"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-radlocal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if err := postgresql.IgnoreEnvironment(); err != nil {
		return err
	}
	served, err := provider.New()
	if err != nil {
		return err
	}
	return served.Run(ctx, provider.Name, provider.Version)
}
