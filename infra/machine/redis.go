package machine

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/netip"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/stacks"
)

// Redis is the cache. It keeps nothing on disk.
type Redis struct {
	// Cache is the blueprint's.
	Cache stacks.Cache
	// Folder is absolute and the cache's own; ConfigFolder is where the files of Files lie.
	Folder       string
	ConfigFolder string
	// SocketFolder is the absolute folder of the unix socket RedisSocket, SocketMode who may open it. 0: the cache's own
	// account alone.
	SocketFolder string
	SocketMode   fs.FileMode
	// Port is that of TCP, on Address or else on 127.0.0.1. 0: the unix socket is the only way in.
	Port    int
	Address netip.Addr
	// User is the only user, with this password.
	User     string
	Password config.Secret
}

// The files of Redis.
const (
	RedisFile = "redis.conf"
	// RedisUsersFile tells who may do what. It holds a digest of the password: for its owner's eyes only (0600).
	RedisUsersFile = "users.acl"
	// RedisSocket is the name of the unix socket.
	RedisSocket = "redis.sock"
)

// Files gives the cache's configuration, by file name. RedisUsersFile is secret.
func (r Redis) Files() (map[string]string, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(r.Password.Reveal())) // The form that Redis itself keeps.
	return renderAll(struct {
		Redis
		SocketPermissions string
		Digest            string
	}{r, permissions(r.SocketMode), hex.EncodeToString(digest[:])}, RedisFile, RedisUsersFile)
}

func (r Redis) check() error {
	c := &checker{program: "Redis"}
	if r.Cache.Memory < stacks.MiB {
		c.fail("Cache.Memory", r.Cache.Memory, "at least "+stacks.MiB.String())
	}
	c.path("Folder", r.Folder)
	c.path("ConfigFolder", r.ConfigFolder)
	c.socketFolder("SocketFolder", r.SocketFolder, RedisSocket)
	c.socketMode("SocketMode", r.SocketMode)
	if r.Port != 0 {
		c.port("Port", r.Port)
	}
	if r.Address.IsValid() {
		c.addresses("Address", []netip.Addr{r.Address})
	}
	c.login("User", Login{Name: r.User, Password: r.Password})
	if r.User == "default" {
		c.fail("User.Name", r.User, "another name: default is the user of clients that name none, and it is off")
	}
	return c.err()
}
