// Package guard holds the rules that no update of a stack may break: what holds data stays, nothing of it is public, what
// is stored is encrypted, hosts ask for tokens, only web ports are open to everybody, and the cost is one that somebody agreed
// to. A rule looks at resources as data; it needs no engine and no cloud.
package guard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/infra/declared"
	"github.com/radpanel/radpanel/stacks"
)

// Rule names a rule.
type Rule string

// The rules.
const (
	DataLoss   Rule = "data-loss"
	PublicData Rule = "public-data"
	Encryption Rule = "encryption"
	Tags       Rule = "tags"
	Metadata   Rule = "metadata" // IMDSv2
	Ingress    Rule = "ingress"
	Cost       Rule = "cost"
)

// Finding is a rule that an update would break.
type Finding struct {
	Rule     Rule
	Resource string // empty: it is about the stack
	Type     string
	// Problem says what is wrong, and Fix what to do.
	Problem, Fix string
}

// String gives the finding on one line.
func (f Finding) String() string {
	about := ""
	if f.Resource != "" {
		about = fmt.Sprintf("%s (%s): ", f.Resource, f.Type)
	}
	return fmt.Sprintf("%s%s: %s [%s]", about, f.Problem, f.Fix, f.Rule)
}

// AllowFlag is the flag by which an operator gives up the data of a resource.
const AllowFlag = "--allow-data-loss"

// Policy is what the rules need to know beside the resources.
type Policy struct {
	// Loss tells in plain words what is lost with a resource of a type; "" if nothing is. Nil: nothing ever is.
	Loss func(resourceType string) string
	// AllowDataLoss names the resources whose data may be lost.
	AllowDataLoss []string
}

// Check gives what an update of a stack would break, data first, then by resource.
func (p Policy) Check(resources []declared.Resource) []Finding {
	var findings []Finding
	for _, r := range resources {
		findings = append(findings, p.checkLoss(r)...)
		if r.Operation == declared.Delete {
			continue
		}
		for _, rule := range rules() {
			findings = append(findings, rule(r)...)
		}
	}
	findings = append(findings, p.checkAllowances(resources)...)
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			-cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Problem, b.Problem),
		)
	})
	return slices.Compact(findings)
}

func rank(f Finding) int {
	if f.Rule == DataLoss {
		return 1
	}
	return 0
}

// rules are those that look at one resource by itself.
func rules() []func(declared.Resource) []Finding {
	return []func(declared.Resource) []Finding{checkPublic, checkEncryption, checkTags, checkMetadata, checkIngress}
}

func broken(rule Rule, r declared.Resource, problem, fix string) []Finding {
	return []Finding{{Rule: rule, Resource: r.Name, Type: r.Type, Problem: problem, Fix: fix}}
}

// losing tells whether an update would take data away with a resource.
func (p Policy) losing(r declared.Resource) bool {
	gone := r.Operation == declared.Delete || r.Operation == declared.Replace
	return gone && (r.Protected || p.loss(r.Type) != "")
}

func (p Policy) loss(resourceType string) string {
	if p.Loss == nil {
		return ""
	}
	return p.Loss(resourceType)
}

func (p Policy) checkLoss(r declared.Resource) []Finding {
	if !p.losing(r) || slices.Contains(p.AllowDataLoss, r.Name) {
		return nil
	}
	lost := cmp.Or(p.loss(r.Type), "what it holds")
	return broken(DataLoss, r, fmt.Sprintf("it would be %sd, and %s would be lost", r.Operation, strings.TrimSuffix(lost, ",")),
		fmt.Sprintf("take back the change that does it, or give the data up by %s %s", AllowFlag, r.Name))
}

// checkAllowances finds names that allow nothing: most likely misspelt, and then the wrong thing was meant.
func (p Policy) checkAllowances(resources []declared.Resource) []Finding {
	var findings []Finding
	for _, name := range p.AllowDataLoss {
		if !slices.ContainsFunc(resources, func(r declared.Resource) bool { return r.Name == name && p.losing(r) }) {
			findings = append(findings, Finding{
				Rule: DataLoss, Problem: fmt.Sprintf("%s %s: no resource of that name would lose data", AllowFlag, name),
				Fix: "leave it out, or name a resource that this preview shows as losing data",
			})
		}
	}
	return findings
}

// CheckCost finds a stack that costs more in a month, in US dollars, than the plan gives it and its configuration acknowledges.
func CheckCost(monthly float64, budget stacks.Cost, settings stacks.Settings) []Finding {
	acknowledged := settings.AcknowledgedCost
	if monthly <= float64(budget.High) || monthly <= float64(acknowledged) {
		return nil
	}
	amount := stacks.USD(monthly) + 1
	problem := fmt.Sprintf("the stack would cost about $%.0f a month, more than the plan's %s-%s", monthly, budget.Low, budget.High)
	if acknowledged > 0 {
		problem += fmt.Sprintf(" and than the %s that its configuration acknowledges", acknowledged)
	}
	fix := fmt.Sprintf("agree by `pulumi config set %s:acknowledgeCost %d`", stacks.Namespace, amount)
	if settings.Sizing != stacks.SizingBudget { // Whether that is enough, the choice of the hardware says.
		fix += fmt.Sprintf(", or spend less by `pulumi config set %s:sizing %s`", stacks.Namespace, stacks.SizingBudget)
	}
	return []Finding{{Rule: Cost, Problem: problem, Fix: fix}}
}
