package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"

	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
)

const (
	secretText = "[secret]"
	laterText  = "(known later)"
)

// unknown tells how the engine writes a value that is not known before the update.
func unknown(text string) bool {
	switch text {
	case plugin.UnknownStringValue, plugin.UnknownBoolValue, plugin.UnknownNumberValue, plugin.UnknownArrayValue,
		plugin.UnknownAssetValue, plugin.UnknownArchiveValue, plugin.UnknownObjectValue:
		return true
	default:
		return false
	}
}

// propertiesOf gives the differences of an update or a replacement. What is created or deleted is seen as a whole.
func propertiesOf(step apitype.StepEventMetadata) []progress.Property {
	if step.Old == nil || step.New == nil {
		return nil
	}
	if len(step.DetailedDiff) == 0 {
		return topLevel(step)
	}
	var properties []progress.Property
	for _, path := range slices.Sorted(maps.Keys(step.DetailedDiff)) {
		diff := step.DetailedDiff[path]
		kind, replaces := strings.CutSuffix(string(diff.Kind), "-replace")
		before := step.Old.Outputs
		if diff.InputDiff {
			before = step.Old.Inputs
		}
		property := progress.Property{Path: path, Kind: kind, Replaces: replaces}
		if kind != "add" {
			property.Old = text(lookup(before, path))
		}
		if kind != "delete" {
			property.New = text(lookup(step.New.Inputs, path))
		}
		properties = append(properties, property)
	}
	return properties
}

// topLevel is for providers that say which properties differ, but not how.
func topLevel(step apitype.StepEventMetadata) []progress.Property {
	var properties []progress.Property
	for _, key := range slices.Sorted(slices.Values(step.Diffs)) {
		old, had := step.Old.Inputs[key]
		now, has := step.New.Inputs[key]
		property := progress.Property{Path: key, Kind: "update", Replaces: slices.Contains(step.Keys, key)}
		if had {
			property.Old = text(old)
		} else {
			property.Kind = "add"
		}
		if has {
			property.New = text(now)
		} else {
			property.Kind = "delete"
		}
		properties = append(properties, property)
	}
	return properties
}

// lookup gives the value at a property path such as `files["nginx.conf"].mode`. A secret on the way is the answer.
func lookup(properties map[string]any, path string) any {
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil {
		return nil
	}
	var current any = properties
	for _, element := range parsed {
		if isSecret(current) {
			return current
		}
		switch container := current.(type) {
		case map[string]any:
			current = container[fmt.Sprint(element)]
		case []any:
			index, isIndex := element.(int)
			if !isIndex || index < 0 || index >= len(container) {
				return nil
			}
			current = container[index]
		default:
			return nil
		}
	}
	return current
}

func isSecret(value any) bool {
	object, is := value.(map[string]any)
	return is && object[resource.SigKey] == resource.SecretSig
}

// text writes a value for people, without secrets.
func text(value any) string {
	switch v := masked1(value).(type) {
	case nil:
		return ""
	case string:
		return Redact(v)
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		content, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return Redact(string(content))
	}
}

// masked replaces the engine's encodings of secrets and of unknown values by words, however deep they are.
func masked(properties map[string]any) map[string]any {
	result := make(map[string]any, len(properties))
	for key, value := range properties {
		result[key] = masked1(value)
	}
	return result
}

func masked1(value any) any {
	if isSecret(value) {
		return secretText
	}
	switch v := value.(type) {
	case map[string]any:
		return masked(v)
	case []any:
		result := make([]any, len(v))
		for i, element := range v {
			result[i] = masked1(element)
		}
		return result
	case string:
		if unknown(v) {
			return laterText
		}
		return v
	default:
		return value
	}
}
