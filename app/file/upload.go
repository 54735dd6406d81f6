package file

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/gabriel-vasile/mimetype"
)

// sniffLength is how many leading bytes decide the content type; mimetype looks at no more than that.
const sniffLength = 3072

// Upload is what was learnt about a stream while it was stored.
type Upload struct {
	Key Key
	// Size is in bytes.
	Size   int64
	SHA256 [sha256.Size]byte
	// ContentType is what the bytes look like, whatever the sender called them.
	ContentType string
}

// Receive stores at most limit bytes of r under key in one pass, without holding more than a buffer in memory. A
// longer stream is refused with ErrTooLarge; whatever the error, nothing of the stream stays in the store.
func Receive(ctx context.Context, store Store, key Key, r io.Reader, limit int64) (Upload, error) {
	buffered := bufio.NewReaderSize(&limitedReader{r: r, left: limit, limit: limit}, 64<<10)
	// An error here (a short stream, a cut one) is met again by Put, which reads the same bytes.
	head, _ := buffered.Peek(sniffLength)
	contentType := mimetype.Detect(head).String()

	hash := sha256.New()
	size, err := store.Put(ctx, key, io.TeeReader(buffered, hash))
	if err != nil {
		return Upload{}, err
	}
	upload := Upload{Key: key, Size: size, ContentType: contentType}
	hash.Sum(upload.SHA256[:0])
	return upload, nil
}

// limitedReader fails where io.LimitReader would end: a cut stream must not pass for a whole one.
type limitedReader struct {
	r           io.Reader
	left, limit int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, fmt.Errorf("%w of %d bytes", ErrTooLarge, l.limit)
	}
	// One byte more than is allowed is asked for, to tell a stream that fits exactly from one that is too long.
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return l.Read(nil)
	}
	return n, err
}

// Write stores what write writes: the form of Put for code that produces a stream. An error of write refuses the
// object.
func Write(ctx context.Context, store Store, key Key, write func(w io.Writer) error) (int64, error) {
	reader, writer := io.Pipe()
	var size int64
	var putErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		size, putErr = store.Put(ctx, key, reader)
		_ = reader.CloseWithError(putErr) // ends a writer that Put no longer listens to; always nil
	}()
	err := errUnfinished // what Put sees if write panics
	func() {
		defer func() {
			_ = writer.CloseWithError(err) // always nil; a nil err ends the stream
			<-done
		}()
		err = write(writer)
	}()
	return size, putErr
}

var errUnfinished = errors.New("file: the stream was not finished")
