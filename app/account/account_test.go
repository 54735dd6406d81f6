package account_test

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/account"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database/databasetest"
)

var server databasetest.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

const (
	password = "correct horse battery"
	idle     = time.Hour
	absolute = 5 * time.Hour
)

var laptop = account.Client{Address: "192.0.2.1", UserAgent: "Laptop"}

// cheap makes hashes that take no time.
var cheap = account.PasswordCost{MemoryKiB: 64, Passes: 1, Lanes: 1}

// clock starts at a whole time step of one-time passwords and moves only when told.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(0, c.now.Load()).UTC() }
func (c *clock) Advance(d time.Duration) { c.now.Add(int64(d)) }

func newService(t testing.TB, change ...func(*config.Config)) (*account.Service, *clock) {
	t.Helper()
	cfg := config.Config{
		EncryptionKey:      "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		SessionIdleTimeout: idle, SessionAbsoluteTimeout: absolute,
		SignInsPerEmail: 1000, SignInsPerAddress: 1000, SignUpsPerAddress: 1000,
	}
	for _, apply := range change {
		apply(&cfg)
	}
	c := &clock{}
	c.now.Store(time.Now().Truncate(30 * time.Second).UnixNano())
	s, err := account.New(account.Options{Config: cfg, DB: server.NewDatabase(t).Open(t), Now: c.Now, PasswordCost: cheap})
	require.NoError(t, err)
	return s, c
}

func signUp(t testing.TB, s *account.Service, email string) account.SignedIn {
	t.Helper()
	signed, err := s.SignUp(t.Context(), account.SignUp{Email: email, Password: password}, laptop)
	require.NoError(t, err)
	return signed
}

func signIn(ctx context.Context, s *account.Service, in account.SignIn) (account.SignedIn, error) {
	if in.Password == "" {
		in.Password = password
	}
	return s.SignIn(ctx, in, laptop)
}
