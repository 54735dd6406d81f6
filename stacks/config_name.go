package stacks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// stackName is what Pulumi takes as the name of a stack, but for a dot at its beginning: such names mean folders, not stacks.
var stackName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$`)

// CheckName refuses what cannot be the name of a stack, by a [*NameError].
func CheckName(name string) error {
	if !stackName.MatchString(name) {
		return &NameError{Name: name}
	}
	return nil
}

// TargetOf gives the target that a stack's name means; empty if it means none.
func TargetOf(name string) Target {
	target, _ := meaning(name)
	return target
}

// Name gives the name of the stack that runs a tier on a target: "tier1" on AWS, "local-tier1" on this machine.
func Name(tier Tier, target Target) string {
	if target == AWS {
		return string(tier)
	}
	return string(target) + "-" + string(tier)
}

// FileName gives the name of the file that holds a stack's configuration.
func FileName(stack string) string { return "Pulumi." + stack + ".yaml" }

// meaning reads a name of the form [<target>-]<tier>[-<suffix>], such as "tier1", "local-mvp" or "tier2-staging".
// A name without a target means AWS if it tells a tier. What a name does not tell is empty.
func meaning(name string) (Target, Tier) {
	var target Target
	for _, t := range Targets() {
		if rest, ok := strings.CutPrefix(name, string(t)+"-"); ok {
			target, name = t, rest
			break
		}
	}
	tier, _, _ := strings.Cut(name, "-")
	if !slices.Contains(Tiers(), Tier(tier)) {
		return target, ""
	}
	if target == "" {
		target = AWS
	}
	return target, Tier(tier)
}

// nearest finds the candidate that a misspelt word most likely meant, if any is near enough to be a suggestion.
func nearest(word string, candidates []string) (string, bool) {
	if len(word) > 100 {
		return "", false
	}
	best, bestDistance := "", len(word)/3+2
	for _, c := range candidates {
		distance := levenshtein.Distance(strings.ToLower(word), strings.ToLower(c), nil)
		if distance < bestDistance {
			best, bestDistance = c, distance
		}
	}
	return best, best != ""
}
