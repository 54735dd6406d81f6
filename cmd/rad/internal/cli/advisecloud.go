package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"

	"github.com/radpanel/radpanel/cmd/rad/internal/advise"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/stacks"
)

const (
	// outputsTimeout bounds `pulumi stack output`, which asks the backend, wherever that is.
	outputsTimeout = time.Minute
	// credentialsTimeout bounds how long credentials may take: they may come from an identity provider.
	credentialsTimeout = 30 * time.Second
)

// cloudOutputs are those of a stack on AWS that say where its measurements are.
type cloudOutputs struct {
	Target stacks.Target     `json:"target"`
	Tier   stacks.Tier       `json:"tier"`
	Region string            `json:"region"`
	Hosts  map[string]string `json:"hosts"`
}

// adviceFromCloud takes the measurements of a stack on AWS and holds them against the plan. A stack that cannot be measured is
// refused, which is no error; what this machine lacks is one.
func (a *App) adviceFromCloud(ctx context.Context, selected selection, stack stacks.Stack) (advise.Advice, error) {
	plan := stacks.Plan()
	refuse := func(problem, action string) (advise.Advice, error) {
		return advise.Refuse(stack, plan, advise.Missing{
			Measurement: advise.CloudSource, Problem: problem, Expected: "a CloudWatch that has the stack's figures", Action: action,
		}, a.Now()), nil
	}
	outputs, err := a.cloudOutputs(ctx, selected)
	up := "`rad up " + selected.name + " --target aws` builds it"
	switch {
	case errors.Is(err, errNoStack):
		return refuse("there is no stack "+selected.name+" in Pulumi's state", up)
	case err != nil:
		return advise.Advice{}, err
	case outputs.Target != stacks.AWS || outputs.Region == "" || len(outputs.Hosts) == 0:
		return refuse("stack "+selected.name+" has not been built: its outputs name no hosts", up)
	case outputs.Tier != stack.Tier():
		return refuse(fmt.Sprintf("stack %s runs %s, and its configuration says %s", selected.name, outputs.Tier, stack.Tier()), up)
	}
	cfg, err := a.cloudConfig(ctx, outputs.Region)
	if err != nil {
		return advise.Advice{}, err
	}
	now := a.Now()
	measured, err := advise.NewCloudWatch(cfg, stack.Name, outputs.Hosts).Measure(ctx, plan, stack.Tier(), now)
	var refused smithy.APIError
	switch {
	case err == nil:
		return advise.Advise(stack, plan, measured, now), nil
	case ctx.Err() != nil:
		return advise.Advice{}, context.Cause(ctx)
	case errors.As(err, &refused) && strings.Contains(refused.ErrorCode(), "Throttl"):
		return refuse(err.Error(), "others of the account ask CloudWatch too often: ask again in a minute")
	case errors.As(err, &refused):
		return refuse(err.Error(), "`aws sts get-caller-identity` tells who asks: the action cloudwatch:GetMetricData must be allowed in "+outputs.Region)
	default:
		return refuse(err.Error(), "look whether CloudWatch in "+outputs.Region+" can be reached from here")
	}
}

// errNoStack says that Pulumi's backend has no stack of the name.
var errNoStack = errors.New("there is no such stack")

// cloudOutputs reads the outputs of a stack by the plain CLI: backend and passphrase are the operator's.
func (a *App) cloudOutputs(ctx context.Context, selected selection) (cloudOutputs, error) {
	var missing []string
	if selected.project == "" {
		missing = append(missing, "the project: run rad inside a checkout of radpanel, or name its folder by --project")
	}
	cli, err := a.findPulumi(ctx, selected, func(progress.Event) {})
	if err != nil {
		missing = append(missing, "the Pulumi command line: "+err.Error())
	}
	if !a.hasCredentials() {
		missing = append(missing, noCredentials)
	}
	if len(missing) > 0 {
		return cloudOutputs{}, &missingError{problem: "to ask CloudWatch about stack " + selected.name + ", this machine lacks:\n- " + strings.Join(missing, "\n- ")}
	}
	ctx, cancel := context.WithTimeout(ctx, outputsTimeout)
	defer cancel()
	child := exec.CommandContext(ctx, cli.Path, "stack", "output", "--json", "--stack", selected.name, "--non-interactive") //nolint:gosec // The pulumi that was found.
	child.Dir = selected.project
	child.Env = a.operatorsOwn(cli)
	var said bytes.Buffer
	child.Stderr = &said
	answer, err := child.Output()
	switch {
	case err != nil && strings.Contains(said.String(), "no stack named"):
		return cloudOutputs{}, errNoStack
	case err != nil:
		return cloudOutputs{}, fmt.Errorf("read the outputs of stack %s: %w: %s", selected.name, err, strings.TrimSpace(said.String()))
	}
	var outputs cloudOutputs
	if err := json.Unmarshal(answer, &outputs); err != nil {
		return cloudOutputs{}, fmt.Errorf("the outputs of stack %s: expected JSON: %w", selected.name, err)
	}
	return outputs, nil
}

// noCredentials says what there must be.
const noCredentials = "AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`"

// cloudConfig gives how AWS is asked in a region, with credentials that are there.
func (a *App) cloudConfig(ctx context.Context, region string) (aws.Config, error) {
	load := a.CloudConfig
	if load == nil {
		load = func(ctx context.Context, region string) (aws.Config, error) {
			return config.LoadDefaultConfig(ctx, config.WithRegion(region))
		}
	}
	cfg, err := load(ctx, region)
	if err != nil {
		return aws.Config{}, &missingError{problem: "AWS's configuration cannot be read: " + err.Error()}
	}
	waiting, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(waiting); err != nil {
		if ctx.Err() != nil {
			return aws.Config{}, context.Cause(ctx)
		}
		return aws.Config{}, &missingError{problem: noCredentials + "; those that there are cannot be used: " + err.Error()}
	}
	return cfg, nil
}
