package awstest

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"gopkg.in/yaml.v3"
)

//go:embed types.yaml
var typesFile []byte

// Type is what the stand-in knows of a resource type.
type Type struct {
	// ID and Outputs are templates of what the cloud adds.
	ID      string            `yaml:"id"`
	Outputs map[string]string `yaml:"outputs"`
	// Auto is the input that the provider fills in.
	Auto string `yaml:"auto"`
	// Unique are the inputs that, together, no two resources may share.
	Unique []string `yaml:"unique"`
	// Secret are the properties that the provider marks as secret.
	Secret []string `yaml:"secret"`
	// Raw is as the file has it: see Inputs.
	Raw []string `yaml:"inputs"`
	// Inputs are the known inputs by their path, such as "rootBlockDevice.encrypted".
	Inputs map[string]Input `yaml:"-"`
}

// Input is what the stand-in knows of an input.
type Input struct {
	Required bool
	// Replaces says that a change of it replaces the resource.
	Replaces bool
}

// Types gives what the stand-in knows, by token.
func Types() (map[string]Type, error) {
	types := map[string]Type{}
	if err := yaml.Unmarshal(typesFile, &types); err != nil {
		return nil, fmt.Errorf("types.yaml: %w", err)
	}
	for token, known := range types {
		known.Inputs = map[string]Input{}
		for _, raw := range known.Raw {
			path := strings.TrimRight(raw, "!^")
			marks := raw[len(path):]
			known.Inputs[path] = Input{Required: strings.Contains(marks, "!"), Replaces: strings.Contains(marks, "^")}
		}
		types[token] = known
	}
	return types, nil
}

// problems lists what is wrong with inputs: what nobody knows, and what is missing.
func (t Type) problems(inputs resource.PropertyMap) []problem {
	return t.problemsIn("", inputs)
}

// problem is one thing that is wrong with one input.
type problem struct{ property, reason string }

func (t Type) problemsIn(prefix string, inputs resource.PropertyMap) []problem {
	var all []problem
	for _, key := range inputs.StableKeys() {
		if strings.HasPrefix(string(key), "__") {
			continue // The engine's own.
		}
		path := prefix + string(key)
		if _, known := t.Inputs[path]; !known {
			all = append(all, problem{path, "the stand-in knows no such property: is it spelt right? If so, add it to types.yaml"})
			continue
		}
		if t.isObject(path) {
			all = append(all, t.problemsWithin(path+".", inputs[key])...)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(t.Inputs)) {
		name, isHere := strings.CutPrefix(path, prefix)
		if !isHere || strings.Contains(name, ".") || !t.Inputs[path].Required {
			continue
		}
		if value, set := inputs[resource.PropertyKey(name)]; !set || value.IsNull() {
			all = append(all, problem{path, "it is required and missing"})
		}
	}
	return all
}

// isObject tells whether the stand-in knows what is within a property. Of other maps, such as tags, any key will do.
func (t Type) isObject(path string) bool {
	for other := range t.Inputs {
		if strings.HasPrefix(other, path+".") {
			return true
		}
	}
	return false
}

func (t Type) problemsWithin(prefix string, value resource.PropertyValue) []problem {
	value = bare(value)
	switch {
	case value.IsObject():
		return t.problemsIn(prefix, value.ObjectValue())
	case value.IsArray():
		var all []problem
		for _, element := range value.ArrayValue() {
			all = append(all, t.problemsWithin(prefix, element)...)
		}
		return all
	default:
		return nil
	}
}

// changes lists the paths at which two values differ, as deep as the stand-in knows them.
func (t Type) changes(prefix string, before, after resource.PropertyMap) []string {
	var all []string
	keys := map[resource.PropertyKey]bool{}
	for _, properties := range []resource.PropertyMap{before, after} {
		for key := range properties {
			keys[key] = !strings.HasPrefix(string(key), "__")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		path, old, now := prefix+string(key), bare(before[key]), bare(after[key])
		switch {
		case !keys[key] || old.DeepEquals(now):
		case old.IsObject() && now.IsObject() && t.isObject(path):
			all = append(all, t.changes(path+".", old.ObjectValue(), now.ObjectValue())...)
		default:
			all = append(all, path)
		}
	}
	return all
}

// bare gives a value without the mark of a secret or of an output.
func bare(value resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case value.IsSecret():
			value = value.SecretValue().Element
		case value.IsOutput() && value.OutputValue().Known:
			value = value.OutputValue().Element
		default:
			return value
		}
	}
}
