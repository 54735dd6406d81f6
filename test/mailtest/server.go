// Package mailtest runs a real SMTP server that keeps the mail that it is given, for a test to read.
package mailtest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// Mail is what arrived.
type Mail struct {
	From, To, Subject string
	// Text is that of all its parts, as a reader sees it.
	Text string
	// Encrypted says that it came by TLS, User who had signed in.
	Encrypted bool
	User      string
}

// Options say what the server asks for.
type Options struct {
	// TLS is offered by STARTTLS, if set.
	TLS *tls.Config
	// User and Password have to be given, if set, and only once the connection is encrypted.
	User, Password string
}

// Server is a mail server.
type Server struct {
	// Address is host:port, on loopback.
	Address string

	t       testing.TB
	options Options
	mu      sync.Mutex
	mails   []Mail
}

// New starts a server. It ends with the test.
func New(t testing.TB, options Options) *Server {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &Server{Address: listener.Addr().String(), t: t, options: options}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: c}, nil }))
	server.Domain, server.TLSConfig = "localhost", options.TLS
	server.ReadTimeout, server.WriteTimeout = 10*time.Second, 10*time.Second
	server.MaxMessageBytes, server.MaxRecipients = 1<<20, 4
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // Until it is closed.
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return s
}

// Await waits for a mail.
func (s *Server) Await(t testing.TB, within time.Duration, is func(Mail) bool) (found Mail) {
	t.Helper()
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		i := slices.IndexFunc(s.mails, is)
		if i >= 0 {
			found = s.mails[i]
		}
		return i >= 0
	}, within, 20*time.Millisecond, "such a mail never arrived")
	return found
}

// session is one connection.
type session struct {
	server *Server
	conn   *smtp.Conn
	user   string
	mail   Mail
}

// AuthMechanisms implements [smtp.AuthSession].
func (s *session) AuthMechanisms() []string {
	if s.server.options.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements [smtp.AuthSession].
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.server.options.User || password != s.server.options.Password {
			return errors.New("another user or password is expected")
		}
		s.user = user
		return nil
	}), nil
}

// Mail implements [smtp.Session].
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.user != s.server.options.User {
		return smtp.ErrAuthRequired
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.mail = Mail{From: from, User: s.user, Encrypted: encrypted}
	return nil
}

// Rcpt implements [smtp.Session].
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.To = to
	return nil
}

// Data implements [smtp.Session].
func (s *session) Data(r io.Reader) error {
	message, err := mail.ReadMessage(r)
	if err == nil {
		s.mail.Subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	}
	if err == nil {
		s.mail.Text, err = text(message)
	}
	if err != nil {
		s.server.t.Errorf("mail that cannot be read: %v", err)
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.mail)
	return nil
}

// text is what is written in the parts of a mail. The reader of parts undoes their encoding.
func text(message *mail.Message) (string, error) {
	_, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return "", fmt.Errorf("content type: %w", err)
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	var all strings.Builder
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return html.UnescapeString(all.String()), nil
		}
		if err != nil {
			return "", fmt.Errorf("part: %w", err)
		}
		if _, err := io.Copy(&all, part); err != nil {
			return "", fmt.Errorf("part: %w", err)
		}
	}
}

// Reset implements [smtp.Session].
func (s *session) Reset() { s.mail = Mail{} }

// Logout implements [smtp.Session].
func (s *session) Logout() error { return nil }
