package file

import (
	"bufio"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"time"

	"github.com/gabriel-vasile/mimetype"
)

// Signer is a store that browsers can talk to themselves, by addresses that are signed for a while.
type Signer interface {
	// SignDownload gives an address from which an object can be fetched, with the given Content-Type, Content-Disposition
	// and Cache-Control. An empty one: the object has to go through the service.
	SignDownload(ctx context.Context, key Key, valid time.Duration, headers http.Header) (string, error)
	// SignUpload gives an address to which an object of exactly size bytes can be sent by PUT, and the headers to send.
	SignUpload(ctx context.Context, key Key, size int64, valid time.Duration) (address string, headers http.Header, err error)
}

// SignDownload implements [Signer]. What was not moved yet has to go through the service.
func (m *Moving) SignDownload(ctx context.Context, key Key, valid time.Duration, headers http.Header) (string, error) {
	signer, ok := m.New.(Signer)
	if !ok {
		return "", nil
	}
	object, err := m.New.Open(ctx, key)
	if err != nil {
		return "", nil //nolint:nilerr // Opening it tells why.
	}
	_ = object.Close() // Not even read.
	return signer.SignDownload(ctx, key, valid, headers)
}

// SignUpload implements [Signer].
func (m *Moving) SignUpload(ctx context.Context, key Key, size int64, valid time.Duration) (string, http.Header, error) {
	if signer, ok := m.New.(Signer); ok {
		return signer.SignUpload(ctx, key, size, valid)
	}
	return "", nil, nil
}

// SignDownload implements [Signer]. While there is a peer, all goes through the service: what is not here yet it fetches, and an
// address is of no use any more when the panel goes back to a stack that has none.
func (s *Shared) SignDownload(ctx context.Context, key Key, valid time.Duration, headers http.Header) (string, error) {
	if signer, ok := s.Store.(Signer); ok && s.peer.Load() == nil {
		return signer.SignDownload(ctx, key, valid, headers)
	}
	return "", nil
}

// SignUpload implements [Signer]; see SignDownload.
func (s *Shared) SignUpload(ctx context.Context, key Key, size int64, valid time.Duration) (string, http.Header, error) {
	if signer, ok := s.Store.(Signer); ok && s.peer.Load() == nil {
		return signer.SignUpload(ctx, key, size, valid)
	}
	return "", nil, nil
}

// Examine learns about an object in the store what Receive learns about a stream.
func Examine(ctx context.Context, store Store, key Key) (Upload, error) {
	object, err := store.Open(ctx, key)
	if err != nil {
		return Upload{}, err
	}
	defer func() { _ = object.Close() }() // Only read.
	upload := Upload{Key: key}
	hash := sha256.New()
	buffered := bufio.NewReaderSize(object, 64<<10)
	// An error here is met again by Copy.
	head, _ := buffered.Peek(sniffLength)
	upload.ContentType = mimetype.Detect(head).String()
	if upload.Size, err = io.Copy(hash, buffered); err != nil {
		return Upload{}, err
	}
	hash.Sum(upload.SHA256[:0])
	return upload, nil
}
