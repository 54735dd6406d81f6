package e2e

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cutTime is how long a cut lasts: longer than writes may be held, and than an attempt to connect takes.
const cutTime = 4 * time.Second

// A link is the network between two stacks of this machine. It takes the place of the sockets of their databases and
// poolers, tells by the process at the other end which connections would go from host to host, if each stack had one of its
// own, and can cut those.
type link struct {
	t *testing.T
	// radBeside is the stack on whose host rad and its guard are.
	radBeside string

	// gate is held for writing while nothing gets through.
	gate sync.RWMutex

	mu sync.Mutex
	// refusing ends what crosses and lets nothing begin: the other way in which a network fails.
	refusing bool
	crossing map[net.Conn]bool
	mending  sync.WaitGroup
}

// link puts itself between two stacks that are up.
func (s *stack) link(other *stack, radBeside *stack) *link {
	s.t.Helper()
	l := &link{t: s.t, radBeside: fullName(radBeside), crossing: map[net.Conn]bool{}}
	for _, sides := range [][2]*stack{{s, other}, {other, s}} {
		for _, name := range []string{"postgresql", "pgbouncer"} {
			l.interpose(sides[0].service(name).Address, fullName(sides[0]), fullName(sides[1]))
		}
	}
	s.t.Cleanup(l.mending.Wait)
	return l
}

func fullName(s *stack) string { return "local-" + s.Name }

// interpose takes a socket's place, and gives it back when the test ends.
func (l *link) interpose(socket, here, there string) {
	l.t.Helper()
	behind := direct(socket)
	require.NoError(l.t, os.Rename(socket, behind))
	listener, err := (&net.ListenConfig{}).Listen(l.t.Context(), "unix", socket)
	require.NoError(l.t, err)
	require.NoError(l.t, os.Chmod(socket, 0o777))
	l.t.Cleanup(func() {
		_ = listener.Close()
		if err := os.Rename(behind, socket); !errors.Is(err, fs.ErrNotExist) { // The stack has gone already.
			require.NoError(l.t, err)
		}
	})
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return // The test is over.
			}
			go l.carry(connection, behind, l.crosses(connection, here, there))
		}
	}()
}

// direct is where the server itself listens once a link is in its place.
func direct(socket string) string {
	return filepath.Join(filepath.Dir(socket), "direct."+filepath.Base(socket))
}

// crosses tells whether a connection to a stack would come from another host.
func (l *link) crosses(connection net.Conn, here, there string) bool {
	raw, err := connection.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	var peer *syscall.Ucred
	if controlErr := raw.Control(func(fd uintptr) {
		peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); controlErr != nil || err != nil {
		return false
	}
	process := filepath.Join("/proc", strconv.Itoa(int(peer.Pid)))
	program, _ := os.Readlink(filepath.Join(process, "exe"))
	if strings.HasPrefix(program, built.folder+"/") && strings.HasSuffix(program, "rad") {
		return l.radBeside != here
	}
	folder, _ := os.Readlink(filepath.Join(process, "cwd")) // PostgreSQL's is its data.
	commandLine, _ := os.ReadFile(filepath.Join(process, "cmdline"))
	return strings.Contains(folder+" "+string(commandLine), "/"+there+"/")
}

func (l *link) carry(client net.Conn, behind string, crosses bool) {
	defer func() { _ = client.Close() }()
	if crosses && !l.admit(client) {
		return
	}
	server, err := (&net.Dialer{}).DialContext(l.t.Context(), "unix", behind)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if crosses {
		defer l.forget(client)
	}
	var both sync.WaitGroup
	pump := func(from, to net.Conn) {
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if crosses {
				l.pass() // The news of an end stays on its way as well.
			}
			if n > 0 {
				if _, writeErr := to.Write(buffer[:n]); writeErr != nil {
					err = writeErr
				}
			}
			if err != nil {
				_, _ = from.Close(), to.Close()
				return
			}
		}
	}
	both.Go(func() { pump(client, server) })
	both.Go(func() { pump(server, client) })
	both.Wait()
}

// pass returns when something may go through.
func (l *link) pass() {
	l.gate.RLock()
	defer l.gate.RUnlock()
}

func (l *link) admit(client net.Conn) bool {
	l.pass()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.refusing {
		l.crossing[client] = true
	}
	return !l.refusing
}

func (l *link) forget(client net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.crossing, client)
}

// held is a network that lets nothing through for a while, without a word. It goes on afterwards, unless somebody has lost
// patience.
func (l *link) held() strike {
	return l.strike("network silent", l.gate.Lock, l.gate.Unlock)
}

// reset is a network that ends what crosses, and refuses what would, for a while.
func (l *link) reset() strike {
	return l.strike("network reset", func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refusing = true
		for connection := range l.crossing {
			_ = connection.Close() // What is under way is lost.
		}
	}, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refusing = false
	})
}

func (l *link) strike(name string, cut, mend func()) strike {
	var isCut atomic.Bool
	return strike{
		name: name + ", rad beside " + l.radBeside,
		over: func() bool { return !isCut.Load() },
		do: func() {
			if !isCut.CompareAndSwap(false, true) {
				return // It still is.
			}
			cut()
			l.mending.Go(func() {
				time.Sleep(cutTime)
				mend()
				isCut.Store(false)
			})
		},
	}
}
