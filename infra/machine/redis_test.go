package machine_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

func TestRedisCaches(t *testing.T) {
	t.Parallel()
	h := newHost(t, "nobody")
	arguments := redis(t, stacks.Tier1)
	arguments.Cache.Memory = 8 * stacks.MiB
	arguments.Folder, arguments.ConfigFolder, arguments.SocketFolder = h.mkdir("data"), h.path("conf"), h.mkdir("run")
	arguments.Port = int(freeAddress(t).Port())
	arguments.Password = "one"
	h.install(arguments, "conf")
	server := h.start("redis-server", filepath.Join(arguments.ConfigFolder, machine.RedisFile))
	socket := filepath.Join(arguments.SocketFolder, machine.RedisSocket)
	server.eventually(func() bool { return answers("unix", socket) }, "listening")

	for network, address := range map[string]string{"unix": socket, "tcp": fmt.Sprintf("127.0.0.1:%d", arguments.Port)} {
		stranger := dialRedis(t, network, address)
		assert.Contains(t, stranger.do("GET", "key"), "NOAUTH", network)
		assert.Contains(t, stranger.do("AUTH", "panel", "wrong"), "WRONGPASS", network)
		assert.Contains(t, stranger.do("AUTH", "one"), "WRONGPASS", "%s: the user that has no name is off", network)
		assert.Equal(t, "+OK", stranger.do("AUTH", "panel", "one"), network)
	}
	client := dialRedis(t, "unix", socket)
	require.Equal(t, "+OK", client.do("AUTH", "panel", "one"))
	assert.Equal(t, "+OK", client.do("SET", "key", "value", "EX", "60"))
	assert.Equal(t, "value", client.do("GET", "key"))
	assert.Equal(t, ":1", client.do("EVAL", "return redis.call('EXISTS', KEYS[1])", "1", "key"), "limits are scripts")
	for _, command := range [][]string{
		{"FLUSHALL"},
		{"KEYS", "*"},
		{"CONFIG", "GET", "*"},
		{"SHUTDOWN"},
		{"ACL", "LIST"},
		{"SAVE"},
		{"BGSAVE"},
		{"REPLICAOF", "127.0.0.1", "1"},
		{"MODULE", "LIST"},
	} {
		assert.Contains(t, client.do(command...), "NOPERM", "%v", command)
	}

	info := client.do("INFO")
	assert.Contains(t, info, fmt.Sprintf("maxmemory:%d\r\n", arguments.Cache.Memory))
	assert.Contains(t, info, "maxmemory_policy:allkeys-lfu\r\n")
	assert.Contains(t, info, "aof_enabled:0\r\n")
	for i := range 20 { // 20 MiB into 8.
		assert.Equal(t, "+OK", client.do("SET", fmt.Sprintf("large-%d", i), strings.Repeat("x", 1<<20)))
	}
	assert.NotContains(t, client.do("INFO"), "evicted_keys:0\r\n")
	server.stop()
	left, err := filepath.Glob(filepath.Join(arguments.Folder, "*"))
	require.NoError(t, err)
	assert.Empty(t, left, "a cache keeps nothing on disk")
}

func TestRedisListensOnItsSocketAlone(t *testing.T) {
	t.Parallel()
	r := redis(t, stacks.Tier1)
	r.Port = 0
	files, err := r.Files()
	require.NoError(t, err)
	assert.Contains(t, files[machine.RedisFile], "\nport 0\n")
}

// redisClient speaks just enough of Redis's protocol.
type redisClient struct {
	*testing.T
	connection net.Conn
	reader     *bufio.Reader
}

func dialRedis(t *testing.T, network, address string) redisClient {
	t.Helper()
	connection, err := net.DialTimeout(network, address, patience) //nolint:noctx // Bounded.
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
	return redisClient{t, connection, bufio.NewReader(connection)}
}

// do gives a simple answer as it is and a string as its content.
func (c redisClient) do(words ...string) string {
	c.Helper()
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(word), word)
	}
	_, err := io.WriteString(c.connection, request.String())
	require.NoError(c, err)
	line, err := c.reader.ReadString('\n')
	require.NoError(c, err)
	line = strings.TrimSpace(line)
	var size int
	if _, err := fmt.Sscanf(line, "$%d", &size); err != nil || size < 0 {
		return line
	}
	text := make([]byte, size+2)
	_, err = io.ReadFull(c.reader, text)
	require.NoError(c, err)
	return string(text[:size])
}
