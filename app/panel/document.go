package panel

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits on a record's document.
const (
	// maxDocumentSize is in bytes of compact JSON.
	maxDocumentSize = 64 << 10
	// maxDocumentDepth is how deep objects and arrays may be nested, the document itself being the first level.
	maxDocumentDepth = 16
	// maxNumberLength is in characters. A float64 needs 24; the rest is for those who write decimals by hand.
	maxNumberLength = 100
	// maxExponent is that of a float64, which is what browsers read numbers into.
	maxExponent = 308
)

// ParseDocument checks the document of a record and returns it as PostgreSQL can surely store it. JSON allows more
// than jsonb does (NUL characters, half surrogate pairs, numbers beyond any type); those are refused, or replaced as
// in any JSON decoder. Empty input is an empty document.
func ParseDocument(raw []byte) (json.RawMessage, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return json.RawMessage("{}"), nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var document map[string]any
	if err := decoder.Decode(&document); err != nil || document == nil {
		return nil, invalid("data", "expected a JSON object")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, invalid("data", "expected one JSON object and nothing behind it")
	}
	for _, key := range slices.Sorted(maps.Keys(document)) {
		if err := validateKey("data", key); err != nil {
			return nil, err
		}
		if err := validateValue("data."+key, document[key], maxDocumentDepth-1); err != nil {
			return nil, err
		}
	}
	return encodeDocument(document)
}

// encodeDocument writes compact JSON, without the escapes that are for HTML.
func encodeDocument(document any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return nil, invalid("data", "%v", err)
	}
	compact := bytes.TrimRight(out.Bytes(), "\n")
	if len(compact) > maxDocumentSize {
		return nil, invalid("data", "%d bytes; expected at most %d", len(compact), maxDocumentSize)
	}
	return compact, nil
}

func validateValue(field string, value any, depth int) error {
	switch value := value.(type) {
	case string:
		return validateString(field, value)
	case json.Number:
		return validateNumber(field, value.String())
	case map[string]any:
		if depth == 0 {
			break
		}
		for key, inner := range value {
			if err := validateString(field, key); err != nil {
				return err
			}
			if err := validateValue(field, inner, depth-1); err != nil {
				return err
			}
		}
		return nil
	case []any:
		if depth == 0 {
			break
		}
		for _, inner := range value {
			if err := validateValue(field, inner, depth-1); err != nil {
				return err
			}
		}
		return nil
	default: // true, false, null
		return nil
	}
	return invalid(field, "nested too deep; expected at most %d levels", maxDocumentDepth)
}

func validateString(field, value string) error {
	if strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
		return invalid(field, "expected UTF-8 text without NUL characters")
	}
	return nil
}

func validateNumber(field, number string) error {
	if len(number) > maxNumberLength {
		return invalid(field, "a number of %d characters; expected at most %d", len(number), maxNumberLength)
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsInf(value, 0) || exponentOf(number) > maxExponent {
		return invalid(field, "the number %s is beyond what a double holds", number)
	}
	return nil
}

// exponentOf is the size of the exponent that is written out. A tiny number is zero as a float64 but would have
// hundreds of thousands of decimals in PostgreSQL.
func exponentOf(number string) int {
	_, exponent, found := strings.Cut(strings.ToLower(number), "e")
	if !found {
		return 0
	}
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return math.MaxInt
	}
	return max(n, -n)
}
