package api

import (
	"log/slog"
	"time"

	"github.com/radpanel/radpanel/app/account"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
	"github.com/radpanel/radpanel/app/scaling"
	"github.com/radpanel/radpanel/app/telemetry"
)

// Deps are the parts that the API is made of.
type Deps struct {
	Config   config.Config
	DB       *database.DB
	Accounts *account.Service
	// Log, Metrics and Now have defaults: nothing logged, metrics of their own, the system's clock.
	Log     *slog.Logger
	Metrics *telemetry.Metrics
	Now     func() time.Time
	// Plan is what administrators see; nil when the instance was given none. Scaling measures what it asks for.
	Plan    *config.Plan
	Scaling *scaling.Monitor
}
