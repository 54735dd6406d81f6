package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/radpanel/radpanel/app/config"
)

const (
	defaultLimit = 50
	macBytes     = 16
)

// Paging is embedded in the inputs of lists.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The most items in one answer."`
	Cursor string `query:"cursor" maxLength:"2000" doc:"The next_cursor of the answer before."`
}

// listOutput is the answer of every list.
type listOutput[T any] struct {
	Body list[T]
}

type list[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Where the next items are; absent at the end."`
}

// cursorKey signs cursors. A signed cursor can be trusted to hold what this service put in, so that nobody probes the
// database with forged ones; the sign also covers the name of the list, so that no cursor works on another list.
type cursorKey [sha256.Size]byte

func newCursorKey(key config.Secret) (cursorKey, error) {
	raw, err := base64.StdEncoding.DecodeString(key.Reveal())
	if err != nil {
		return cursorKey{}, fmt.Errorf("encryption key: expected base64: %w", err)
	}
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte("radpanel cursors"))
	return cursorKey(mac.Sum(nil)), nil
}

// encodeCursor makes a cursor of a position, such as a struct of the last item's sort key and id. The list's name
// includes what the position depends on, such as the sort order.
func (k cursorKey) encode(list string, position any) (string, error) {
	data, err := json.Marshal(position)
	if err != nil {
		return "", fmt.Errorf("cursor of %s: %w", list, err)
	}
	return base64.RawURLEncoding.EncodeToString(append(k.sign(list, data), data...)), nil
}

// decode reads a cursor that encode made for the same list; anything else is a 422.
func (k cursorKey) decode(list, cursor string, position any) error {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < macBytes || !hmac.Equal(raw[:macBytes], k.sign(list, raw[macBytes:])) {
		return invalid("query.cursor", "expected the next_cursor of an answer to the same list with the same sort order")
	}
	return json.Unmarshal(raw[macBytes:], position)
}

func (k cursorKey) sign(list string, data []byte) []byte {
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte(list))
	mac.Write([]byte{0})
	mac.Write(data)
	return mac.Sum(nil)[:macBytes]
}

// pageOf makes the answer of a list from the rows of a query that asked for limit+1: the extra row only tells that
// there are more. position gives the place of an item in the order.
func pageOf[R, T, P any](a *API, name string, limit int, rows []R, item func(R) T, position func(R) P) (*listOutput[T], error) {
	out := &listOutput[T]{Body: list[T]{Items: make([]T, 0, min(len(rows), limit))}}
	for i, row := range rows {
		if i == limit {
			cursor, err := a.cursors.encode(name, position(rows[limit-1]))
			out.Body.NextCursor = cursor
			return out, err
		}
		out.Body.Items = append(out.Body.Items, item(row))
	}
	return out, nil
}
