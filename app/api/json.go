package api

import (
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

var errUnstorableText = errors.New("text must be UTF-8 without NUL characters")

// jsonFormat reads and writes JSON bodies. PostgreSQL can store neither NUL characters nor what is not UTF-8, so a body
// with either is refused here, once for every operation.
func jsonFormat() huma.Format {
	return huma.Format{
		Marshal: huma.DefaultJSONFormat.Marshal,
		Unmarshal: func(data []byte, v any) error {
			// huma reads a body twice: into an any, where an error means 400 (not JSON), then into the input, where it
			// means 422 (not acceptable), which is what this is.
			if _, first := v.(*any); !first && (!utf8.Valid(data) || hasNUL(data)) {
				return errUnstorableText
			}
			return json.Unmarshal(data, v)
		},
	}
}

// hasNUL reports whether JSON has an escaped NUL character in a string. An unescaped one is not JSON.
func hasNUL(data []byte) bool {
	for i := 0; i+1 < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++ // The escaped character: a second backslash must not start another escape.
		if data[i] == 'u' && i+4 < len(data) && string(data[i+1:i+5]) == "0000" {
			return true
		}
	}
	return false
}
