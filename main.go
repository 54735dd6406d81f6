// The Pulumi program of RAD Panel: it reads the stack's configuration and deploys the tier that it names.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/infra/aws"
	"github.com/radpanel/radpanel/stacks"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		config, err := configuration(os.Getenv(pulumi.EnvConfig))
		if err != nil {
			return err
		}
		stack, err := stacks.Load(ctx.Stack(), config)
		if err != nil {
			return err
		}
		return infra.Deploy(ctx, stack, infra.Options{}, onAWS())
	})
}

func onAWS() infra.Target {
	return infra.Target{Name: stacks.AWS, Deploy: func(ctx *pulumi.Context, stack stacks.Stack) error {
		return aws.Deploy(ctx, stack, aws.Options{})
	}}
}

// configuration gives all keys of the project, not just those that are known: a key that is misspelt is an error.
func configuration(environment string) (map[string]string, error) {
	var all map[string]string
	if err := json.Unmarshal([]byte(environment), &all); err != nil {
		return nil, fmt.Errorf("read the configuration that pulumi gives in %s: %w", pulumi.EnvConfig, err)
	}
	config := map[string]string{}
	for key, value := range all {
		if name, ours := strings.CutPrefix(key, stacks.Namespace+":"); ours {
			config[name] = value
		}
	}
	return config, nil
}
