package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/radpanel/radpanel/app/database"
)

// IfMatch is embedded in the inputs of updates.
type IfMatch struct {
	IfMatch string `header:"If-Match" maxLength:"100" doc:"The ETag that was read, so that a lost update is refused with 412; * for any."`
}

// IfNoneMatch is embedded in the inputs of reads.
type IfNoneMatch struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"200" doc:"The ETag that is known; 304 when it is still right."`
}

// etag is the entity tag of a version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// anyVersion is what required and optional give for "*" and for no header: do not compare.
const anyVersion int64 = 0

// required returns the version that the client has read; 428 when it does not say, 412 when it cannot be a version.
func (p IfMatch) required() (int64, error) {
	if p.IfMatch == "" {
		return 0, problem(http.StatusPreconditionRequired, "Send If-Match with the ETag that you read, so that no change of another is lost.")
	}
	return p.optional()
}

// optional returns the version that the client has read, or anyVersion when it does not say.
func (p IfMatch) optional() (int64, error) {
	if p.IfMatch == "" || p.IfMatch == "*" {
		return anyVersion, nil
	}
	version, ok := parseETag(p.IfMatch)
	if !ok {
		return 0, database.ErrStale // Some tag, but none that this service gives: it cannot match.
	}
	return version, nil
}

// matches reports whether the client already has the version: the answer is then notModified.
func (p IfNoneMatch) matches(version int64) bool {
	for tag := range strings.SplitSeq(p.IfNoneMatch, ",") {
		known, ok := parseETag(strings.TrimPrefix(strings.TrimSpace(tag), "W/"))
		if (ok && known == version) || strings.TrimSpace(tag) == "*" {
			return true
		}
	}
	return false
}

// notModified is the answer to a client that already has the version.
func notModified(version int64) error {
	return huma.ErrorWithHeaders(problem(http.StatusNotModified, ""), http.Header{"Etag": {etag(version)}})
}

func parseETag(tag string) (int64, bool) {
	digits, quoted := strings.CutPrefix(strings.TrimSpace(tag), `"`)
	digits, closed := strings.CutSuffix(digits, `"`)
	version, err := strconv.ParseInt(digits, 10, 64)
	return version, quoted && closed && err == nil && version > 0
}
