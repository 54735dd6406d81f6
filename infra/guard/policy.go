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

// cloudFront is the service that fetches for whoever has a distribution, in any account.
const cloudFront = "cloudfront.amazonaws.com"

// checkBucketPolicy finds statements that allow something to everybody, unless a condition narrows who that is.
func checkBucketPolicy(r declared.Resource) []Finding {
	text := []byte(r.Text("policy"))
	if document, is := r.Inputs["policy"].(map[string]any); is { // As a program may write it.
		text, _ = json.Marshal(document) // It came from JSON, or could become it.
	}
	var policy struct{ Statement statements }
	if err := json.Unmarshal(text, &policy); err != nil {
		return nil // There is none, it is not known yet, or AWS refuses it.
	}
	for _, s := range policy.Statement {
		if s.Effect != "Allow" || s.isNarrowed() {
			continue
		}
		if s.isForAll() {
			return broken(PublicData, r, "it allows everybody", "name the principal, or add a condition on who asks")
		}
		if has(declared.At(s.Principal, "Service"), cloudFront) {
			return broken(PublicData, r, "it allows CloudFront whatever anybody's distribution asks for", "add the condition AWS:SourceArn, with the distribution's ARN")
		}
	}
	return nil
}

// isForAll tells whether a statement is for anybody, or for anybody but some.
func (s statement) isForAll() bool {
	return s.NotPrincipal != nil || has(s.Principal, "*") || has(declared.At(s.Principal, "AWS"), "*")
}

// has tells whether a value is a text, or a list that has it.
func has(value any, text string) bool {
	list, _ := value.([]any)
	return value == text || slices.Contains(list, any(text))
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
// they are not somebody, narrows nothing; neither does ForAllValues, which also holds where nothing is said of who asks.
func (s statement) isNarrowed() bool {
	for operator, keys := range s.Condition {
		operator = strings.TrimPrefix(operator, "ForAnyValue:")
		switch operator {
		case "StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "IpAddress":
		default:
			continue
		}
		for key, value := range keys {
			if slices.Contains(askers(), strings.ToLower(key)) && isSome(value, strings.HasPrefix(operator, "Arn")) {
				return true
			}
		}
	}
	return false
}

// isSome tells whether the values of a condition are not just any. Parts are compared one by one where byPart.
func isSome(value any, byPart bool) bool {
	values, several := value.([]any)
	if !several {
		values = []any{value}
	}
	return len(values) > 0 && !slices.ContainsFunc(values, func(v any) bool {
		text, isText := v.(string)
		return isText && (text == "" || everybodyIn(v) || isOpen(text, byPart))
	})
}

// wild are the beginnings of what stands for anything in a condition: wildcards, and variables, which whoever asks may fill in.
const wild = "*?$"

// arnParts is how many an ARN has: arn, partition, service, region, account, resource.
const arnParts = 6

// isOpen tells whether a pattern holds for what anybody could have. An ARN is of one account, or without one of one resource;
// of another value the first part is fixed, such as the organisation's of a path in it.
func isOpen(pattern string, byPart bool) bool {
	parts := strings.SplitN(pattern, ":", arnParts)
	if parts[0] != "arn" {
		first := strings.IndexAny(pattern, wild)
		return first >= 0 && !strings.ContainsAny(pattern[:first], ":/")
	}
	if len(parts) < arnParts {
		return strings.ContainsAny(pattern, wild)
	}
	account, resource := parts[4], parts[5]
	switch {
	case account == "":
		return strings.ContainsAny(resource, wild)
	case byPart:
		return strings.ContainsAny(account, wild)
	default: // A wildcard before the account could take in another one.
		return strings.ContainsAny(strings.Join(parts[:5], ""), wild)
	}
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
