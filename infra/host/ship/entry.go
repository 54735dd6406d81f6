package ship

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// lineLimit is how long an entry of the journal may be, in its JSON; what is longer is left out, as CloudWatch would not
	// take it.
	lineLimit = 2 << 20
	// messageLimit is how much of a message is carried, in bytes: CloudWatch takes events of 1 MiB, and JSON may need six
	// bytes for one.
	messageLimit = 128 << 10
)

// entry is one of the journal's, as CloudWatch gets it.
type entry struct {
	cursor string
	at     time.Time
	text   string
	// routine entries stay on the host: CloudWatch charges by the byte, and there are two for each request.
	routine bool
}

// event is the text of an entry. CloudWatch finds its fields by their names.
type event struct {
	Unit     string `json:"unit,omitempty"`
	Program  string `json:"program,omitempty"`
	PID      string `json:"pid,omitempty"`
	Priority string `json:"priority,omitempty"`
	// Message is what was written: an object, if it was one, else a string.
	Message json.RawMessage `json:"message"`
}

// priorities are syslog's, by number.
func priority(number string) string {
	names := []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
	if n, err := strconv.Atoi(number); err == nil && n >= 0 && n < len(names) {
		return names[n]
	}
	return ""
}

// fields are those that journalctl is asked for.
func fields() string { return "MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER,_PID" }

// readEntry reads a line of journalctl --output=json. See "Journal JSON Format" of systemd.
func readEntry(line []byte) (entry, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return entry{}, fmt.Errorf("entry of the journal: expected a JSON object: %w", err)
	}
	e := entry{cursor: field(raw, "__CURSOR")}
	microseconds, err := strconv.ParseInt(field(raw, "__REALTIME_TIMESTAMP"), 10, 64)
	if err != nil || microseconds < 0 || !cursorPattern.MatchString(e.cursor) {
		return entry{}, fmt.Errorf("entry of the journal: cursor %.100q, time %.100q: expected both",
			e.cursor, field(raw, "__REALTIME_TIMESTAMP"))
	}
	e.at = time.UnixMicro(microseconds)
	unit := field(raw, "_SYSTEMD_UNIT")
	if about := field(raw, "UNIT"); about != "" { // systemd's own words about a unit
		unit = about
	}
	what := event{
		Unit: unit, Program: field(raw, "SYSLOG_IDENTIFIER"), PID: field(raw, "_PID"), Priority: priority(field(raw, "PRIORITY")),
		Message: message(field(raw, "MESSAGE")),
	}
	text, err := json.Marshal(what)
	if err != nil {
		return entry{}, fmt.Errorf("entry of the journal: %w", err)
	}
	e.text, e.routine = string(text), IsRoutine(what.Message)
	return e, nil
}

// IsRoutine tells whether the web server or the service says, in what it wrote, that it has answered a request, without more to it.
func IsRoutine(message json.RawMessage) bool {
	var said struct {
		Level   string `json:"level"`
		Message string `json:"msg"`
		Status  int    `json:"status"`
	}
	if !bytes.HasPrefix(message, []byte("{")) || json.Unmarshal(message, &said) != nil {
		return false
	}
	return said.Level == "INFO" && (said.Message == "access" || said.Message == "request") && said.Status < http.StatusInternalServerError
}

// cursorPattern is what journalctl takes after --after-cursor.
var cursorPattern = regexp.MustCompile(`^[a-z]=[0-9a-f]+(;[a-z]=[0-9a-f]+){1,10}$`)

// field gives a field as text: a string; the bytes of what is no UTF-8; the first of several; nothing for null.
func field(raw map[string]json.RawMessage, name string) string {
	return text(raw[name], 2)
}

func text(value json.RawMessage, depth int) string {
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	var several []json.RawMessage
	if depth == 0 || json.Unmarshal(value, &several) != nil || len(several) == 0 {
		return ""
	}
	var numbers []uint8
	for _, v := range several {
		n, err := strconv.ParseUint(string(v), 10, 8)
		if err != nil {
			return text(several[0], depth-1)
		}
		numbers = append(numbers, uint8(n))
	}
	return strings.ToValidUTF8(string(numbers), "\uFFFD")
}

// message gives an object as it is, and everything else as a string, of which too much is cut off.
func message(s string) json.RawMessage {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > messageLimit {
		cut := messageLimit
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + fmt.Sprintf(" … and %d bytes more", len(s)-cut)
	} else if strings.HasPrefix(s, "{") && json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	quoted, err := json.Marshal(s)
	if err != nil { // A string has no error.
		return json.RawMessage(`""`)
	}
	return quoted
}

var errLineTooLong = errors.New("a line is too long")

// readLine gives the next line without its end. One that is longer than the limit is skipped, with errLineTooLong.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for tooLong := false; ; {
		part, err := r.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if len(line) > limit {
			tooLong, line = true, nil
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return nil, err
		case tooLong:
			return nil, errLineTooLong
		default:
			return bytes.TrimSuffix(line, []byte("\n")), nil
		}
	}
}
