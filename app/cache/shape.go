package cache

import (
	"fmt"
	"hash/fnv"
	"io"
	"reflect"
	"slices"
	"strconv"
)

// shapeOf tells types apart whose copies would not be read as they were written. A copy names its fields, and one that it
// lacks would be read as zero: the instances of two versions of the service each have copies of their own.
func shapeOf[T any](c *Cache) string {
	t := reflect.TypeFor[T]()
	if known, ok := c.shapes.Load(t); ok {
		return known.(string)
	}
	sum := fnv.New64a()
	describe(sum, t, nil)
	shape := strconv.FormatUint(sum.Sum64(), 36)
	c.shapes.Store(t, shape)
	return shape
}

// describe writes what a type is made of. within are those that it is a part of: one that holds itself is not told again.
func describe(out io.Writer, t reflect.Type, within []reflect.Type) {
	_, _ = fmt.Fprintf(out, "%s %s", t, t.Kind()) // A hash takes everything.
	if slices.Contains(within, t) {
		return
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Struct:
		for field := range t.Fields() {
			if field.IsExported() || field.Anonymous {
				_, _ = fmt.Fprintf(out, "{%s %q ", field.Name, field.Tag)
				describe(out, field.Type, within)
				_, _ = io.WriteString(out, "}")
			}
		}
	case reflect.Map:
		describe(out, t.Key(), within)
		describe(out, t.Elem(), within)
	case reflect.Array, reflect.Pointer, reflect.Slice:
		describe(out, t.Elem(), within)
	default:
	}
}
