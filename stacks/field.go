package stacks

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Field is the path of a field of [TierPlan], such as "Blueprint.Cache.Memory". The hosts of a role are reached
// by its name: "Blueprint.Hosts.database.RAM".
type Field string

// Source tells whether the plan states the value of a field. A field below one that is derived is derived too.
func (t TierPlan) Source(path Field) Source {
	for _, d := range t.Derived {
		if path == d.Field || strings.HasPrefix(string(path), string(d.Field)+".") {
			return Derived
		}
	}
	return Stated
}

// Value gives the value of a field of the tier. A host of a role that the tier does not have is the zero [Host].
// A path that leads nowhere is an error.
func (t TierPlan) Value(path Field) (any, error) {
	value := reflect.ValueOf(t)
	for name := range strings.SplitSeq(string(path), ".") {
		switch {
		case value.Kind() == reflect.Struct:
			value = value.FieldByName(name)
		case value.Type() == reflect.TypeFor[[]Host]() && slices.Contains(Roles(), Role(name)):
			host, _ := t.Blueprint.Host(Role(name))
			value = reflect.ValueOf(host)
		default:
			value = reflect.Value{}
		}
		if !value.IsValid() {
			return nil, fmt.Errorf("field %q of tier %q: there is no %q", path, t.Tier, name)
		}
	}
	return value.Interface(), nil
}
