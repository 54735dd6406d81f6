package promote

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An instance that is gone serves nothing. One that hangs, or breaks off, may still write.
func TestWhatAnInstanceServes(t *testing.T) {
	t.Parallel()
	serving := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("radpanel_http_requests_in_flight 3\n")) // The test sees what arrives.
	}))
	t.Cleanup(serving.Close)
	breaking := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("# HELP"))
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(breaking.Close)
	hanging, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = hanging.Close() })
	gone, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())

	n, err := inFlight(t.Context(), serving.URL)
	require.NoError(t, err)
	assert.Equal(t, 2, n, "beside the one that asks")
	n, err = inFlight(t.Context(), "http://"+gone.Addr().String())
	require.NoError(t, err)
	assert.Zero(t, n)
	for _, url := range []string{breaking.URL, "http://" + hanging.Addr().String()} {
		_, err = inFlight(t.Context(), url)
		require.ErrorIs(t, err, errNoAnswer, url)
	}
}
