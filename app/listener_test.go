package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever has connected before the port is closed gets an answer, though nobody has accepted the connection yet.
func TestConnectionsThatWaitOutliveTheirPort(t *testing.T) {
	t.Parallel()
	const clients = 50
	plain, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener, err := newGentleListener(plain)
	require.NoError(t, err)
	address := listener.Addr().String()

	var conns []net.Conn
	for range clients {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: panel\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
		require.NoError(t, err)
		conns = append(conns, conn)
	}

	closed := make(chan error, 1)
	go func() { closed <- listener.closeGently(t.Context()) }()
	refused := func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}
	require.Eventually(t, refused, patience, time.Millisecond)

	var served sync.WaitGroup
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(w, r.Body)
		assert.NoError(t, err)
	})}
	served.Go(func() { assert.ErrorIs(t, server.Serve(listener), net.ErrClosed) })
	for _, conn := range conns {
		require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.Contains(t, string(answer), "200 OK")
	}
	require.NoError(t, <-closed)
	served.Wait()
	require.NoError(t, server.Shutdown(context.WithoutCancel(t.Context())))
	require.NoError(t, listener.Close(), "what the server does if it ends before it has been told that the port is closed")
}
