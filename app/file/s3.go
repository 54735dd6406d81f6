package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/radpanel/radpanel/app/config"
)

const (
	// amazon is the server where none is named.
	amazon = "https://s3.amazonaws.com"
	// partSize is how much of a stream of unknown length is in memory, in bytes: S3's least part.
	partSize = 5 << 20
	// callTimeout bounds what carries no object, and how long the server may take to begin its answer.
	callTimeout = 10 * time.Second
)

// ErrUnavailable says that the file store does not answer, or not as it should. Worth another try soon.
var ErrUnavailable = errors.New("the file store does not answer")

// S3 is a Store in a bucket of an S3 server. A key is the object's name.
type S3 struct {
	client *minio.Client
	// public signs addresses that browsers use.
	public *minio.Client
	// local signs the same for each name of this machine, as host:port, if public is for one of them; see [WithHost].
	local map[string]*minio.Client
	// front is where they lead in place of the server, if set.
	front *url.URL
	// edge signs downloads for the front itself; nil if the front does not check them.
	edge   *edge
	bucket string
}

// OpenS3 prepares the store. It connects when it is first used, so it succeeds while the server is down.
func OpenS3(cfg config.Config) (*S3, error) {
	endpoint := cfg.S3Endpoint
	if endpoint == "" {
		endpoint = amazon
	}
	client, err := newS3Client(endpoint, cfg)
	if err != nil {
		return nil, err
	}
	s := &S3{client: client, public: client, bucket: cfg.S3Bucket}
	if cfg.S3PublicEndpoint != "" {
		if s.public, err = newS3Client(cfg.S3PublicEndpoint, cfg); err != nil {
			return nil, err
		}
		if s.local, err = newLocalClients(cfg); err != nil {
			return nil, err
		}
	}
	if cfg.S3Front != "" {
		if s.front, err = url.Parse(cfg.S3Front); err != nil {
			return nil, fmt.Errorf("file store: front %q: %w", cfg.S3Front, err)
		}
	}
	s.edge, err = newEdge(cfg)
	return s, err
}

