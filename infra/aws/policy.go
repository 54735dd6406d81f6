package aws

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// policyVersion is the version of the policy language, see "IAM JSON policy elements: Version" of the IAM user guide.
const policyVersion = "2012-10-17"

// statement is one statement of a policy. Resources are ARNs, known or not yet.
type statement struct {
	// Sid says what the statement is for, in letters and digits.
	Sid string
	// Deny refuses what would be allowed otherwise.
	Deny      bool
	Principal map[string]any
	Actions   []string
	Resources []pulumi.StringInput
	// Condition has the operators of IAM, such as "Bool", with a condition key and its value.
	Condition map[string]map[string]any
}

// policy gives the document of some statements.
func policy(statements ...statement) pulumi.StringOutput {
	documents := make([]any, len(statements))
	for i, s := range statements {
		document := map[string]any{"Sid": s.Sid, "Effect": "Allow", "Action": s.Actions}
		if s.Deny {
			document["Effect"] = "Deny"
		}
		if s.Principal != nil {
			document["Principal"] = s.Principal
		}
		if s.Resources != nil {
			resources := make([]any, len(s.Resources))
			for j, resource := range s.Resources {
				resources[j] = resource
			}
			document["Resource"] = resources
		}
		if s.Condition != nil {
			document["Condition"] = s.Condition
		}
		documents[i] = document
	}
	return pulumi.JSONMarshal(map[string]any{"Version": policyVersion, "Statement": documents})
}

// everybody is the principal of anybody, signed in or not. It is for statements that deny.
func everybody() map[string]any { return map[string]any{"AWS": "*"} }

// service is the principal of one of Amazon's services, such as "ec2.amazonaws.com".
func service(name string) map[string]any { return map[string]any{"Service": name} }
