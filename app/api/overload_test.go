package api_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
)

// TestThePoolNeverExceedsItsLimit sends two hundred requests at once while every connection is kept waiting by a lock,
// and looks at the server's own count of connections all the while.
func TestThePoolNeverExceedsItsLimit(t *testing.T) {
	t.Parallel()
	const connections, requests = 4, 200
	s := newService(t, func(cfg *config.Config) {
		cfg.DatabaseConnections, cfg.DatabaseWait, cfg.MaxInFlight = connections, 300*time.Millisecond, requests
	})
	c := s.signUp(t)
	lock := s.Database.Connect(t)
	_, err := lock.Exec(t.Context(), "BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)

	watch, stop := context.WithCancel(t.Context())
	most := make(chan int, 1)
	go s.watchConnections(watch, t, most)

	statuses := make(chan answer, requests)
	var group sync.WaitGroup
	for range requests {
		group.Go(func() { statuses <- c.do(t, "GET", "/account", nil) })
	}
	// All but those that got a connection are refused while the lock is still held.
	refused := 0
	for range requests - connections {
		r := (<-statuses).is(t, http.StatusServiceUnavailable)
		assert.Equal(t, "/problems/busy", r.problem(t).Type)
		assert.Equal(t, "1", r.Header.Get("Retry-After"))
		refused++
	}
	_, err = lock.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	group.Wait()
	for range connections {
		(<-statuses).is(t, http.StatusOK)
	}
	stop()
	seen := <-most
	assert.Equal(t, requests-connections, refused)
	assert.Equal(t, connections, seen, "as pg_stat_activity saw it")
	c.do(t, "GET", "/account", nil).is(t, http.StatusOK)
	assert.Contains(t, s.metrics(t), `radpanel_http_requests_shed_total{reason="database"} 196`)
}

// watchConnections sends the most connections that the service had at once, when ctx ends.
func (s *service) watchConnections(ctx context.Context, t *testing.T, most chan<- int) {
	conn := s.Database.Connect(t)
	seen := 0
	for ctx.Err() == nil {
		var n int
		err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'radpanel'", s.Database.Name).Scan(&n)
		if !assert.NoError(t, err) {
			break
		}
		seen = max(seen, n)
	}
	most <- seen
}

func TestReadinessFollowsTheDatabaseAndTheDrain(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ready := func() int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/readyz", nil)
		require.NoError(t, err)
		return s.anonymous().send(t, r).Status
	}
	assert.Equal(t, http.StatusOK, ready())
	admin := s.Database.ConnectServer(t)
	_, err := admin.Exec(t.Context(), "ALTER DATABASE "+s.Database.Name+" WITH ALLOW_CONNECTIONS false")
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", s.Database.Name)
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, ready())
	s.anonymous().do(t, "POST", "/sessions", map[string]any{"email": "a@example.com", "password": "x"}).is(t, http.StatusServiceUnavailable)
	_, err = admin.Exec(t.Context(), "ALTER DATABASE "+s.Database.Name+" WITH ALLOW_CONNECTIONS true")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, ready(), "the pool replaces its dead connections by itself")

	s.API.Drain()
	assert.Equal(t, http.StatusServiceUnavailable, ready())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/session", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "still served")
	assert.True(t, response.Close, "but not kept alive")
}
