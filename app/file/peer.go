package file

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// PeerPath is where an instance serves the objects of its store to the instances of the other stack of a promotion.
const PeerPath = "/internal/files/"

// peerTransferTime bounds the transfer of one object between two stores.
const peerTransferTime = 10 * time.Minute

// PeerToken is what the instances of the two stacks of a promotion know each other by: both have the same encryption key.
func PeerToken(encryptionKey []byte) string {
	mac := hmac.New(sha256.New, encryptionKey)
	_, _ = mac.Write([]byte("radpanel: the files of the other stack")) // A hash never fails to write.
	return hex.EncodeToString(mac.Sum(nil))
}

// NewPeerHandler serves a store's objects under PeerPath to who knows the token: GET and HEAD read one, PUT keeps one.
func NewPeerHandler(store Store, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
			http.Error(w, "another token is expected", http.StatusUnauthorized)
			return
		}
		key, err := ParseKey(strings.TrimPrefix(r.URL.Path, PeerPath))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		controller, deadline := http.NewResponseController(w), time.Now().Add(peerTransferTime)
		_ = controller.SetReadDeadline(deadline) // Not supported by a test's recorder, which has no connection.
		_ = controller.SetWriteDeadline(deadline)
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			err = serveObject(w, r, store, key)
		case http.MethodPut:
			if _, err = store.Put(r.Context(), key, r.Body); err == nil {
				w.WriteHeader(http.StatusNoContent)
			}
		default:
			w.Header().Set("Allow", "GET, HEAD, PUT")
			http.Error(w, "expected GET, HEAD or PUT", http.StatusMethodNotAllowed)
		}
		switch {
		case err == nil:
		case errors.Is(err, ErrNotFound):
			http.Error(w, err.Error(), http.StatusNotFound)
		case errors.Is(err, ErrFull):
			http.Error(w, err.Error(), http.StatusInsufficientStorage)
		default:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

func serveObject(w http.ResponseWriter, r *http.Request, store Store, key Key) error {
	object, err := store.Open(r.Context(), key)
	if err != nil {
		return err
	}
	defer func() { _ = object.Close() }() // Only read.
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, object)
	return nil
}

// Peer is the store of another stack's instances, reached through one of them.
type Peer struct {
	// URL is the instance's, such as "http://127.0.0.1:20001".
	URL    string
	Token  string
	Client *http.Client
}

// Has tells whether the peer holds an object.
func (p *Peer) Has(ctx context.Context, key Key) (bool, error) {
	response, err := p.do(ctx, http.MethodHead, key, nil)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, response.Body.Close()
}

// Get copies an object from the peer into a store.
func (p *Peer) Get(ctx context.Context, key Key, into Store) error {
	ctx, cancel := context.WithTimeout(ctx, peerTransferTime)
	defer cancel()
	response, err := p.do(ctx, http.MethodGet, key, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // Read to its end, or given up.
	// A body that is cut short ends with an error, and the store then keeps nothing of it.
	_, err = into.Put(ctx, key, response.Body)
	return err
}

// Put copies an object from a store to the peer.
func (p *Peer) Put(ctx context.Context, key Key, from Store) error {
	ctx, cancel := context.WithTimeout(ctx, peerTransferTime)
	defer cancel()
	object, err := from.Open(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = object.Close() }() // Only read.
	response, err := p.do(ctx, http.MethodPut, key, object)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (p *Peer) do(ctx context.Context, method string, key Key, object Object) (*http.Response, error) {
	var body io.Reader
	if object != nil {
		body = object
	}
	request, err := http.NewRequestWithContext(ctx, method, p.URL+PeerPath+key.String(), body) //nolint:gosec // The promotion says where the other stack is.
	if err != nil {
		return nil, fmt.Errorf("the other stack's files: %w", err)
	}
	if object != nil {
		request.ContentLength = object.Info().Size // One that ends early is refused, not kept short.
		if request.ContentLength == 0 {
			request.Body = http.NoBody
		}
	}
	request.Header.Set("Authorization", "Bearer "+p.Token)
	response, err := p.Client.Do(request) //nolint:gosec // As above.
	if err != nil {
		return nil, fmt.Errorf("the other stack's files: %w", err)
	}
	if response.StatusCode < http.StatusMultipleChoices {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }() // The status is the answer.
	if response.StatusCode == http.StatusNotFound {
		return nil, ErrNotFound
	}
	said, _ := io.ReadAll(io.LimitReader(response.Body, 512)) // What there is of it.
	return nil, fmt.Errorf("the other stack's files: %s %s: %s: %s", method, key, response.Status, strings.TrimSpace(string(said)))
}

// Shared is a store that may have a peer: an object that is not here yet is fetched from there when it is asked for.
type Shared struct {
	Store

	peer atomic.Pointer[Peer]
}

// Join gives the store a peer, or none.
func (s *Shared) Join(peer *Peer) { s.peer.Store(peer) }

// Open implements [Store].
func (s *Shared) Open(ctx context.Context, key Key) (Object, error) {
	object, err := s.Store.Open(ctx, key)
	peer := s.peer.Load()
	if !errors.Is(err, ErrNotFound) || peer == nil {
		return object, err
	}
	if err := peer.Get(ctx, key, s.Store); err != nil {
		return nil, err
	}
	return s.Store.Open(ctx, key)
}

// Align makes both sides hold an object, and tells whether it was copied; ErrNotFound if neither side has it. Without a
// peer it does nothing.
func (s *Shared) Align(ctx context.Context, key Key) (copied bool, err error) {
	peer := s.peer.Load()
	if peer == nil {
		return false, nil
	}
	here, err := has(ctx, s.Store, key)
	if err != nil {
		return false, err
	}
	there, err := peer.Has(ctx, key)
	switch {
	case err != nil:
		return false, err
	case here && there:
		return false, nil
	case here:
		return true, peer.Put(ctx, key, s.Store)
	default:
		return true, peer.Get(ctx, key, s.Store)
	}
}

func has(ctx context.Context, store Store, key Key) (bool, error) {
	object, err := store.Open(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, object.Close()
}
