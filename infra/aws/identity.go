package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// identityArgs say what the hosts of a role may do, and nothing more.
type identityArgs struct {
	Role stacks.Role
	// Parameters are the ARNs of those that may be read.
	Parameters []pulumi.StringInput
	// Releases holds what may be fetched.
	Releases *bucket
	// Backups and Files may be written and read. Nil: not at all.
	Backups, Files *bucket
	// LogGroup is the ARN of the group that logs go to.
	LogGroup pulumi.StringInput
	// AlertTopic is the ARN of the topic that is told of alerts. Nil: none.
	AlertTopic pulumi.StringInput
}

// identity is the role of hosts: the credentials that they have come from it alone.
type identity struct {
	pulumi.ResourceState

	profile *iam.InstanceProfile
	// allowed is there when the role may do what it has to.
	allowed pulumi.Resource
}

func newIdentity(ctx *pulumi.Context, args identityArgs, options ...pulumi.ResourceOption) (*identity, error) {
	i := &identity{}
	name := string(args.Role)
	if err := ctx.RegisterComponentResource("radpanel:aws:Identity", name+"-identity", i, options...); err != nil {
		return nil, err
	}
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Description: pulumi.String(fmt.Sprintf("Hosts of RAD Panel, role %s", name)),
		AssumeRolePolicy: policy(statement{
			Sid: "Hosts", Principal: service("ec2.amazonaws.com"), Actions: []string{"sts:AssumeRole"},
		}),
	}, pulumi.Parent(i))
	if err != nil {
		return nil, err
	}
	i.allowed, err = iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{Role: role.ID(), Policy: policy(permissions(args)...)}, pulumi.Parent(i))
	if err != nil {
		return nil, err
	}
	if i.profile, err = iam.NewInstanceProfile(ctx, name, &iam.InstanceProfileArgs{Role: role.Name}, pulumi.Parent(i)); err != nil {
		return nil, err
	}
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{})
}

// permissions are what a host needs to start, to be looked after, and to do its part.
func permissions(args identityArgs) []statement {
	all := []statement{
		{Sid: "ReadParameters", Actions: []string{"ssm:GetParameter", "ssm:GetParameters"}, Resources: args.Parameters},
		{Sid: "FetchReleases", Actions: []string{"s3:GetObject"}, Resources: []pulumi.StringInput{args.Releases.objects()}},
		{
			// Each host has a stream of its own name.
			Sid: "WriteLogs", Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"},
			Resources: []pulumi.StringInput{pulumi.Sprintf("%s:log-stream:%s-*", args.LogGroup, args.Role)},
		},
		{
			Sid: "SendFigures", Actions: []string{"cloudwatch:PutMetricData"}, Resources: []pulumi.StringInput{pulumi.String("*")},
			Condition: map[string]map[string]any{"StringEquals": {"cloudwatch:namespace": monitoring.AlarmNamespace}},
		},
		{
			// What the agent of Session Manager does. These actions know no resources, see "Actions, resources, and condition
			// keys for AWS Systems Manager" and "... for Amazon Session Manager Message Gateway Service" of the service
			// authorization reference. AWS's own policy for it would let the host read every parameter of the account.
			Sid: "AnswerSessions", Resources: []pulumi.StringInput{pulumi.String("*")},
			Actions: []string{
				"ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
				"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
			},
		},
	}
	if args.AlertTopic != nil {
		all = append(all, statement{Sid: "TellAlerts", Actions: []string{"sns:Publish"}, Resources: []pulumi.StringInput{args.AlertTopic}})
	}
	for sid, bucket := range map[string]*bucket{"Backups": args.Backups, "Files": args.Files} {
		if bucket == nil {
			continue
		}
		all = append(all, statement{
			Sid: "List" + sid, Actions: []string{"s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"},
			Resources: []pulumi.StringInput{bucket.bucket.Arn},
		}, statement{
			// What is deleted can be had back: versions are beyond a host's reach.
			Sid: "Change" + sid, Actions: []string{
				"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
			},
			Resources: []pulumi.StringInput{bucket.objects()},
		})
	}
	return all
}
