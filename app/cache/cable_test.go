package cache_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/cache/cachetest"
	"github.com/radpanel/radpanel/app/config"
)

// A cable leads to a Redis and can be cut: who is at its end gets no answer any more, while others do.
type cable struct {
	path, server string

	mu    sync.Mutex
	isCut bool
	ends  map[net.Conn]bool
}

func newCable(t *testing.T, redis *cachetest.Redis) *cable {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "radcable-")
	require.NoError(t, err)
	c := &cable{path: filepath.Join(folder, "redis.sock"), server: redis.Socket(), ends: map[net.Conn]bool{}}
	listener, err := net.Listen("unix", c.path) //nolint:noctx // It ends with the test.
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { c.carry(near) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		c.Cut()
		serving.Wait()
		require.NoError(t, os.RemoveAll(folder))
	})
	return c
}

// URL is how Redis is reached through the cable.
func (c *cable) URL() config.Secret { return config.Secret("unix://" + c.path) }

func (c *cable) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("unix", c.server) //nolint:noctx // Local, and it ends with the cable.
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	c.mu.Lock()
	if c.isCut {
		c.mu.Unlock()
		return
	}
	c.ends[near] = true
	c.mu.Unlock()
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
	c.mu.Lock()
	delete(c.ends, near)
	c.mu.Unlock()
}

// Cut ends all connections, and lets no new one through.
func (c *cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = true
	for end := range c.ends {
		_ = end.Close()
	}
}

// Mend lets connections through again.
func (c *cable) Mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = false
}
