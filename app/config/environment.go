package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// none is how an empty list is written, because an empty variable means its default.
const none = "none"

// Load reads the Config from the process's environment and validates it. The error joins everything that is
// wrong: each part names the variable, its value (never a secret's) and what is allowed.
func Load() (Config, error) {
	return LoadFrom(env.ToMap(os.Environ()))
}

// LoadFrom reads the Config from the given variables, as Load does from the process's environment.
func LoadFrom(environment map[string]string) (Config, error) {
	var c Config
	err := env.ParseWithOptions(&c, env.Options{Environment: environment})
	problems, failed := readProblems(err, environment)
	if len(c.TrustedProxies) == 1 && c.TrustedProxies[0] == none {
		c.TrustedProxies = nil
	}
	if len(c.ReplicaDatabaseURLs) == 0 || c.ReplicaDatabaseURLs[0] == none {
		c.ReplicaDatabaseURLs = nil
	}
	for _, p := range c.check() {
		if !failed[p.variable] { // What could not be read is reported once, not twice.
			problems = append(problems, p)
		}
	}
	return c, join(problems)
}

// Environ renders the Config into the variables that Load reads: LoadFrom(c.Environ()) gives c again.
// Secrets are in clear: the result belongs into a process's environment or a 0600 file and nowhere else.
func (c Config) Environ() map[string]string {
	v := reflect.ValueOf(c)
	out := make(map[string]string, v.NumField())
	for i := range v.NumField() {
		out[variable(v.Type().Field(i))] = render(v.Field(i))
	}
	return out
}

// Variables lists the names of all variables that Load reads, in the order of Config's fields.
func Variables() []string {
	t := reflect.TypeFor[Config]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = variable(t.Field(i))
	}
	return names
}

// Defaults gives the default of each variable that has one.
func Defaults() map[string]string {
	defaults := map[string]string{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if value, ok := f.Tag.Lookup("envDefault"); ok {
			defaults[variable(f)] = value
		}
	}
	return defaults
}

func variable(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
	return name
}

func render(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return x
	case Secret:
		return x.Reveal()
	case int:
		return strconv.Itoa(x)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case int64:
		return strconv.FormatInt(x, 10)
	case time.Duration:
		return x.String()
	case []string:
		return renderList(x)
	case []Secret:
		revealed := make([]string, len(x))
		for i, secret := range x {
			revealed[i] = secret.Reveal()
		}
		return renderList(revealed)
	default:
		panic(fmt.Sprintf("config: a field of type %T cannot be rendered; teach render how", x))
	}
}

func renderList(values []string) string {
	if len(values) == 0 {
		return none
	}
	return strings.Join(values, ",")
}

// problem is one thing that is wrong with one variable.
type problem struct {
	variable string
	value    string
	allowed  string
}

func (p problem) Error() string {
	if p.value == "" {
		return fmt.Sprintf("%s is not set: expected %s", p.variable, p.allowed)
	}
	return fmt.Sprintf("%s is %q: expected %s", p.variable, p.value, p.allowed)
}

func join(problems []problem) error {
	if len(problems) == 0 {
		return nil
	}
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return fmt.Errorf("configuration: %w", errors.Join(errs...))
}

// readProblems turns the reader's errors, which name Go fields, into problems that name variables.
func readProblems(err error, environment map[string]string) (problems []problem, failed map[string]bool) {
	failed = map[string]bool{}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return nil, failed
	}
	t := reflect.TypeFor[Config]()
	for _, e := range all.Errors {
		var parse env.ParseError
		if errors.As(e, &parse) {
			field, _ := t.FieldByName(parse.Name)
			name := variable(field)
			failed[name] = true
			problems = append(problems, problem{name, environment[name], "a " + kind(field.Type)})
		}
		// A missing variable is left to check, which knows what is allowed.
	}
	return problems, failed
}

func kind(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "duration such as 500ms, 20s or 168h"
	case reflect.TypeFor[int](), reflect.TypeFor[int64]():
		return "whole number"
	case reflect.TypeFor[float64]():
		return "number such as 0.1"
	default:
		return t.String()
	}
}
