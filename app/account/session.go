package account

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/cache"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// touchEvery is how often, at most, a session's use is written: reads should not become writes.
const touchEvery = time.Minute

// userAgentLength is how much of a browser's name is kept, in bytes.
const userAgentLength = 300

// Session is a sign-in on one device.
type Session struct {
	ID         uuid.UUID
	CreatedAt  time.Time
	LastSeenAt time.Time
	// ExpiresAt is when the session ends at the latest, used or not.
	ExpiresAt time.Time
	UserAgent string
	Address   string
}

// Client is where a request comes from.
type Client struct {
	Address   string
	UserAgent string
}

func sessionOf(row dbgen.Session) Session {
	return Session{
		ID: row.ID, CreatedAt: row.CreatedAt, LastSeenAt: row.LastSeenAt, ExpiresAt: row.ExpiresAt,
		UserAgent: row.UserAgent, Address: row.Address,
	}
}

// Authenticate returns the session that the token opens, and its user.
func (s *Service) Authenticate(ctx context.Context, token string) (Session, User, error) {
	bucket, hash, ok := readToken(token)
	if !ok {
		return Session{}, User{}, ErrUnauthenticated
	}
	found, err := cache.Get(ctx, s.cache, sessionItem(bucket, hash), func(ctx context.Context) (signedIn, error) {
		return s.findSession(ctx, bucket, hash)
	})
	now := s.now()
	// The time of the last use is not written through the cache: what looks old is read again.
	if s.cache != nil && err == nil && now.Sub(found.Session.LastSeenAt) >= touchEvery {
		found, err = s.findSession(ctx, bucket, hash)
		defer cache.Forget[signedIn](ctx, s.cache, sessionItem(bucket, hash))
	}
	if errors.Is(err, database.ErrNotFound) {
		return Session{}, User{}, ErrUnauthenticated
	}
	if err != nil {
		return Session{}, User{}, err
	}
	if !now.Before(found.Session.ExpiresAt) || now.Sub(found.Session.LastSeenAt) >= s.cfg.SessionIdleTimeout {
		return Session{}, User{}, ErrUnauthenticated
	}
	if found.User.Status == StatusSuspended {
		return Session{}, User{}, ErrSuspended
	}
	s.touch(ctx, found, now)
	return found.Session, found.User, nil
}

// signedIn is a session with its user.
type signedIn struct {
	Session Session
	User    User
}

// sessionItem is a session in the cache. Ends of sessions are told by bucket, which a token names.
func sessionItem(bucket int16, tokenHash []byte) cache.Item {
	return cache.Item{
		Kind: "session", Key: strconv.Itoa(int(bucket)) + ":" + hex.EncodeToString(tokenHash),
		Scopes: []database.Scope{database.UsersScope(bucket)}, FoundOnly: true,
	}
}

func (s *Service) findSession(ctx context.Context, bucket int16, tokenHash []byte) (signedIn, error) {
	row, err := s.db.FindSession(ctx, dbgen.FindSessionParams{Bucket: bucket, TokenHash: tokenHash})
	return signedIn{sessionOf(row.Session), userOf(row.User)}, err
}

// touch notes that the session was used. When that fails the request goes on: the next one will note it.
func (s *Service) touch(ctx context.Context, found signedIn, now time.Time) {
	if now.Sub(found.Session.LastSeenAt) < touchEvery {
		return
	}
	err := s.db.TouchSession(ctx, dbgen.TouchSessionParams{
		Bucket: found.User.Bucket, ID: found.Session.ID, LastSeenAt: now, SeenBefore: now.Add(-touchEvery),
	})
	if err != nil {
		s.log.WarnContext(ctx, "the use of a session was not noted", "error", err)
	}
}

// openSession makes a session and returns the token that opens it.
func (s *Service) openSession(ctx context.Context, tx *database.Tx, user User, client Client) (Session, string, error) {
	token, hash := newToken(user.Bucket)
	now := s.now()
	id, err := uuid.NewV7()
	if err != nil {
		return Session{}, "", err
	}
	row, err := tx.CreateSession(ctx, dbgen.CreateSessionParams{
		Bucket: user.Bucket, ID: id, UserID: user.ID, TokenHash: hash,
		UserAgent: storableText(client.UserAgent, userAgentLength), Address: client.Address,
		CreatedAt: now, ExpiresAt: now.Add(s.cfg.SessionAbsoluteTimeout),
	})
	if err != nil {
		return Session{}, "", err
	}
	return sessionOf(row), token, nil
}

// storableText makes a header that a client wrote fit for the database: UTF-8, without NUL, not too long.
func storableText(text string, length int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
	for len(text) > length {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

// Sessions lists the user's sessions that have not ended, newest first, from before the given id; uuid.Max starts.
func (s *Service) Sessions(ctx context.Context, user User, before uuid.UUID, limit int) ([]Session, error) {
	now := s.now()
	rows, err := s.db.ListSessions(ctx, dbgen.ListSessionsParams{
		Bucket: user.Bucket, UserID: user.ID, Before: before, Now: now,
		IdleSince: now.Add(-s.cfg.SessionIdleTimeout), RowLimit: int32(limit), //nolint:gosec // At most 201.
	})
	if err != nil {
		return nil, err
	}
	sessions := make([]Session, len(rows))
	for i, row := range rows {
		sessions[i] = sessionOf(row)
	}
	return sessions, nil
}

// SignOut ends one of the user's sessions.
func (s *Service) SignOut(ctx context.Context, user User, sessionID uuid.UUID) error {
	var n int64
	err := s.db.Change(ctx, []database.Scope{database.UsersScope(user.Bucket)}, func() (err error) {
		n, err = s.db.DeleteSession(ctx, dbgen.DeleteSessionParams{Bucket: user.Bucket, UserID: user.ID, ID: sessionID})
		return err
	})
	if err == nil && n == 0 {
		return database.ErrNotFound
	}
	return err
}

// SignOutEverywhere ends all of the user's sessions.
func (s *Service) SignOutEverywhere(ctx context.Context, user User) error {
	return s.db.Change(ctx, []database.Scope{database.UsersScope(user.Bucket)}, func() error {
		_, err := s.db.DeleteSessions(ctx, dbgen.DeleteSessionsParams{Bucket: user.Bucket, UserID: user.ID})
		return err
	})
}
