package supervisor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listener is a socket that listens on a port of this machine, from /proc/net/tcp.
type listener struct {
	inode string
	uid   int
}

// listening is the state of such a socket in /proc/net/tcp.
const listening = "0A"

// listeners lists the sockets that listen on an address, or on all addresses with the same port.
func listeners(address string) ([]listener, error) {
	wanted, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	var found []listener
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := os.ReadFile(table) //nolint:gosec // A table of the kernel.
		if errors.Is(err, fs.ErrNotExist) {
			continue // No IPv6 here.
		}
		if err != nil {
			return nil, fmt.Errorf("ports in use: %w", err)
		}
		for line := range strings.Lines(string(raw)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != listening {
				continue
			}
			local, err := parseHexAddress(fields[1])
			if err != nil || local.Port() != wanted.Port() || (local.Addr() != wanted.Addr() && !local.Addr().IsUnspecified()) {
				continue
			}
			uid, err := strconv.Atoi(fields[7])
			if err == nil {
				found = append(found, listener{inode: fields[9], uid: uid})
			}
		}
	}
	return found, nil
}

// parseHexAddress reads an address as /proc/net/tcp writes it: words of 32 bits, each in the machine's byte order, a
// colon, and the port.
func parseHexAddress(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("port %q: %w", port, err)
	}
	var bytes []byte
	for word := range slices.Chunk([]byte(host), 8) {
		value, err := strconv.ParseUint(string(word), 16, 32)
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("address %q: %w", host, err)
		}
		bytes = binary.NativeEndian.AppendUint32(bytes, uint32(value))
	}
	address, ok := netip.AddrFromSlice(bytes)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("address %q: %d bytes", host, len(bytes))
	}
	return netip.AddrPortFrom(address.Unmap(), uint16(number)), nil
}

// ownsPort tells by its error if not the service but a stranger listens on its port.
func (s Stack) ownsPort(ctx context.Context, service, address string) error {
	found, err := listeners(address)
	if err != nil {
		return err
	}
	// Sockets are found through the processes of the service: far fewer than all.
	pids, err := s.ServiceProcesses(ctx, service)
	if err != nil {
		return err
	}
	isSocket := func(_, target string) bool {
		return slices.ContainsFunc(found, func(l listener) bool { return target == "socket:["+l.inode+"]" })
	}
	for _, pid := range pids {
		owns, err := hasOpen(filepath.Join("/proc", strconv.Itoa(pid), "fd"), isSocket)
		if errors.Is(err, fs.ErrPermission) {
			return sameUser(pid, found, address) // As close as one can look without the capability SYS_PTRACE.
		}
		if owns {
			return nil
		}
	}
	return strangerError(address)
}

func sameUser(pid int, found []listener, address string) error {
	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	if slices.ContainsFunc(found, func(l listener) bool { return l.uid == ownerOf(info) }) {
		return nil
	}
	return strangerError(address)
}

func strangerError(address string) error {
	return fmt.Errorf("port %s is taken by %s, which answers in its place", address, portOwner(address))
}

// portOwner names who listens on an address, as well as the caller may know.
func portOwner(address string) string {
	found, err := listeners(address)
	if err != nil || len(found) == 0 {
		return "another process"
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return "another process"
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != "socket:["+found[0].inode+"]" {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		if name, err := os.ReadFile(filepath.Join(process, "comm")); err == nil { //nolint:gosec // A path in /proc.
			return fmt.Sprintf("process %s (%s)", filepath.Base(process), strings.TrimSpace(string(name)))
		}
	}
	return fmt.Sprintf("a process of user %d", found[0].uid)
}

// LoopbackPortFree tells whether nothing listens on a port of the loopback interface, for IPv4 or IPv6.
func LoopbackPortFree(port int) bool {
	for _, host := range []string{"127.0.0.1", "::1"} {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))) //nolint:noctx // It does not wait.
		if err != nil {
			if host == "::1" && !strings.Contains(err.Error(), "in use") {
				continue // No IPv6 here.
			}
			return false
		}
		_ = listener.Close()
	}
	return true
}
