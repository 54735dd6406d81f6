package api

import (
	"log/slog"
	"time"

	"github.com/radpanel/radpanel/app/account"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/app/panel"
	"github.com/radpanel/radpanel/app/scaling"
	"github.com/radpanel/radpanel/app/telemetry"
)

// Deps are the parts that the API is made of.
type Deps struct {
	Config   config.Config
	DB       *database.DB
	Accounts *account.Service
	Panels   *panel.Service
	// Files holds the bytes of files and of the results of jobs.
	Files file.Store
	// WakeJobs is called after a job was enqueued; nil when this instance runs none.
	WakeJobs func()
	// Log, Metrics and Now have defaults: nothing logged, metrics of their own, the system's clock.
	Log     *slog.Logger
	Metrics *telemetry.Metrics
	Now     func() time.Time
	// Traces is nil where nothing is traced.
	Traces *telemetry.Tracing
	// Plan is what administrators see; nil when the instance was given none. Scaling measures what it asks for.
	Plan    *config.Plan
	Scaling *scaling.Monitor
	// Levels records what users get, for all instances together.
	Levels *scaling.ServiceLevels
	// History knows how the figures went.
	History *scaling.Historian
}
