package infra

import (
	"context"
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"

	"github.com/radpanel/radpanel/infra/declared"
)

// plain turns inputs of the SDK, which are resolved or never will be before the update, into values without it.
func plain(ctx context.Context, input any) any {
	if output, is := input.(pulumi.Output); is {
		resolved, err := internals.UnsafeAwaitOutput(ctx, output)
		switch {
		case err != nil, !resolved.Known:
			return declared.Unknown{}
		case resolved.Secret:
			return declared.Secret{}
		default:
			return plain(ctx, resolved.Value)
		}
	}
	value := reflect.ValueOf(input)
	switch value.Kind() {
	case reflect.Map:
		result := make(map[string]any, value.Len())
		for _, key := range value.MapKeys() {
			result[key.String()] = plain(ctx, value.MapIndex(key).Interface())
		}
		return result
	case reflect.Slice, reflect.Array:
		result := make([]any, value.Len())
		for i := range result {
			result[i] = plain(ctx, value.Index(i).Interface())
		}
		return result
	case reflect.String:
		return value.String()
	case reflect.Bool:
		return value.Bool()
	case reflect.Int, reflect.Int64:
		return float64(value.Int())
	case reflect.Float64:
		return value.Float()
	default:
		return nil // Assets and references: nothing asks for them.
	}
}
