package declared

import (
	"encoding/json"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// exported is what `pulumi stack export` writes, as far as it is needed here.
type exported struct {
	Deployment *struct {
		Resources []struct {
			URN     string         `json:"urn"`
			Type    string         `json:"type"`
			Custom  bool           `json:"custom"`
			Delete  bool           `json:"delete"` // what is left of a replacement
			Protect bool           `json:"protect"`
			Inputs  map[string]any `json:"inputs"`
		} `json:"resources"`
	} `json:"deployment"`
}

// ParseState reads the resources of a stack from what `pulumi stack export` wrote. Is tells whether that is what it is.
func ParseState(content []byte) (resources []Resource, is bool) {
	var file exported
	if err := json.Unmarshal(content, &file); err != nil || file.Deployment == nil {
		return nil, false
	}
	for _, s := range file.Deployment.Resources {
		if s.Custom && !s.Delete && !strings.HasPrefix(s.Type, "pulumi:") {
			resources = append(resources, Resource{Type: s.Type, Name: NameOf(s.URN), Inputs: Clean(s.Inputs), Protected: s.Protect})
		}
	}
	return resources, true
}

// NameOf gives the name of a resource: the last part of its URN.
func NameOf(urn string) string {
	if end := strings.LastIndex(urn, "::"); end >= 0 {
		return urn[end+len("::"):]
	}
	return urn
}

// Clean replaces the engine's encodings of secrets and of values that are not known yet by [Secret] and [Unknown], however
// deep they are.
func Clean(inputs map[string]any) map[string]any {
	if inputs == nil {
		return nil
	}
	cleaned, _ := clean(inputs).(map[string]any)
	return cleaned
}

func clean(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if v[resource.SigKey] == resource.SecretSig {
			return Secret{}
		}
		cleaned := make(map[string]any, len(v))
		for key, element := range v {
			cleaned[key] = clean(element)
		}
		return cleaned
	case []any:
		cleaned := make([]any, len(v))
		for i, element := range v {
			cleaned[i] = clean(element)
		}
		return cleaned
	case string:
		switch v {
		case plugin.UnknownStringValue, plugin.UnknownBoolValue, plugin.UnknownNumberValue, plugin.UnknownArrayValue,
			plugin.UnknownAssetValue, plugin.UnknownArchiveValue, plugin.UnknownObjectValue:
			return Unknown{}
		}
		if v == "[secret]" { // as events and previews have it
			return Secret{}
		}
		return v
	default:
		return value
	}
}
