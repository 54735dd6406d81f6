package panel

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits. Those on texts are also CHECKs of the schema; lengths are in characters.
const (
	// MaxPanels is how many panels a user may have.
	MaxPanels = 1_000
	// MaxRecords is how many records a panel may have. The statements stay fast beyond it; the limit keeps one user
	// from filling the disk of all.
	MaxRecords = 1_000_000
	// MaxFiles is how many files may be attached to a panel.
	MaxFiles = 1_000
	// MaxDeletions is how many records one request may delete.
	MaxDeletions = 1_000

	maxNameLength        = 200
	maxDescriptionLength = 2_000
	maxTitleLength       = 200
	maxColumns           = 50
	maxKeyLength         = 100
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrTooManyPanels: the user has MaxPanels.
	ErrTooManyPanels = fmt.Errorf("there are %d panels already, which is the limit; delete one first", MaxPanels)
	// ErrTooManyRecords: the panel has MaxRecords.
	ErrTooManyRecords = fmt.Errorf("a panel holds at most %d records; delete some first, or use another panel", MaxRecords)
	// ErrTooManyFiles: the panel has MaxFiles.
	ErrTooManyFiles = fmt.Errorf("a panel holds at most %d files; delete some first", MaxFiles)
	// ErrFileDeleted: the upload was attached before, and the file was deleted.
	ErrFileDeleted = errors.New("this file was deleted; upload it anew")
)

// InvalidError says what is wrong with one value that a user gave.
type InvalidError struct {
	// Field is the path of the value, such as "name" or "columns[2]" or "data.price".
	Field string
	// Message says what was expected.
	Message string
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Message }

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Message: fmt.Sprintf(format, args...)}
}

func (d Draft) validate() (Draft, error) {
	var nameErr, descriptionErr error
	d.Name, nameErr = line("name", d.Name, maxNameLength)
	d.Description, descriptionErr = text("description", d.Description, maxDescriptionLength)
	if d.Columns == nil {
		d.Columns = []string{}
	}
	return d, errors.Join(nameErr, descriptionErr, validateColumns(d.Columns))
}

func (c Change) validate() (Change, error) {
	var nameErr, descriptionErr error
	if c.Name != nil {
		var name string
		name, nameErr = line("name", *c.Name, maxNameLength)
		c.Name = &name
	}
	if c.Description != nil {
		var description string
		description, descriptionErr = text("description", *c.Description, maxDescriptionLength)
		c.Description = &description
	}
	return c, errors.Join(nameErr, descriptionErr, validateColumns(c.Columns))
}

func validateColumns(columns []string) error {
	if len(columns) > maxColumns {
		return invalid("columns", "%d columns; expected at most %d", len(columns), maxColumns)
	}
	seen := make(map[string]bool, len(columns))
	for i, column := range columns {
		field := fmt.Sprintf("columns[%d]", i)
		if err := validateKey(field, column); err != nil {
			return err
		}
		if seen[column] {
			return invalid(field, "%q is there twice", column)
		}
		seen[column] = true
	}
	return nil
}

// validateKey checks a key of a record's document, which may become a column of a panel and of a CSV file.
func validateKey(field, key string) error {
	if key == "" || utf8.RuneCountInString(key) > maxKeyLength {
		return invalid(field, "expected a key of 1 to %d characters", maxKeyLength)
	}
	if !printable(key, "") {
		return invalid(field, "expected a key without control characters")
	}
	return nil
}

// line checks a text of one line, which must not be empty, and returns it without the white space around it.
func line(field, value string, maxLength int) (string, error) { //nolint:unparam // Names and titles have limits of their own.
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		return "", invalid(field, "expected a text that is not empty")
	case utf8.RuneCountInString(value) > maxLength:
		return "", invalid(field, "%d characters; expected at most %d", utf8.RuneCountInString(value), maxLength)
	case !printable(value, ""):
		return "", invalid(field, "expected one line without control characters")
	}
	return value, nil
}

// text checks a text of any number of lines, which may be empty.
func text(field, value string, maxLength int) (string, error) {
	value = strings.TrimSpace(value)
	if length := utf8.RuneCountInString(value); length > maxLength {
		return "", invalid(field, "%d characters; expected at most %d", length, maxLength)
	}
	if !printable(value, "\n\r\t") {
		return "", invalid(field, "expected a text without control characters")
	}
	return value, nil
}

// printable reports whether value is valid text without control characters other than the allowed ones.
func printable(value, allowed string) bool {
	return utf8.ValidString(value) && strings.IndexFunc(value, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune(allowed, r)
	}) < 0
}
