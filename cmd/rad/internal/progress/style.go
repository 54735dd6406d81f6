package progress

// Style colours text, or leaves it as it is.
type Style struct{ colour bool }

// NewStyle gives a style that uses ANSI colours, or none.
func NewStyle(colour bool) Style { return Style{colour: colour} }

func (s Style) wrap(code, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold is for headings.
func (s Style) Bold(text string) string { return s.wrap("1", text) }

// Faint is for what matters less.
func (s Style) Faint(text string) string { return s.wrap("2", text) }

// Red is for what failed or is lost.
func (s Style) Red(text string) string { return s.wrap("31", text) }

// Green is for what is well.
func (s Style) Green(text string) string { return s.wrap("32", text) }

// Yellow is for what wants attention.
func (s Style) Yellow(text string) string { return s.wrap("33", text) }

// Sign gives an operation's sign in its colour.
func (s Style) Sign(operation Operation) string {
	switch operation {
	case Create:
		return s.Green(sign(operation))
	case Update, Replace:
		return s.Yellow(sign(operation))
	case Delete, RemoveOld:
		return s.Red(sign(operation))
	case Refresh, Same, Stop:
		return sign(operation)
	default:
		return sign(operation)
	}
}
