package aws

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/machine"
)

// secretsArgs say which secrets there are.
type secretsArgs struct {
	// Prefix is the folder of the stack's parameters, such as "/rad-panel/tier1".
	Prefix  string
	Secrets []machine.HostSecret
	// From is the stack that is promoted to this one, FromPrefix the folder of its parameters: some secrets are as they are
	// there. Empty: all are the stack's own.
	From, FromPrefix string
	// Lookup says where From's are read.
	Lookup pulumi.InvokeOption
}

// secrets are made by the program, encrypted in its state, and reach a host by a parameter that its role may read. They are
// protected: with an encryption key, all that was encrypted with it would be lost.
type secrets struct {
	pulumi.ResourceState

	parameters map[string]*ssm.Parameter
	// inherited is true once it is certain that the secrets of From are the stack's too. It fails if they are not.
	inherited pulumi.BoolOutput
	checks    []any
}

func newSecrets(ctx *pulumi.Context, args secretsArgs, options ...pulumi.ResourceOption) (*secrets, error) {
	s := &secrets{parameters: map[string]*ssm.Parameter{}}
	if err := ctx.RegisterComponentResource("radpanel:aws:Secrets", "secrets", s, options...); err != nil {
		return nil, err
	}
	for _, secret := range args.Secrets {
		if err := s.add(ctx, args, secret); err != nil {
			return nil, err
		}
	}
	s.inherited = pulumi.Unsecret(pulumi.All(s.checks...).ApplyT(func([]any) bool { return true })).(pulumi.BoolOutput)
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"inherited": s.inherited})
}

// add makes a secret and keeps it where hosts read it. AWS's own key of the parameter store encrypts it, at no cost.
func (s *secrets) add(ctx *pulumi.Context, args secretsArgs, secret machine.HostSecret) error {
	made, err := random.NewRandomBytes(ctx, secret.Name, &random.RandomBytesArgs{Length: pulumi.Int(secret.Bytes)},
		pulumi.Parent(s), pulumi.Protect(true))
	if err != nil {
		return err
	}
	value := made.Base64
	options := []pulumi.ResourceOption{pulumi.Parent(s), pulumi.Protect(true), pulumi.RetainOnDelete(true)}
	mayInherit := slices.Contains(machine.InheritedSecrets(), secret.Name)
	if mayInherit {
		// It is as it was when the stack was made, for good: once the promotion is over, From is not there to be asked.
		options = append(options, pulumi.IgnoreChanges([]string{"value"}))
		if args.From != "" {
			if value, err = inherit(ctx, args, secret.Name); err != nil {
				return err
			}
		}
	}
	parameter, err := ssm.NewParameter(ctx, secret.Name, &ssm.ParameterArgs{
		Name: pulumi.String(machine.SecretParameter(args.Prefix, secret.Name)), Type: pulumi.String("SecureString"), Value: value,
		Description: pulumi.String("A secret of RAD Panel, made by its Pulumi program"),
	}, options...)
	if err != nil {
		return err
	}
	s.parameters[secret.Name] = parameter
	if mayInherit && args.From != "" {
		s.checks = append(s.checks, pulumi.All(parameter.Value, value).ApplyT(func(values []any) (bool, error) {
			if values[0] != values[1] {
				return false, fmt.Errorf("stack %s was made with another %s than %s, so it could not read the panel's data: promote to a stack "+
					"that is made with promoteFrom from the beginning, such as one of another name", ctx.Stack(), secret.Name, args.From)
			}
			return true, nil
		}))
	}
	return nil
}

// inherit reads a secret of the stack that is promoted to this one.
func inherit(ctx *pulumi.Context, args secretsArgs, name string) (pulumi.StringOutput, error) {
	decrypt := true
	found, err := ssm.LookupParameter(ctx, &ssm.LookupParameterArgs{
		Name: machine.SecretParameter(args.FromPrefix, name), WithDecryption: &decrypt,
	}, args.Lookup)
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("secret %s of stack %s: %w", name, args.From, err)
	}
	return pulumi.ToSecret(pulumi.String(found.Value)).(pulumi.StringOutput), nil
}
