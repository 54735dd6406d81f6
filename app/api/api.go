// Package api is the service's HTTP interface: the operations under /api/v1, described by an OpenAPI document that is
// generated from the handlers, and the endpoints for the machines that run the service.
package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/radpanel/radpanel/app/telemetry"
)

// basePath is where the operations are.
const basePath = "/api/v1"

// API serves HTTP. Make one with New.
type API struct {
	Deps

	huma     huma.API
	mux      *http.ServeMux
	cursors  cursorKey
	origin   *url.URL
	proxies  []netip.Prefix
	inFlight chan struct{}
	started  time.Time
	document []byte
	// ready and draining are what /readyz tells.
	ready    atomic.Bool
	draining atomic.Bool
}

// New returns the API on the given parts. It is not ready (see SetReady) until the database is.
func New(deps Deps) (*API, error) {
	deps.setDefaults()
	a := &API{
		Deps:     deps,
		mux:      http.NewServeMux(),
		inFlight: make(chan struct{}, deps.Config.MaxInFlight),
		started:  deps.Now(),
	}
	var err error
	if a.cursors, err = newCursorKey(deps.Config.EncryptionKey); err != nil {
		return nil, err
	}
	if a.origin, err = url.Parse(deps.Config.PublicURL); err != nil {
		return nil, err
	}
	for _, cidr := range deps.Config.TrustedProxies {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			return nil, err
		}
		a.proxies = append(a.proxies, prefix)
	}
	a.huma = humago.New(a.mux, a.humaConfig())
	a.registerAll()
	a.registerHealth()
	if a.document, err = a.renderDocument(); err != nil {
		return nil, err
	}
	return a, nil
}

// registerAll adds every operation. One function a group, each in the file of its group.
func (a *API) registerAll() {
	a.registerAccount()
	a.registerSessions()
	a.registerTOTP()
	a.registerAdmin()
	a.registerScaling()
	a.registerScalingHistory()
	a.registerPageLoads()
	a.registerPanels()
	a.registerRecords()
	a.registerFiles()
	a.registerUploads()
	a.registerExports()
	a.registerImports()
	a.registerJobs()
}

func (a *API) humaConfig() huma.Config {
	config := huma.DefaultConfig("RAD Panel", "1")
	config.Info.Description = "Panels over one's own data. Errors are problem details (RFC 9457)."
	config.Info.License = &huma.License{Name: "Apache-2.0", URL: "https://www.apache.org/licenses/LICENSE-2.0"}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		sessionScheme: {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "Set by POST /users and POST /sessions."},
	}
	// The document is served by this package (see openapi.go), without a page that loads scripts from elsewhere, and
	// answers carry no "$schema".
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil
	config.Formats = map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()}
	config.Transformers = []huma.Transformer{a.finishProblem}
	return config
}

// Handler returns the API with everything around it: limits, logs, metrics, and the checks that no operation may forget.
func (a *API) Handler() http.Handler {
	h := http.Handler(http.HandlerFunc(a.route))
	for _, wrap := range []func(http.Handler) http.Handler{
		a.ignoreAccept,
		a.checkOrigin,
		a.checkText,
		a.limitInFlight,
		a.recoverPanics,
		a.observe, // Outermost: sees every answer, also the refusals.
	} {
		h = wrap(h)
	}
	return h
}

// isOperation tells the requests of users, which limits and checks are for, from those of the machines around.
func isOperation(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

// SetReady tells that migrations are done and the service can serve.
func (a *API) SetReady() { a.ready.Store(true) }

// Drain makes /readyz answer 503, so that a balancer sends no more requests. Requests are still served.
func (a *API) Drain() { a.draining.Store(true) }

func (d *Deps) setDefaults() {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Metrics == nil {
		d.Metrics = telemetry.NewMetrics()
	}
	if d.WakeJobs == nil {
		d.WakeJobs = func() {}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
}
