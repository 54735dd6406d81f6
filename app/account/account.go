// Package account knows who may use the panel: users and their roles, passwords, sessions, and second factors.
package account

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/radpanel/radpanel/app/cache"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/database/dbgen"
)

// The errors that callers tell apart, with errors.Is; those of package database also pass through.
var (
	// ErrUnauthenticated: no session, or one that has ended.
	ErrUnauthenticated = errors.New("not signed in")
	// ErrWrongCredentials: the e-mail address, the password or the code is wrong; which one is not told.
	ErrWrongCredentials = errors.New("wrong e-mail address, password or code")
	// ErrWrongPassword: the current password, asked for again before a change, is wrong.
	ErrWrongPassword = errors.New("wrong current password")
	// ErrWrongCode: the one-time code is wrong, or was used before.
	ErrWrongCode = errors.New("wrong one-time code")
	// ErrTOTPRequired: the password is right and a one-time code is missing.
	ErrTOTPRequired = errors.New("one-time code required")
	// ErrTOTPState: a second factor is set up already, or is not set up yet.
	ErrTOTPState = errors.New("second factor is not in the state for this")
	// ErrSuspended: an administrator has suspended the user.
	ErrSuspended = errors.New("suspended")
	// ErrEmailTaken: another user has the e-mail address.
	ErrEmailTaken = errors.New("e-mail address taken")
	// ErrWeakPassword: the password is on the list of common ones, or is the e-mail address.
	ErrWeakPassword = errors.New("common password")
	// ErrInvalidEmail: not an e-mail address.
	ErrInvalidEmail = errors.New("invalid e-mail address")
	// ErrLastAdmin: the panel would be left without an active administrator.
	ErrLastAdmin = errors.New("last active administrator")
)

// RateLimitError says that too much was tried, and when to try again.
type RateLimitError struct{ RetryAfter time.Duration }

func (e *RateLimitError) Error() string {
	return fmt.Sprintf("tried too often: try again in %s", e.RetryAfter.Round(time.Second))
}

// Role is what a user may do.
type Role string

// The roles.
const (
	RoleUser  Role = "user"
	RoleAdmin Role = "admin"
)

// Status is whether a user may sign in.
type Status string

// The statuses.
const (
	StatusActive    Status = "active"
	StatusSuspended Status = "suspended"
)

// User is a person with an account.
type User struct {
	ID        uuid.UUID
	Bucket    int16
	Email     string
	Name      string
	Role      Role
	Status    Status
	Version   int64
	CreatedAt time.Time
}

func userOf(row dbgen.User) User {
	return User{
		ID: row.ID, Bucket: row.Bucket, Email: row.Email, Name: row.Name, Role: Role(row.Role),
		Status: Status(row.Status), Version: row.Version, CreatedAt: row.CreatedAt,
	}
}

// Options are the parts and settings of a Service.
type Options struct {
	Config config.Config
	DB     *database.DB
	// Cache keeps sessions with their users. Nil: none.
	Cache *cache.Cache
	// Log, Now and PasswordCost have defaults: nothing logged, the system's clock, DefaultPasswordCost.
	Log          *slog.Logger
	Now          func() time.Time
	PasswordCost PasswordCost
}

// Service does everything about accounts. Make one with New.
type Service struct {
	db        *database.DB
	cache     *cache.Cache
	log       *slog.Logger
	now       func() time.Time
	cfg       config.Config
	hasher    *hasher
	keys      *keys
	signInsBy struct{ email, address *limiter }
	signUpsBy struct{ address *limiter }
}

// New returns a Service.
func New(options Options) (*Service, error) {
	if options.PasswordCost == (PasswordCost{}) {
		options.PasswordCost = DefaultPasswordCost()
	}
	s := &Service{db: options.DB, cache: options.Cache, log: options.Log, now: options.Now, cfg: options.Config, hasher: newHasher(options.PasswordCost)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.keys, err = newKeys(options.Config.EncryptionKey); err != nil {
		return nil, err
	}
	s.signInsBy.email = newLimiter(options.Config.SignInsPerEmail, time.Minute, s.now)
	s.signInsBy.address = newLimiter(options.Config.SignInsPerAddress, time.Minute, s.now)
	s.signUpsBy.address = newLimiter(options.Config.SignUpsPerAddress, time.Hour, s.now)
	return s, nil
}
