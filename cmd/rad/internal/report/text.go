package report

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// What is written of others' making, such as names, values and messages, is text and nothing else: it neither ends what it is
// in, nor calls people, nor shows pictures, and it is short. A pull request can hold anything.

const (
	// nameLength is how much of a name is shown, proseLength of what a rule says, valueLength of a value: enough to recognise it.
	nameLength  = 120
	proseLength = 600
	valueLength = 200
	// failureLength is how much is shown of why there is no preview.
	failureLength = 4000
)

// fences are what could begin or end a block of code.
var fences = regexp.MustCompile("``+")

// items are what at the beginning of a line would make it one of a list, or the line before a heading.
var items = regexp.MustCompile(`^([-+=]|\d+[.)])`)

// apart is put behind what GitHub would make a mention or a reference of. It has no width.
const apart = "\u200b"

// flat gives a text on one line, without what cannot be seen or turns the direction of what is read.
func flat(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	return strings.Join(strings.Fields(text), " ")
}

// limited gives at most so many characters of a text.
func limited(text string, length int) string {
	if runes := []rune(text); len(runes) > length {
		return fmt.Sprintf("%s… (%d characters)", string(runes[:length]), len(runes))
	}
	return text
}

// code writes a name as code, in a cell of a table too.
func code(name string) string {
	name = limited(flat(name), nameLength)
	if name == "" {
		name = "?"
	}
	return "`" + strings.NewReplacer("`", "'", "|", "¦").Replace(name) + "`"
}

// prose writes a text between others. What is code in it stays code.
func prose(text string) string { return proseOf(limited(flat(text), proseLength)) }

func proseOf(text string) string {
	text = fences.ReplaceAllStringFunc(text, func(run string) string { return strings.Repeat("'", len(run)) })
	if strings.Count(text, "`")%2 != 0 {
		text = strings.ReplaceAll(text, "`", "'")
	}
	var out strings.Builder
	if items.MatchString(text) {
		out.WriteString(apart)
	}
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 { // Within code nothing is read but its end.
			out.WriteString("`" + strings.ReplaceAll(part, "|", "¦") + "`")
			continue
		}
		out.WriteString(escapes().Replace(part))
	}
	return out.String()
}

func escapes() *strings.Replacer {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@"+apart, "#", "#"+apart, "://", ":"+apart+"//", "www.", "www"+apart+".",
		`\`, `\\`, "[", `\[`, "]", `\]`, "*", `\*`, "_", `\_`, "~", `\~`, "|", `\|`)
}

// paragraph writes a message of several lines within a quotation.
func paragraph(text string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		lines = append(lines, prose(line))
	}
	const most = 12
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("… and %d more lines", len(lines)-most))
	}
	return strings.Join(lines, "\n> ")
}

// fenced gives a text on one line of a block of code.
func fenced(text string, length int) string {
	return strings.ReplaceAll(limited(flat(text), length), "```", "'''")
}

// apartFrom leaves out of two long texts what they begin with alike, but for a little, so that the difference is seen.
func apartFrom(before, after string) (cutBefore, cutAfter string) {
	const context = 40
	a, b := []rune(before), []rune(after)
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	cut := same - context
	if max(len(a), len(b)) <= valueLength || cut <= 0 {
		return before, after
	}
	return "…" + string(a[cut:]), "…" + string(b[cut:])
}

// block gives a text of several lines within a block of code.
func block(text string) string {
	var lines []string
	for line := range strings.Lines(limited(strings.TrimSpace(text), failureLength)) {
		lines = append(lines, fenced(line, failureLength))
	}
	return strings.Join(lines, "\n")
}

// within writes as many lines as fit into so many characters, and what it says of those that do not. Whole tells whether all did.
func within(lines []string, room int, rest func(left int) string) (text string, whole bool) {
	var out strings.Builder
	for i, line := range lines {
		more := ""
		if left := len(lines) - i; left > 1 {
			more = rest(left)
		}
		if room -= length(line); room < length(more) {
			out.WriteString(rest(len(lines) - i))
			return out.String(), false
		}
		out.WriteString(line)
	}
	return out.String(), true
}

// length counts characters as GitHub does.
func length(text string) int { return len([]rune(text)) }
