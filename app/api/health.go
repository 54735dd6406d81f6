package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/radpanel/radpanel/app/database"
)

// readyTimeout bounds the look at the database, so that a probe gets its answer before it gives up itself.
const readyTimeout = 800 * time.Millisecond

// registerHealth adds what machines ask: whether the process lives, whether to send it requests, and its metrics.
func (a *API) registerHealth() {
	a.mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	a.mux.HandleFunc("GET /readyz", a.serveReady)
	a.mux.Handle("GET /metrics", a.Metrics.Handler())
	a.mux.HandleFunc("GET "+basePath+"/openapi.json", a.serveDocument)
}

func (a *API) serveReady(w http.ResponseWriter, r *http.Request) {
	switch {
	case a.draining.Load():
		writeText(w, http.StatusServiceUnavailable, "draining")
	case !a.ready.Load():
		writeText(w, http.StatusServiceUnavailable, "waiting for the database and its migrations")
	default:
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		// A full pool is load, which is shed request by request; to take the instance out would only move it.
		if err := a.DB.Ping(ctx); err != nil && !errors.Is(err, database.ErrPoolExhausted) {
			a.Log.WarnContext(ctx, "not ready: the database does not answer", "error", err)
			writeText(w, http.StatusServiceUnavailable, "the database does not answer")
			return
		}
		writeText(w, http.StatusOK, "ready")
	}
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // The client may be gone.
}
