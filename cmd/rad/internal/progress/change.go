package progress

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const (
	// valueWidth is how much of a value a preview shows, in characters.
	valueWidth = 60
	// shownLines is how many changed lines of a text a preview shows on each side.
	shownLines = 8
)

// SortChanges puts what endangers data first, then what is deleted, replaced, updated and created, each by name.
func SortChanges(changes []Change) {
	order := []Operation{Delete, Replace, Update, Create}
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(
			-cmp.Compare(a.Risk, b.Risk),
			cmp.Compare(slices.Index(order, a.Operation), slices.Index(order, b.Operation)),
			cmp.Compare(a.Resource, b.Resource),
		)
	})
}

func changeLines(change Change, style Style) []string {
	head := fmt.Sprintf("%s %-22s %s", style.Sign(change.Operation), change.Resource, change.Operation)
	if change.Risk == RiskData {
		head += style.Red("  DATA LOSS: what it holds would be gone")
		if change.Protected {
			head += style.Red(" (protected: refused)")
		}
	}
	result := []string{head}
	for _, property := range change.Properties {
		result = append(result, propertyLines(property, style)...)
	}
	return result
}

func propertyLines(property Property, style Style) []string {
	path := property.Path
	if property.Replaces {
		path += style.Yellow(" (forces the replacement)")
	}
	if strings.Contains(property.Old, "\n") || strings.Contains(property.New, "\n") {
		return append([]string{"    " + path + ":"}, textLines(property.Old, property.New, style)...)
	}
	switch property.Kind {
	case "add":
		return []string{fmt.Sprintf("    %s: %s", path, shorten(property.New))}
	case "delete":
		return []string{fmt.Sprintf("    %s: %s -> (none)", path, shorten(property.Old))}
	default:
		return []string{fmt.Sprintf("    %s: %s -> %s", path, shorten(property.Old), shorten(property.New))}
	}
}

// textLines shows what differs between two texts: what lies between their common beginning and their common end.
func textLines(before, after string, style Style) []string {
	old, now := splitLines(before), splitLines(after)
	for len(old) > 0 && len(now) > 0 && old[0] == now[0] {
		old, now = old[1:], now[1:]
	}
	for len(old) > 0 && len(now) > 0 && old[len(old)-1] == now[len(now)-1] {
		old, now = old[:len(old)-1], now[:len(now)-1]
	}
	var result []string
	side := func(lines []string, sign string, colour func(string) string) {
		for _, line := range lines[:min(len(lines), shownLines)] {
			result = append(result, colour("      "+sign+" "+shorten(line)))
		}
		if more := len(lines) - shownLines; more > 0 {
			result = append(result, colour(fmt.Sprintf("      %s … %d more lines", sign, more)))
		}
	}
	side(old, "-", style.Red)
	side(now, "+", style.Green)
	return result
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func shorten(text string) string {
	if runes := []rune(text); len(runes) > valueWidth {
		return string(runes[:valueWidth-1]) + "…"
	}
	return text
}
