package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// FieldError says that a value cannot be written into a configuration. The value of a secret is masked.
type FieldError struct {
	Program  string // such as "nginx"
	Field    string // such as "Upstreams[1]"
	Value    any
	Expected string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s configuration: %s %q: expected %s", e.Program, e.Field, fmt.Sprint(e.Value), e.Expected)
}

// checker collects all that is wrong with one program's arguments. Whatever passes it can stand in any of the
// configurations as it is: none of the characters that it lets through ends a word, a quotation or a line.
type checker struct {
	program string
	errs    []error
}

func (c *checker) err() error { return errors.Join(c.errs...) }

func (c *checker) fail(field string, value any, expected string) {
	c.errs = append(c.errs, &FieldError{Program: c.program, Field: field, Value: value, Expected: expected})
}

var (
	pathPattern        = regexp.MustCompile(`^/[A-Za-z0-9._@/-]+$`)
	identifierPattern  = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
	accountPattern     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9._-]{0,31}$`)
	hostNamePattern    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
	bucketPattern      = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	generationPattern  = regexp.MustCompile(`^[A-Za-z0-9@._-]{0,128}$`)
	printableASCII     = regexp.MustCompile(`^[ -~]{1,512}$`)
	passwordHashPrefix = regexp.MustCompile(`^(md5[0-9a-f]{32}$|SCRAM-SHA-256\$)`)
)

// path checks an absolute path.
func (c *checker) path(field, value string) {
	if !pathPattern.MatchString(value) || filepath.Clean(value) != value {
		c.fail(field, value, "an absolute path, without // or .. or a slash at its end, of the characters A-Z a-z 0-9 . _ @ / -")
	}
}

// maxSocketPath is the longest path of a unix socket on Linux: sun_path of unix(7) less its NUL.
const maxSocketPath = 107

// socketFolder checks the folder of a unix socket of that name.
func (c *checker) socketFolder(field, folder, name string) {
	c.path(field, folder)
	if path := filepath.Join(folder, name); len(path) > maxSocketPath {
		c.fail(field, folder, fmt.Sprintf("a shorter path: that of the unix socket, %s, may have at most %d characters and has %d",
			path, maxSocketPath, len(path)))
	}
}

// socketMode checks who may open a unix socket. To connect takes the right to write.
func (c *checker) socketMode(field string, mode fs.FileMode) {
	if !slices.Contains([]fs.FileMode{0, 0o700, 0o770, 0o777}, mode) {
		c.fail(field, mode, "0700, 0770 or 0777, or 0 for 0700")
	}
}

// permissions writes a mode that socketMode lets through.
func permissions(mode fs.FileMode) string {
	if mode == 0 {
		mode = 0o700
	}
	return fmt.Sprintf("%04o", mode)
}

func (c *checker) port(field string, value int) {
	if value < 1 || value > 65535 {
		c.fail(field, value, "a port from 1 to 65535")
	}
}

func (c *checker) addresses(field string, values []netip.Addr) {
	for i, value := range values {
		if !value.IsValid() || value.Zone() != "" {
			c.fail(fmt.Sprintf("%s[%d]", field, i), value, "an IP address without a zone")
		}
	}
}

func (c *checker) addressPort(field string, value netip.AddrPort) {
	if !value.IsValid() || value.Addr().Zone() != "" || value.Port() == 0 {
		c.fail(field, value, "an IP address without a zone, and a port from 1 to 65535")
	}
}

// server checks where a PostgreSQL server is.
func (c *checker) server(field, value string) {
	if strings.HasPrefix(value, "/") {
		c.path(field, value)
	} else if address, err := netip.ParseAddr(value); err != nil || address.Zone() != "" {
		c.fail(field, value, "an IP address without a zone, or the absolute folder of a unix socket")
	}
}

// identifier checks the name of a role or a database.
func (c *checker) identifier(field, value string) {
	if !identifierPattern.MatchString(value) {
		c.fail(field, value, "a name of a-z 0-9 _ that does not begin with a digit, of at most 63 characters")
	}
}

func (c *checker) account(field, value string) {
	if !accountPattern.MatchString(value) {
		c.fail(field, value, "the name of an account, of A-Z a-z 0-9 . _ -, of at most 32 characters")
	}
}

func (c *checker) pattern(field, value string, pattern *regexp.Regexp, expected string) {
	if !pattern.MatchString(value) {
		c.fail(field, value, expected)
	}
}

// atLeast checks a whole number.
func (c *checker) atLeast(field string, value, least int64) {
	if value < least {
		c.fail(field, value, fmt.Sprintf("at least %d", least))
	}
}

func (c *checker) between(field string, value, least, most time.Duration) {
	if value < least || value > most {
		c.fail(field, value, fmt.Sprintf("a time from %s to %s", least, most))
	}
}

// login checks a name and a password that are kept in clear.
func (c *checker) login(field string, login Login) {
	c.identifier(field+".Name", login.Name)
	password := login.Password.Reveal()
	switch {
	case !printableASCII.MatchString(password):
		c.fail(field+".Password", login.Password, "1 to 512 printable ASCII characters")
	case passwordHashPrefix.MatchString(password):
		c.fail(field+".Password", login.Password, "a password in clear that cannot be taken for a hash of one")
	}
}

// words writes values between separators.
func words[T fmt.Stringer](values []T, separator string) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = value.String()
	}
	return strings.Join(texts, separator)
}
