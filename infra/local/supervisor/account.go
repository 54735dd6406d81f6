package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Account names whom a process runs as. Where the supervisor runs without privileges, all are the caller.
type Account string

// The accounts. The first two come with Debian's packages; the others are user ids of the stack's own, which need no
// entry anywhere and own nothing outside the stack's folder.
const (
	Postgres Account = "postgres" // PostgreSQL and PgBouncer
	Web      Account = "www-data" // nginx
	Panel    Account = "panel"    // the panel
	Log      Account = "log"      // the loggers
	Cache    Account = "cache"    // Redis
	Objects  Account = "objects"  // the S3 server
	Monitor  Account = "monitor"  // Prometheus, Alertmanager and the exporters
)

// dynamicAccounts are those whose ids are a stack's own.
func dynamicAccounts() []Account { return []Account{Panel, Log, Cache, Objects, Monitor} }

// The range of user ids that systemd uses for services without an entry in the password file (DynamicUser=), which
// distributions keep free: https://systemd.io/UIDS-GIDS/.
const (
	firstDynamicID = 61184
	lastDynamicID  = 65519
)

// Identity is the user and the group of a process.
type Identity struct{ UID, GID int }

// Privileged tells whether processes can be given accounts of their own.
func Privileged() bool { return os.Geteuid() == 0 }

// Caller is who runs this program.
func Caller() Identity { return Identity{os.Geteuid(), os.Getegid()} }

// Identity gives the user and group of an account of the stack.
func (s Stack) Identity(account Account) (Identity, error) {
	if !Privileged() {
		return Caller(), nil
	}
	switch account {
	case Panel, Log, Cache, Objects, Monitor:
		ids, err := s.dynamicIDs()
		if err != nil {
			return Identity{}, err
		}
		id, ok := ids[account]
		if !ok {
			return Identity{}, fmt.Errorf("%s: it has no id for account %q: %w", s.path("accounts.json"), account, fs.ErrNotExist)
		}
		return Identity{id, id}, nil
	case Postgres, Web:
		return lookup(account)
	default:
		return Identity{}, fmt.Errorf("account %q: expected %s, %s or one of %v", account, Postgres, Web, dynamicAccounts())
	}
}

func lookup(account Account) (Identity, error) {
	entry, err := user.Lookup(string(account))
	if err != nil {
		return Identity{}, fmt.Errorf("account %s: %w; it comes with the Debian package %s", account, err,
			map[Account]string{Postgres: "postgresql", Web: "base-passwd"}[account])
	}
	uid, err := strconv.Atoi(entry.Uid)
	if err != nil {
		return Identity{}, fmt.Errorf("account %s: user id: %w", account, err)
	}
	gid, err := strconv.Atoi(entry.Gid)
	if err != nil {
		return Identity{}, fmt.Errorf("account %s: group id: %w", account, err)
	}
	return Identity{uid, gid}, nil
}

func (s Stack) dynamicIDs() (map[Account]int, error) {
	raw, err := os.ReadFile(s.path("accounts.json"))
	if err != nil {
		return nil, fmt.Errorf("user ids of the stack: %w", err)
	}
	ids := map[Account]int{}
	if err := json.Unmarshal(raw, &ids); err != nil {
		return nil, fmt.Errorf("user ids of the stack: %s: %w", s.path("accounts.json"), err)
	}
	return ids, nil
}

// reserveIDs chooses the stack's user ids, each once: by its path, past ids that another stack beside it has or that the
// machine knows by name.
func (s Stack) reserveIDs() error {
	if !Privileged() {
		return nil
	}
	ids, err := s.dynamicIDs()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(ids) == len(dynamicAccounts()) {
		return nil
	}
	if ids == nil {
		ids = map[Account]int{}
	}
	taken := map[int]bool{}
	siblings, err := filepath.Glob(filepath.Join(filepath.Dir(s.directory), "*", "accounts.json"))
	if err != nil {
		return fmt.Errorf("user ids of other stacks: %w", err)
	}
	for _, file := range siblings {
		other := Stack{filepath.Dir(file)}
		ids, err := other.dynamicIDs()
		if err != nil {
			return err
		}
		for _, id := range ids {
			taken[id] = true
		}
	}
	const size = lastDynamicID - firstDynamicID + 1
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(s.directory)) // A hash never fails to write.
	next := int(hash.Sum32() % size)
	for _, account := range dynamicAccounts() {
		for range size {
			if ids[account] != 0 {
				break // An older version chose it.
			}
			id := firstDynamicID + next
			next = (next + 1) % size
			if _, err := user.LookupId(strconv.Itoa(id)); err != nil && !taken[id] {
				ids[account], taken[id] = id, true
			}
		}
	}
	raw, err := json.Marshal(ids)
	if err != nil {
		return fmt.Errorf("user ids of the stack: %w", err)
	}
	return WriteFile(s.path("accounts.json"), raw, 0o600, Caller())
}

// Credential makes a command run as an account; nil where that is the caller's own.
func Credential(id Identity) *syscall.SysProcAttr {
	if !Privileged() {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(id.UID), Gid: uint32(id.GID)}} //nolint:gosec // Ids of accounts are never negative.
}

// accounts lists the identities that processes of the stack may have, the caller's not among them.
func (s Stack) accounts() []Identity {
	if !Privileged() {
		return nil
	}
	var all []Identity
	for _, account := range append([]Account{Postgres, Web}, dynamicAccounts()...) {
		if id, err := s.Identity(account); err == nil { // An account that is not there runs nothing.
			all = append(all, id)
		}
	}
	return all
}
