package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// IdempotencyKey is embedded in the inputs of creates.
type IdempotencyKey struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"200" pattern:"^[!-~]+$" doc:"A text of your own, such as a UUID: a repeated request with it gets the first answer and makes nothing."`
}

// runningRetryAfter is what a client is told to wait whose first request with the same key still runs.
const runningRetryAfter = time.Second

// created is the answer to a create. Body must survive a round trip through JSON, because a repeated request is
// answered from what was stored.
type created[T any] struct {
	Status   int    // Default 201.
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Replayed string `header:"Idempotent-Replayed"`
	Body     T
}

// creation is a request that creates something.
type creation struct {
	// Operation is the operation's id: the same key with another operation is another request.
	Operation string
	// Key is the client's Idempotency-Key; empty when it sent none.
	Key string
	// Request is all that the answer depends on, such as the path's ids and the body. It is stored hashed.
	Request any
}

// storedHeaders is what idempotency_keys.headers holds.
type storedHeaders struct {
	Location string `json:"location,omitempty"`
	ETag     string `json:"etag,omitempty"`
}

// create runs fn in a transaction and, when the client sent an Idempotency-Key, stores the answer in the same one: the
// row and its answer exist both or neither. The same key and request again get the stored answer; with another request
// 422; while the first one still runs 409. A failed create stores nothing and can be repeated.
func create[T any](ctx context.Context, a *API, c creation, fn func(tx *database.Tx) (*created[T], error)) (*created[T], error) {
	var out *created[T]
	err := a.DB.InTx(ctx, func(tx *database.Tx) error {
		var err error
		if c.Key == "" {
			out, err = fn(tx)
			return err
		}
		hash, err := c.hash()
		if err != nil {
			return err
		}
		if out, err = replay[T](ctx, tx, c, hash); out != nil || err != nil {
			return err
		}
		if out, err = fn(tx); err != nil {
			return err
		}
		return store(ctx, tx, c, hash, out)
	})
	if err != nil {
		return nil, err
	}
	if out.Status == 0 {
		out.Status = http.StatusCreated
	}
	return out, nil
}

func (c creation) hash() ([]byte, error) {
	data, err := json.Marshal([]any{c.Operation, c.Request})
	if err != nil {
		return nil, fmt.Errorf("hash of the request to %s: %w", c.Operation, err)
	}
	sum := sha256.Sum256(data)
	return sum[:], nil
}

// replay returns the stored answer, or nil when this is the first request with the key.
func replay[T any](ctx context.Context, tx *database.Tx, c creation, hash []byte) (*created[T], error) {
	who := identity(ctx)
	free, err := tx.TryLockIdempotencyKey(ctx, who.User.ID.String()+" "+c.Key)
	if err != nil {
		return nil, err
	}
	if !free {
		return nil, retryAfter(problem(http.StatusConflict, "The first request with this Idempotency-Key is still running. Try again in a moment."), runningRetryAfter)
	}
	stored, err := tx.FindIdempotencyKey(ctx, dbgen.FindIdempotencyKeyParams{Bucket: who.User.Bucket, UserID: who.User.ID, Key: c.Key})
	if errors.Is(err, database.ErrNotFound) {
		return nil, nil // Nil means: nothing stored.
	}
	if err != nil {
		return nil, err
	}
	if string(stored.RequestHash) != string(hash) {
		return nil, invalid("header.Idempotency-Key", "this key was used for another request: use a new key for each thing to create")
	}
	return unpack[T](stored)
}

func unpack[T any](stored dbgen.IdempotencyKey) (*created[T], error) {
	var headers storedHeaders
	if err := json.Unmarshal(stored.Headers, &headers); err != nil {
		return nil, fmt.Errorf("stored headers of an idempotency key: %w", err)
	}
	out := &created[T]{Status: int(stored.Status), Location: headers.Location, ETag: headers.ETag, Replayed: "true"}
	if err := json.Unmarshal(stored.Body, &out.Body); err != nil {
		return nil, fmt.Errorf("stored answer of an idempotency key: %w", err)
	}
	return out, nil
}

func store[T any](ctx context.Context, tx *database.Tx, c creation, hash []byte, out *created[T]) error {
	headers, err := json.Marshal(storedHeaders{Location: out.Location, ETag: out.ETag})
	if err != nil {
		return fmt.Errorf("headers to store: %w", err)
	}
	body, err := json.Marshal(out.Body)
	if err != nil {
		return fmt.Errorf("answer to store: %w", err)
	}
	status := out.Status
	if status == 0 {
		status = http.StatusCreated
	}
	who := identity(ctx)
	return tx.CreateIdempotencyKey(ctx, dbgen.CreateIdempotencyKeyParams{
		Bucket: who.User.Bucket, UserID: who.User.ID, Key: c.Key, RequestHash: hash,
		Status: int32(status), Headers: headers, Body: body,
	})
}
