package hostboot

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// network is one of the kernel's network namespaces: nothing gets in or out but by a cable to another one.
type network struct {
	t    testing.TB
	name string
	path string
}

// newNetworks gives two that are cabled to each other: one for a host, and one for the cloud around it, at the address of
// the metadata service.
func newNetworks(t testing.TB) (host, cloud *network) {
	t.Helper()
	host, cloud = newNetwork(t, "host"), newNetwork(t, "cloud")
	command(t, "ip", "-n", host.name, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", cloud.name)
	for n, address := range map[*network]string{host: "169.254.169.1/24", cloud: cloudAddress + "/24"} {
		command(t, "ip", "-n", n.name, "address", "add", address, "dev", "cable")
		command(t, "ip", "-n", n.name, "link", "set", "cable", "up")
	}
	return host, cloud
}

// newPrivateNetwork gives one for each host, by its address, all on one cable with each other and with the cloud.
func newPrivateNetwork(t testing.TB, prefix netip.Prefix, addresses map[string]netip.Addr) (hosts map[string]*network, cloud *network) {
	t.Helper()
	hosts, cloud = map[string]*network{}, newNetwork(t, "cloud")
	ip := func(n *network, arguments ...string) {
		command(t, "ip", append([]string{"-n", n.name}, arguments...)...)
	}
	ip(cloud, "link", "add", "switch", "type", "bridge")
	ip(cloud, "address", "add", cloudAddress+"/32", "dev", "switch")
	ip(cloud, "address", "add", netip.PrefixFrom(prefix.Masked().Addr().Next(), prefix.Bits()).String(), "dev", "switch")
	ip(cloud, "link", "set", "switch", "up")
	for name, address := range addresses {
		n := newNetwork(t, name)
		ip(n, "link", "add", "cable", "type", "veth", "peer", "name", "to-"+name, "netns", cloud.name)
		ip(cloud, "link", "set", "to-"+name, "master", "switch", "up")
		ip(n, "address", "add", netip.PrefixFrom(address, prefix.Bits()).String(), "dev", "cable")
		ip(n, "link", "set", "cable", "up")
		ip(n, "route", "add", cloudAddress+"/32", "dev", "cable")
		hosts[name] = n
	}
	return hosts, cloud
}

func newNetwork(t testing.TB, purpose string) *network {
	t.Helper()
	n := &network{t: t, name: fmt.Sprintf("rad-%d-%s", os.Getpid(), purpose)}
	n.path = "/run/netns/" + n.name
	command(t, "ip", "netns", "add", n.name)
	t.Cleanup(func() {
		out, err := exec.CommandContext(context.Background(), "ip", "netns", "delete", n.name).CombinedOutput()
		assert.NoError(t, err, "%s", out)
	})
	command(t, "ip", "-n", n.name, "link", "set", "lo", "up")
	return n
}

// inside does something on a thread that is in the network. A socket belongs to where it was made.
func (n *network) inside(do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with this goroutine.
		result <- func() error {
			file, err := os.Open(n.path)
			if err != nil {
				return err
			}
			defer func() { _ = file.Close() }()
			if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			return do()
		}()
	}()
	return <-result
}

func (n *network) listen(address string) (listener net.Listener) {
	n.t.Helper()
	require.NoError(n.t, n.inside(func() (err error) {
		listener, err = (&net.ListenConfig{}).Listen(n.t.Context(), "tcp4", address)
		return err
	}))
	return listener
}

// transport connects within the network, to other addresses than asked for where names says so.
func (n *network) transport(names map[string]string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (connection net.Conn, err error) {
			if other, ok := names[address]; ok {
				address = other
			}
			err = n.inside(func() (err error) {
				connection, err = (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp4", address)
				return err
			})
			return connection, err
		},
		IdleConnTimeout: 30 * time.Second,
	}
}

// start starts a program that does not outlive the test: the kernel sends it the signal when the thread that started it
// ends, so that thread is its own and waits for it.
func start(t testing.TB, program *exec.Cmd, death syscall.Signal) (ended chan struct{}) {
	t.Helper()
	program.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: death}
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with this goroutine.
		defer close(ended)
		err := program.Start()
		started <- err
		if err == nil {
			_ = program.Wait()
		}
	}()
	require.NoError(t, <-started)
	return ended
}

// command runs a program to its end, which must be a good one.
func command(t testing.TB, name string, arguments ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, arguments...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, arguments, out)
	return string(out)
}
