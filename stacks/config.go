package stacks

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Namespace is that of the keys in Pulumi.<stack>.yaml: the project's name.
const Namespace = "rad-panel"

// Load turns the name and the configuration of a Pulumi stack into one validated value. The keys of the
// configuration come without their namespace and the values as Pulumi gives them. Tier and target follow from a
// name of the form [<target>-]<tier>[-<suffix>], see [Name]; keys may say them for other names.
//
// The error joins everything that is wrong, in a fixed order: a [*NameError] for the name, then a [*KeyError] for
// each key.
func Load(name string, config map[string]string) (Stack, error) {
	l := &loader{name: name, config: config, stack: Stack{Name: name}}
	l.checkName()
	l.loadTarget()
	l.loadTier()
	l.loadSettings()
	l.checkUnknownKeys()
	if err := errors.Join(l.errs...); err != nil {
		return Stack{}, err
	}
	return l.stack, nil
}

// loader gathers what [Load] finds, good and bad.
type loader struct {
	name   string
	config map[string]string
	stack  Stack
	errs   []error
}

func (l *loader) fail(key, problem string) {
	value, isSet := l.config[key]
	l.errs = append(l.errs, &KeyError{Key: key, Value: value, Set: isSet, Problem: problem})
}

func (l *loader) checkName() {
	if err := CheckName(l.name); err != nil {
		l.errs = append(l.errs, err)
	}
}

// loadTarget leaves the target empty if it cannot be told.
func (l *loader) loadTarget() {
	meant, _ := meaning(l.name)
	raw, isSet := l.config[keyTarget]
	target := Target(raw)
	switch {
	case !isSet && meant != "":
		l.stack.Target = meant
	case !isSet:
		l.stack.Target = AWS
	case !slices.Contains(Targets(), target):
		l.fail(keyTarget, "allowed is "+oneOf(Targets()))
	case meant != "" && meant != target:
		l.fail(keyTarget, contradiction(l.name, string(meant)))
	default:
		l.stack.Target = target
	}
}

func (l *loader) loadTier() {
	_, meant := meaning(l.name)
	raw, isSet := l.config[keyTier]
	tier := Tier(raw)
	switch {
	case !isSet && meant != "":
		tier = meant
	case !isSet:
		l.fail(keyTier, fmt.Sprintf("the stack's name %s does not tell its tier: allowed is %s", quoted(l.name), oneOf(Tiers())))
		return
	case !slices.Contains(Tiers(), tier):
		l.fail(keyTier, "allowed is "+oneOf(Tiers()))
		return
	case meant != "" && meant != tier:
		l.fail(keyTier, contradiction(l.name, string(meant)))
		return
	}
	plan, err := Plan().Tier(tier)
	if err != nil {
		l.fail(keyTier, err.Error())
		return
	}
	l.stack.Plan = plan
}

// loadSettings reads every key but tier and target, each from its value or else from its default.
func (l *loader) loadSettings() {
	valid := map[string]bool{}
	for _, key := range keys() {
		if key.set == nil {
			continue
		}
		raw, isSet := l.config[key.Name]
		applies := l.stack.Target == "" || slices.Contains(key.Targets, l.stack.Target)
		switch {
		case isSet && !applies:
			l.fail(key.Name, fmt.Sprintf("it has no effect on target %s, only on %s: remove it", l.stack.Target, oneOf(key.Targets)))
			continue
		case !isSet && (!applies || key.Default == ""):
			continue
		case !isSet:
			raw = key.Default
		}
		if err := key.set(&l.stack.Settings, raw); err != nil {
			l.fail(key.Name, fmt.Sprintf("%v: allowed is %s", err, key.Allowed))
			continue
		}
		valid[key.Name] = true
	}
	s := l.stack.Settings
	if valid[keySessionIdleTimeout] && valid[keySessionAbsoluteTimeout] && s.SessionIdleTimeout >= s.SessionAbsoluteTimeout {
		l.failTimeouts(s)
	}
	l.failAlerting()
	l.failTracing()
}

// failTimeouts blames the timeout that the configuration sets, or the idle one if it sets both.
func (l *loader) failTimeouts(s Settings) {
	idle := fmt.Sprintf("%s:%s (%s)", Namespace, keySessionIdleTimeout, compact(s.SessionIdleTimeout))
	absolute := fmt.Sprintf("%s:%s (%s)", Namespace, keySessionAbsoluteTimeout, compact(s.SessionAbsoluteTimeout))
	if _, isSet := l.config[keySessionIdleTimeout]; isSet {
		l.fail(keySessionIdleTimeout, "it must be less than "+absolute)
		return
	}
	l.fail(keySessionAbsoluteTimeout, "it must be more than "+idle)
}

func (l *loader) checkUnknownKeys() {
	var known []string
	for _, key := range keys() {
		known = append(known, key.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(l.config)) {
		if slices.Contains(known, name) {
			continue
		}
		if near, ok := nearest(name, known); ok {
			l.fail(name, fmt.Sprintf("unknown key: did you mean %s:%s?", Namespace, near))
		} else {
			l.fail(name, "unknown key: known are "+strings.Join(known, ", "))
		}
	}
}

// KeyError is one thing that is wrong with one key of a stack's configuration.
type KeyError struct {
	// Key comes without its namespace.
	Key string
	// Value is what the configuration says, if the key is set at all.
	Value string
	Set   bool
	// Problem says what is wrong and what is allowed.
	Problem string
}

// Error gives, for example, `rad-panel:logLevel: "loud": allowed is debug, info, warn, error`.
func (e *KeyError) Error() string {
	value := "not set"
	if e.Set {
		value = quoted(e.Value)
	}
	return fmt.Sprintf("%s:%s: %s: %s", Namespace, printable(e.Key), value, e.Problem)
}

// NameError is what cannot be the name of a stack.
type NameError struct{ Name string }

// Error names the name and what is allowed.
func (e *NameError) Error() string {
	return fmt.Sprintf("stack name %s: allowed are 1 to 100 letters, digits, dots, hyphens and underscores, no dot first", quoted(e.Name))
}

func contradiction(name, meant string) string {
	return fmt.Sprintf("it contradicts the stack's name %s, which means %s: remove the key or use another stack", quoted(name), meant)
}

func oneOf[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

// quoted writes a value from outside into a message: on one line, of bounded length.
func quoted(value string) string { return strconv.Quote(shortened(value)) }

// printable is quoted without the quotes.
func printable(value string) string {
	q := quoted(value)
	return q[1 : len(q)-1]
}

func shortened(value string) string {
	const limit = 80
	if runes := []rune(value); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return value
}
