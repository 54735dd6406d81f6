package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// gentleListener is a TCP listener that can be closed without losing whoever has connected already. A socket that is
// closed resets the connections that wait to be accepted: with the requests that came on them, which a balancer sends to
// another instance only if they are safe to repeat.
type gentleListener struct {
	*net.TCPListener

	isClosing atomic.Bool
	// last are the connections that were waiting when the port was closed.
	last chan net.Conn
}

func newGentleListener(listener net.Listener) (*gentleListener, error) {
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("listener %s: it is %T, expected one of TCP", listener.Addr(), listener)
	}
	return &gentleListener{TCPListener: tcp, last: make(chan net.Conn)}, nil
}

// Accept waits for the next connection; net.ErrClosed after the last.
func (l *gentleListener) Accept() (net.Conn, error) {
	conn, err := l.TCPListener.Accept()
	if err == nil || !l.isClosing.Load() {
		return conn, err
	}
	if conn, ok := <-l.last; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

// Close closes the port at once, unless it was closed gently: the server closes it again when it ends.
func (l *gentleListener) Close() error {
	if l.isClosing.Load() {
		return nil
	}
	return l.TCPListener.Close()
}

// closeGently closes the port. Those who have connected before are still given out by Accept; it returns when they all
// were, or closes those that are left when ctx ends. It must be called once.
func (l *gentleListener) closeGently(ctx context.Context) error {
	defer close(l.last)
	raw, err := l.SyscallConn()
	if err != nil {
		return fmt.Errorf("close %s: %w", l.Addr(), err)
	}
	var waiting []int
	controlErr := raw.Control(func(socket uintptr) {
		// Nothing else comes between the last look and the end but what takes microseconds.
		for {
			conn, _, acceptErr := unix.Accept4(int(socket), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if acceptErr != nil {
				break // EAGAIN: nobody waits.
			}
			waiting = append(waiting, conn)
		}
		l.isClosing.Store(true)
		err = unix.Shutdown(int(socket), unix.SHUT_RDWR)
	})
	err = errors.Join(controlErr, err, l.TCPListener.Close())
	for _, socket := range waiting {
		file := os.NewFile(uintptr(socket), "connection")
		conn, connErr := net.FileConn(file)
		_ = file.Close()
		if connErr != nil {
			err = errors.Join(err, connErr)
			continue
		}
		select {
		case l.last <- conn:
		case <-ctx.Done():
			err = errors.Join(err, ctx.Err(), conn.Close())
		}
	}
	return err
}
