// Package declared describes the resources of a stack as plain data, so that what they cost and which rules they break can
// be told without an engine, a cloud or the program that declared them.
package declared

// Operation is what an update would do to a resource.
type Operation string

// The operations. A resource of a program that ran by itself, without an engine, has none.
const (
	Create  Operation = "create"
	Update  Operation = "update"
	Replace Operation = "replace"
	Delete  Operation = "delete"
	Same    Operation = "same"
)

// Resource is one resource of a stack.
type Resource struct {
	// Type is Pulumi's token, such as "aws:ec2/instance:Instance".
	Type string
	Name string
	// Operation is empty if it is not known.
	Operation Operation
	// Inputs are what the program says; nil if the resource would be deleted. See [Unknown] and [Secret].
	Inputs map[string]any
	// Old are the inputs of the update before. Nil: there was none.
	Old map[string]any
	// Protected says that the engine refuses to delete or replace it.
	Protected bool
}

// Unknown stands for a value that is known only once another resource exists.
type Unknown struct{}

// Secret stands for a value that is not to be seen.
type Secret struct{}

// After gives the resources that an update leaves, and Before those that it found.
func After(resources []Resource) []Resource {
	var kept []Resource
	for _, r := range resources {
		if r.Operation != Delete {
			kept = append(kept, r)
		}
	}
	return kept
}

// Before gives the resources that an update finds, with the inputs that they have before it.
func Before(resources []Resource) []Resource {
	var found []Resource
	for _, r := range resources {
		if r.Operation == Create {
			continue
		}
		if r.Old != nil {
			r.Inputs = r.Old
		}
		found = append(found, r)
	}
	return found
}

// At gives the value at a path of names, and of indexes of lists; nil if there is none.
func At(value any, path ...any) any {
	for _, element := range path {
		switch container := value.(type) {
		case map[string]any:
			name, isName := element.(string)
			if !isName {
				return nil
			}
			value = container[name]
		case []any:
			index, isIndex := element.(int)
			if !isIndex || index < 0 || index >= len(container) {
				return nil
			}
			value = container[index]
		default:
			return nil
		}
	}
	return value
}

// Text gives the input at a path as a string; "" if it is none.
func (r Resource) Text(path ...any) string {
	text, _ := At(r.Inputs, path...).(string)
	return text
}

// Number gives the input at a path as a number; other if it is none.
func (r Resource) Number(other float64, path ...any) float64 {
	switch n := At(r.Inputs, path...).(type) {
	case float64:
		return n
	case int:
		return float64(n)
	default:
		return other
	}
}

// Is tells whether the input at a path is true.
func (r Resource) Is(path ...any) bool {
	is, _ := At(r.Inputs, path...).(bool)
	return is
}

// List gives the input at a path as a list; nil if it is none.
func (r Resource) List(path ...any) []any {
	list, _ := At(r.Inputs, path...).([]any)
	return list
}
