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
	// maxDocumentSize is in bytes of compact JSON as it will be read: with its numbers as PostgreSQL writes them.
	maxDocumentSize = 64 << 10
	// maxDocumentDepth is how deep objects and arrays may be nested, the document itself being the first level.
	maxDocumentDepth = 16
	// maxNumberLength is in characters, of a number as PostgreSQL writes it. A float64 needs up to 343 of them
	// (-4.9406564584124654e-324); there are numbers of 403 from when the limit was on what was sent.
	maxNumberLength = 500
	// maxExponent is that of a float64, which is what browsers read numbers into.
	maxExponent = 324
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
	grown := 0
	for _, key := range slices.Sorted(maps.Keys(document)) {
		if err := validateKey("data", key); err != nil {
			return nil, err
		}
		more, err := validateValue("data."+key, document[key], maxDocumentDepth-1)
		if err != nil {
			return nil, err
		}
		grown += more
	}
	return encodeDocument(document, grown)
}

// encodeDocument writes compact JSON, without the escapes that are for HTML. PostgreSQL will write grown bytes more.
func encodeDocument(document any, grown int) (json.RawMessage, error) {
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
	if size := len(compact) + grown; size > maxDocumentSize {
		return nil, invalid("data", "%d bytes with all digits of its numbers; expected at most %d", size, maxDocumentSize)
	}
	return compact, nil
}

// validateValue returns by how many bytes the value grows when PostgreSQL writes it.
func validateValue(field string, value any, depth int) (grown int, err error) {
	switch value := value.(type) {
	case string:
		return 0, validateString(field, value)
	case json.Number:
		return validateNumber(field, value.String())
	case map[string]any:
		if depth == 0 {
			break
		}
		for key, inner := range value {
			if err := validateString(field, key); err != nil {
				return 0, err
			}
			more, err := validateValue(field, inner, depth-1)
			if err != nil {
				return 0, err
			}
			grown += more
		}
		return grown, nil
	case []any:
		if depth == 0 {
			break
		}
		for _, inner := range value {
			more, err := validateValue(field, inner, depth-1)
			if err != nil {
				return 0, err
			}
			grown += more
		}
		return grown, nil
	default: // true, false, null
		return 0, nil
	}
	return 0, invalid(field, "nested too deep; expected at most %d levels", maxDocumentDepth)
}

func validateString(field, value string) error {
	if strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
		return invalid(field, "expected UTF-8 text without NUL characters")
	}
	return nil
}

// validateNumber returns by how many bytes the number grows when PostgreSQL writes it.
func validateNumber(field, number string) (grown int, err error) {
	value, err := strconv.ParseFloat(number, 64)
	exponent, ok := exponentOf(number)
	if err != nil || math.IsInf(value, 0) || !ok {
		return 0, invalid(field, "the number %.40s is beyond what a double holds", number)
	}
	length := writtenLength(number, exponent)
	if length > maxNumberLength {
		return 0, invalid(field, "a number of %d characters with all its digits; expected at most %d", length, maxNumberLength)
	}
	return max(0, length-len(number)), nil
}

// exponentOf is the exponent that is written out; ok is false beyond maxExponent. A tiny number is zero as a float64 but
// would have hundreds of thousands of decimals in PostgreSQL.
func exponentOf(number string) (exponent int, ok bool) {
	_, text, found := strings.Cut(strings.ToLower(number), "e")
	if !found {
		return 0, true
	}
	exponent, err := strconv.Atoi(text)
	return exponent, err == nil && -maxExponent <= exponent && exponent <= maxExponent
}

// writtenLength is how long a number of JSON is as PostgreSQL writes it: without an exponent, and with all decimals that it
// was given, also those that are zero.
func writtenLength(number string, exponent int) int {
	digits, negative := strings.CutPrefix(number, "-")
	digits, _, _ = strings.Cut(strings.ToLower(digits), "e")
	whole, decimals, _ := strings.Cut(digits, ".")
	digits = whole + decimals
	significant := strings.TrimLeft(digits, "0")
	// The significant digits before the point, which the exponent moves.
	length := max(1, len(whole)+exponent-(len(digits)-len(significant)))
	if significant == "" {
		length = 1
	} else if negative {
		length++
	}
	if scale := len(decimals) - exponent; scale > 0 {
		length += len(".") + scale
	}
	return length
}
