package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra"
	"github.com/radpanel/radpanel/stacks"
)

// TestMain lets the test binary be the panel that the tests deploy, and a `rad` that they kill.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("RAD_LISTEN_ADDRESS") != "":
		end(servePanel())
	case len(os.Args) == 4 && os.Args[1] == "deploy":
		end(deploy(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

func end(err error) {
	if err != nil {
		fmt.Println("panel:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// deploy brings a stack up with no state to begin with.
func deploy(stateFolder, releaseFolder string) error {
	stack, err := stacks.Load("local-mvp", nil)
	if err != nil {
		return err
	}
	e, err := newEngine()
	if err != nil {
		return err
	}
	_, err = e.up(stack, infra.Options{StateFolder: stateFolder, ReleaseFolder: releaseFolder})
	return err
}

// identity is what the panel of the tests says about itself.
type identity struct {
	PID, UID int
	LogLevel string
	Notes    []string
}

// servePanel behaves like the panel towards its surroundings: it reads its configuration, makes its tables as the owner
// directly in PostgreSQL, and reads and writes rows through the pooler.
func servePanel() error {
	settings, err := config.Load()
	if err != nil {
		return err
	}
	if settings.LogLevel == "error" { // The tests' word for a release that does not work.
		return fmt.Errorf("cannot work with key %s", settings.EncryptionKey.Reveal())
	}
	if _, err := config.ReadPlan(settings.PlanFile); err != nil {
		return err
	}
	if err := os.WriteFile(settings.FilesDirectory+"/probe", []byte("x"), 0o600); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := query(ctx, settings.MigrationDatabaseURL, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, "CREATE TABLE IF NOT EXISTS notes (id serial PRIMARY KEY, text text NOT NULL)")
		return err
	}); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := query(r.Context(), settings.DatabaseURL, func(c *pgx.Conn) error { return c.Ping(r.Context()) }); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /api/v1/identity", func(w http.ResponseWriter, r *http.Request) {
		id := identity{PID: os.Getpid(), UID: os.Getuid(), LogLevel: settings.LogLevel}
		err := query(r.Context(), settings.DatabaseURL, func(c *pgx.Conn) error {
			rows, err := c.Query(r.Context(), "SELECT text FROM notes ORDER BY id")
			if err != nil {
				return err
			}
			notes, err := pgx.CollectRows(rows, pgx.RowTo[string])
			id.Notes = append(id.Notes, notes...)
			return err
		})
		answer(w, id, err)
	})
	mux.HandleFunc("POST /api/v1/notes", func(w http.ResponseWriter, r *http.Request) {
		err := query(r.Context(), settings.DatabaseURL, func(c *pgx.Conn) error {
			_, err := c.Exec(r.Context(), "INSERT INTO notes (text) VALUES ($1)", r.URL.Query().Get("text"))
			return err
		})
		answer(w, "ok", err)
	})
	// What the application's role may not do.
	mux.HandleFunc("POST /api/v1/drop", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "dropped", query(r.Context(), settings.DatabaseURL, func(c *pgx.Conn) error {
			_, err := c.Exec(r.Context(), "DROP TABLE notes")
			return err
		}))
	})
	server := &http.Server{Addr: settings.ListenAddress, Handler: mux, ReadHeaderTimeout: time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- server.Shutdown(context.WithoutCancel(ctx))
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

func query(ctx context.Context, url config.Secret, run func(*pgx.Conn) error) error {
	settings, err := pgx.ParseConfig(url.Reveal())
	if err != nil {
		return err
	}
	settings.DefaultQueryExecMode = pgx.QueryExecModeExec // The pooler hands out another connection each time.
	connection, err := pgx.ConnectConfig(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close(ctx) }()
	return run(connection)
}

func answer(w http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(value)
}