// newLocalClients gives those for the names by which a browser on this machine may reach a server on it; none for a server
// elsewhere.
func newLocalClients(cfg config.Config) (map[string]*minio.Client, error) {
	public, err := url.Parse(cfg.S3PublicEndpoint)
	names := []string{"localhost", "127.0.0.1"}
	if err != nil || !slices.Contains(names, public.Hostname()) || public.Port() == "" {
		return nil, err
	}
	clients := map[string]*minio.Client{}
	for _, name := range names {
		host := net.JoinHostPort(name, public.Port())
		if clients[host], err = newS3Client(public.Scheme+"://"+host, cfg); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

type hostKey struct{}

// WithHost says under which host a browser has come, as it says itself: addresses are signed for it if it is another name of
// this machine for the public endpoint. A page may talk to the host alone that it is from.
func WithHost(ctx context.Context, host string) context.Context {
	return context.WithValue(ctx, hostKey{}, host)
}

// signer signs addresses for whoever the context is about.
func (s *S3) signer(ctx context.Context) *minio.Client {
	host, _ := ctx.Value(hostKey{}).(string)
	if client, is := s.local[host]; is {
		return client
	}
	return s.public
}

// reached gives a signed address as browsers use it. The front names the server that it was signed for.
func (s *S3) reached(signed *url.URL) string {
	if s.front != nil {
		signed.Scheme, signed.Host = s.front.Scheme, s.front.Host
	}
	return signed.String()
}

func newS3Client(endpoint string, cfg config.Config) (*minio.Client, error) {
	parsed, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("file store: endpoint %q: %w", endpoint, err)
	}
	credential := credentials.NewIAM("") // The host's role.
	if cfg.S3AccessKey != "" {
		credential = credentials.NewStaticV4(cfg.S3AccessKey.Reveal(), cfg.S3SecretKey.Reveal(), "")
	}
	lookup := minio.BucketLookupPath
	if endpoint == amazon {
		lookup = minio.BucketLookupAuto
	}
	transport, err := minio.DefaultTransport(parsed.Scheme == "https")
	if err != nil {
		return nil, fmt.Errorf("file store: %w", err)
	}
	transport.ResponseHeaderTimeout = callTimeout
	client, err := minio.New(parsed.Host, &minio.Options{
		Creds: credential, Secure: parsed.Scheme == "https", Region: cfg.S3Region, BucketLookup: lookup, Transport: transport,
		MaxRetries: 2,
	})
	if err != nil {
		return nil, fmt.Errorf("file store: endpoint %q: %w", endpoint, err)
	}
	return client, nil
}

// Put implements [Store].
func (s *S3) Put(ctx context.Context, key Key, r io.Reader) (_ int64, err error) {
	ctx, span := s.startS3(ctx, "PutObject")
	defer func() { endSpan(span, err) }()
	counted := &countingReader{r: r}
	_, err = s.client.PutObject(ctx, s.bucket, key.String(), counted, -1, minio.PutObjectOptions{PartSize: partSize})
	if counted.err != nil {
		return 0, counted.err // What failed was what was to be stored.
	}
	if err != nil {
		return 0, s3Error(err)
	}
	return counted.n, nil
}

// countingReader counts, and keeps the error of the source apart from those of the store.
type countingReader struct {
	r   io.Reader
	n   int64
	err error
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// Open implements [Store].
func (s *S3) Open(ctx context.Context, key Key) (_ Object, err error) {
	ctx, span := s.startS3(ctx, "GetObject")
	defer func() { endSpan(span, err) }()
	object, err := s.client.GetObject(ctx, s.bucket, key.String(), minio.GetObjectOptions{})
	if err != nil {
		return nil, s3Error(err)
	}
	known, err := object.Stat()
	if err != nil {
		return nil, errors.Join(s3Error(err), object.Close())
	}
	return &s3Object{Object: object, info: Info{Key: key, Size: known.Size, StoredAt: known.LastModified}}, nil
}

type s3Object struct {
	*minio.Object

	info Info
}

// Info implements [Object].
func (o *s3Object) Info() Info { return o.info }

// Read implements [io.Reader].
func (o *s3Object) Read(p []byte) (int, error) {
	n, err := o.Object.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = s3Error(err)
	}
	return n, err
}

// Delete implements [Store].
func (s *S3) Delete(ctx context.Context, key Key) (err error) {
	ctx, span := s.startS3(ctx, "DeleteObject")
	defer func() { endSpan(span, err) }()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = s3Error(s.client.RemoveObject(ctx, s.bucket, key.String(), minio.RemoveObjectOptions{}))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// List implements [Store].
func (s *S3) List(ctx context.Context, bucket uint8) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // Who breaks off ends the listing.
		for object := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: fmt.Sprintf("%02x/", bucket), Recursive: true}) {
			if object.Err != nil {
				yield(Info{}, s3Error(object.Err))
				return
			}
			key, err := ParseKey(object.Key)
			if err != nil {
				continue // Not ours.
			}
			if !yield(Info{Key: key, Size: object.Size, StoredAt: object.LastModified}, nil) {
				return
			}
		}
	}
}

// RemoveIncomplete implements [Store].
func (s *S3) RemoveIncomplete(ctx context.Context, before time.Time) (int, error) {
	removed := 0
	for upload := range s.client.ListIncompleteUploads(ctx, s.bucket, "", true) {
		if upload.Err != nil {
			return removed, s3Error(upload.Err)
		}
		if !upload.Initiated.Before(before) {
			continue
		}
		if err := s.client.RemoveIncompleteUpload(ctx, s.bucket, upload.Key); err != nil {
			return removed, s3Error(err)
		}
		removed++
	}
	return removed, nil
}

// SignDownload implements [Signer].
func (s *S3) SignDownload(ctx context.Context, key Key, valid time.Duration, headers http.Header) (string, error) {
	if s.edge != nil {
		return s.edge.sign(key, valid, headers)
	}
	signed, err := s.signer(ctx).PresignedGetObject(ctx, s.bucket, key.String(), valid, overrides(headers))
	if err != nil {
		return "", s3Error(err)
	}
	return s.reached(signed), nil
}

// SignUpload implements [Signer].
func (s *S3) SignUpload(ctx context.Context, key Key, size int64, valid time.Duration) (string, http.Header, error) {
	length := http.Header{"Content-Length": {strconv.FormatInt(size, 10)}} // Every client sends it by itself.
	signed, err := s.signer(ctx).PresignHeader(ctx, http.MethodPut, s.bucket, key.String(), valid, nil, length)
	if err != nil {
		return "", nil, s3Error(err)
	}
	return s.reached(signed), http.Header{"Content-Type": {"application/octet-stream"}}, nil
}

// s3Error maps an error of the server or of the way to it.
func s3Error(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	answer := minio.ToErrorResponse(err)
	switch answer.Code {
	case minio.NoSuchKey:
		return ErrNotFound
	case "EntityTooLarge":
		return ErrTooLarge
	case "XMinioStorageFull", "QuotaExceeded", "InsufficientStorage":
		return ErrFull
	default:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}
