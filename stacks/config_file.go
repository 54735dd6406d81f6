package stacks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxFileSize bounds what is read: a stack's file has a handful of lines.
const maxFileSize = 1 << 20

// ReadFile reads a file such as Pulumi.tier1.yaml, as [Read] does. Errors name the file.
func ReadFile(path string) (config map[string]string, err error) {
	file, err := os.Open(path) //nolint:gosec // the path is the operator's own
	if err != nil {
		return nil, fmt.Errorf("read the stack's configuration: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	config, err = Read(file)
	if err != nil {
		return nil, inFile(path, err)
	}
	return config, nil
}

// inFile names the file in each of the errors that are joined.
func inFile(path string, err error) error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return fmt.Errorf("%s: %w", path, err)
	}
	var named []error
	for _, e := range joined.Unwrap() {
		named = append(named, fmt.Errorf("%s: %w", path, e))
	}
	return errors.Join(named...)
}

// Read reads the content of a Pulumi.<stack>.yaml file and gives the project's keys, without their namespace, with
// their values as text, ready for [Load]. What belongs to Pulumi or to other namespaces is left alone. The error
// joins everything that is wrong, each with its line.
func Read(r io.Reader) (map[string]string, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFileSize {
		return nil, fmt.Errorf("larger than %s: not a stack's configuration", Bytes(maxFileSize))
	}
	var document yaml.Node
	decoder := yaml.NewDecoder(strings.NewReader(string(content)))
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF): // an empty file is what `pulumi stack init` leaves
		return map[string]string{}, nil
	case err != nil:
		return nil, err // yaml names the line
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one YAML document: a stack's configuration is one")
	}
	return readRoot(document.Content[0])
}

func readRoot(root *yaml.Node) (map[string]string, error) {
	config := map[string]string{}
	if isNull(root) {
		return config, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, at(root, "expected keys and values, such as config:, got %s", describe(root))
	}
	var section *yaml.Node
	first := 0
	for key, value := range pairs(root) {
		if key.Value != "config" {
			continue
		}
		if section != nil {
			return nil, at(key, "config: is there twice, first on line %d", first)
		}
		section, first = value, key.Line
	}
	if section == nil || isNull(section) {
		return config, nil
	}
	if section.Kind != yaml.MappingNode {
		return nil, at(section, "config: expected keys and values, such as %s:tier: mvp, got %s", Namespace, describe(section))
	}
	return readConfig(section)
}

func readConfig(section *yaml.Node) (map[string]string, error) {
	config := map[string]string{}
	lines := map[string]int{}
	var errs []error
	for key, value := range pairs(section) {
		if key.Kind != yaml.ScalarNode {
			errs = append(errs, at(key, "expected a key such as %s:tier, got %s", Namespace, describe(key)))
			continue
		}
		namespace, name, ok := strings.Cut(key.Value, ":")
		if !ok {
			errs = append(errs, at(key, "key %s has no namespace: write %s:%s", quoted(key.Value), Namespace, printable(key.Value)))
			continue
		}
		if namespace != Namespace {
			continue
		}
		if first, ok := lines[name]; ok {
			errs = append(errs, at(key, "%s is there twice, first on line %d", printable(key.Value), first))
			continue
		}
		lines[name] = key.Line
		if problem := problemOf(value); problem != "" {
			errs = append(errs, at(value, "%s: %s", printable(key.Value), problem))
			continue
		}
		config[name] = value.Value
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return config, nil
}

// problemOf says why a node is no plain value; empty for one that is.
func problemOf(value *yaml.Node) string {
	switch {
	case isNull(value):
		return "it has no value: give it one or remove the line"
	case value.Kind == yaml.ScalarNode:
		return ""
	case isSecure(value):
		return "it is encrypted, but no secret: set it in clear, by `pulumi config set` without --secret"
	default:
		return "expected a single value, got " + describe(value)
	}
}

// isSecure tells whether Pulumi wrote the value by `pulumi config set --secret`.
func isSecure(value *yaml.Node) bool {
	return value.Kind == yaml.MappingNode && len(value.Content) == 2 && value.Content[0].Value == "secure"
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" }

// pairs gives the keys and values of a mapping, in order.
func pairs(mapping *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(mapping.Content[i], mapping.Content[i+1]) {
				return
			}
		}
	}
}

func at(node *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", node.Line, fmt.Sprintf(format, args...))
}

func describe(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	case yaml.ScalarNode:
		return "the value " + quoted(node.Value)
	default:
		return "nothing"
	}
}
