package guard

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/infra/declared"
)

// statement is one of a policy, as far as it is needed here.
type statement struct {
	Effect       string
	Principal    any
	NotPrincipal any
	// Condition has keys and their values by operator.
	Condition map[string]map[string]any
}

// statements reads a list of statements, or the only one.
type statements []statement

// UnmarshalJSON implements json.Unmarshaler.
func (s *statements) UnmarshalJSON(content []byte) error {
	var one statement
	if json.Unmarshal(content, &one) == nil {
		*s = statements{one}
		return nil
	}
	var all []statement
	err := json.Unmarshal(content, &all)
	*s = all
	return err
}

// checkBucketPolicy finds statements that allow something to everybody, unless a condition narrows who that is.
func checkBucketPolicy(r declared.Resource) []Finding {
	var policy struct{ Statement statements }
	if err := json.Unmarshal([]byte(r.Text("policy")), &policy); err != nil {
		return nil // There is none, it is not known yet, or AWS refuses it.
	}
	for _, s := range policy.Statement {
		if s.Effect == "Allow" && s.isForAll() && !s.isNarrowed() {
			return broken(PublicData, r, "it allows everybody", "name the principal, or add a condition on who asks")
		}
		// CloudFront asks for whoever has a distribution, in any account.
		edge := declared.At(s.Principal, "Service") == "cloudfront.amazonaws.com"
		if s.Effect == "Allow" && edge && !s.isNarrowed() {
			return broken(PublicData, r, "it allows CloudFront whatever anybody's distribution asks for", "add the condition AWS:SourceArn, with the distribution's ARN")
		}
	}
	return nil
}

// isForAll tells whether a statement is for anybody, or for anybody but some.
func (s statement) isForAll() bool {
	if s.NotPrincipal != nil {
		return true
	}
	all := func(principal any) bool { return principal == "*" }
	if all(s.Principal) || all(declared.At(s.Principal, "AWS")) {
		return true
	}
	list, _ := declared.At(s.Principal, "AWS").([]any)
	return slices.ContainsFunc(list, all)
}

// askers are the condition keys that say who asks, or from where, as Amazon S3 reckons whether a policy is public
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html), in small letters.
func askers() []string {
	return []string{
		"aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceip", "aws:principalorgid",
		"aws:principalorgpaths", "aws:principalaccount", "aws:principalarn", "aws:userid", "s3:dataaccesspointaccount", "s3:dataaccesspointarn",
		"s3:x-amz-server-side-encryption-aws-kms-key-id",
	}
}

// isNarrowed tells whether a condition has a statement hold for some alone. That they must ask by TLS, as most do, or that
// they are not somebody, narrows nothing.
func (s statement) isNarrowed() bool {
	for operator, keys := range s.Condition {
		operator = strings.TrimPrefix(strings.TrimPrefix(operator, "ForAnyValue:"), "ForAllValues:")
		switch operator {
		case "StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "IpAddress":
		default:
			continue
		}
		for key, value := range keys {
			if slices.Contains(askers(), strings.ToLower(key)) && isSome(value) {
				return true
			}
		}
	}
	return false
}

// isSome tells whether the values of a condition are not just any.
func isSome(value any) bool {
	values, several := value.([]any)
	if !several {
		values = []any{value}
	}
	return len(values) > 0 && !slices.ContainsFunc(values, func(v any) bool { return v == "" || v == "*" || everybodyIn(v) })
}

// allUsers and authenticatedUsers are the groups of everybody, without and with an account of AWS of their own.
const (
	allUsers           = "http://acs.amazonaws.com/groups/global/AllUsers"
	authenticatedUsers = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
)

// grantsEverybody tells whether the list of grants of a bucket or its ACL has everybody.
func grantsEverybody(r declared.Resource) bool {
	for _, path := range [][]any{{"grants"}, {"accessControlPolicy", "grants"}} {
		for i := range r.List(path...) {
			for _, uri := range []string{r.Text(append(path, i, "uri")...), r.Text(append(path, i, "grantee", "uri")...)} {
				if uri == allUsers || uri == authenticatedUsers {
					return true
				}
			}
		}
	}
	return false
}
