package machine_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// patience is how long a test waits for what should come in milliseconds.
	patience = 30 * time.Second
	tick     = 10 * time.Millisecond
)

// host is a folder in which one test runs real programs, as accounts without privileges.
type host struct {
	*testing.T
	folder  string
	account *syscall.Credential
}

// newHost gives a host whose programs run as the account if the test runs as root, else as whoever runs the test.
func newHost(t *testing.T, account string) *host {
	t.Helper()
	// Not t.TempDir: the paths of unix sockets are short, and other accounts pass through.
	folder, err := os.MkdirTemp("/tmp", "rad-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(folder, 0o711))
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	h := &host{T: t, folder: folder}
	if os.Geteuid() == 0 {
		entry, err := user.Lookup(account)
		require.NoError(t, err)
		uid, err := strconv.ParseUint(entry.Uid, 10, 32)
		require.NoError(t, err)
		gid, err := strconv.ParseUint(entry.Gid, 10, 32)
		require.NoError(t, err)
		h.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return h
}

func (h *host) path(names ...string) string {
	return filepath.Join(append([]string{h.folder}, names...)...)
}

// own gives a file or a folder to the account of the programs.
func (h *host) own(path string) {
	h.Helper()
	if h.account != nil {
		require.NoError(h, os.Chown(path, int(h.account.Uid), int(h.account.Gid)))
	}
}

func (h *host) mkdir(names ...string) string {
	h.Helper()
	path := h.path(names...)
	require.NoError(h, os.MkdirAll(path, 0o700))
	h.own(path)
	return path
}

func (h *host) write(text string, names ...string) string {
	h.Helper()
	path := h.path(names...)
	require.NoError(h, os.WriteFile(path, []byte(text), 0o600))
	h.own(path)
	return path
}

// install writes the files of a program into a folder.
func (h *host) install(program rendered, folder string) {
	h.Helper()
	files, err := program.Files()
	require.NoError(h, err)
	h.mkdir(folder)
	for name, text := range files {
		h.write(text, folder, name)
	}
}

func (h *host) command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	h.Helper()
	path, err := exec.LookPath(name)
	if err != nil { // Who is not root may not have /usr/sbin in PATH.
		path, err = exec.LookPath(filepath.Join("/usr/sbin", filepath.Base(name)))
	}
	require.NoError(h, err, "%s is not installed", name)
	command := exec.CommandContext(ctx, path, arguments...)
	command.Dir = h.folder
	command.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: h.account}
	return command
}

// output runs a program to its end, which must be a good one.
func (h *host) output(name string, arguments ...string) string {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), patience)
	defer cancel()
	out, err := h.command(ctx, name, arguments...).CombinedOutput()
	require.NoError(h, err, "%s: %s", name, out)
	return string(out)
}

// process is a program that runs until the test ends.
type process struct {
	*host
	name   string
	handle *os.Process
	ended  chan struct{}
	out    lockedText
}

// lockedText is written by a process while a test reads it.
type lockedText struct {
	mutex sync.Mutex
	text  strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// start runs a program until the test ends, which it survives in no case: it is told to stop by the kernel when the
// thread that started it ends, so that thread is its own and waits for it.
func (h *host) start(name string, arguments ...string) *process {
	h.Helper()
	p := &process{host: h, name: name, ended: make(chan struct{})}
	command := h.command(context.Background(), name, arguments...)
	command.Stdout, command.Stderr = &p.out, &p.out
	command.SysProcAttr.Pdeathsig = syscall.SIGTERM
	// A descendant that outlives the program would keep the pipe open.
	command.WaitDelay = patience
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with this goroutine.
		defer close(p.ended)
		err := command.Start()
		p.handle = command.Process
		started <- err
		if err == nil {
			_ = command.Wait()
		}
	}()
	require.NoError(h, <-started)
	h.Cleanup(p.stop)
	return p
}

func (p *process) stop() {
	_ = p.handle.Signal(syscall.SIGINT) // A fast but clean end, to all of these programs.
	select {
	case <-p.ended:
	case <-time.After(patience):
		assert.Fail(p, "did not stop in time", p.name)
		_ = p.handle.Kill()
		<-p.ended
	}
	if p.Failed() {
		p.Logf("%s:\n%s", p.name, p.out.String())
	}
}

// eventually waits until what is asked is so, as long as the program lives.
func (p *process) eventually(so func() bool, what string) {
	p.Helper()
	deadline := time.Now().Add(patience)
	for !so() {
		select {
		case <-p.ended:
			require.Fail(p, p.name+" ended: "+what+"\n"+p.out.String())
		case <-time.After(tick):
		}
		require.True(p, time.Now().Before(deadline), "%s: never came: %s\n%s", p.name, what, p.out.String())
	}
}

// freeAddress gives an address on loopback that nothing listens on.
func freeAddress(t *testing.T) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // At once.
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().(*net.TCPAddr).AddrPort()
}

// answers tells whether something listens.
func answers(network, address string) bool {
	connection, err := net.DialTimeout(network, address, time.Second) //nolint:noctx // Bounded.
	if err != nil {
		return false
	}
	return connection.Close() == nil
}

// canListen tells whether this machine has the address.
func canListen(address string) bool {
	listener, err := net.Listen("tcp", address) //nolint:noctx // At once.
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
