// Package ship carries a host's journal, and the figures that its stack's alarms are about, to CloudWatch. Debian has no
// agent of Amazon's; those that can be built weigh more than the panel.
package ship

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"golang.org/x/sync/errgroup"

	"github.com/radpanel/radpanel/infra/monitoring"
)

// Config says what goes where.
type Config struct {
	// Region is that of CloudWatch, Credentials those of the host's role.
	Region      string
	Credentials aws.CredentialsProvider
	// LogsEndpoint and FiguresEndpoint are where CloudWatch is. Empty: where it always is.
	LogsEndpoint, FiguresEndpoint string
	// LogGroup is there, LogStream is made in it.
	LogGroup, LogStream string
	// Journal is the command that reads the journal, without what it is to read of it.
	Journal []string
	// Folder is where it is kept how far the journal has come.
	Folder string
	// Stack is the value of the dimension of Figures, which Prometheus, an origin, has. Figures may be none.
	Stack      string
	Figures    []monitoring.Figure
	Prometheus string
	Log        *slog.Logger
	// Pace is UsualPace, but in tests.
	Pace Pace
}

// Pace is how fast things go.
type Pace struct {
	// Gather is how long events are gathered for one call, Again how long after failed tries it is tried again, MaxBackoff
	// the longest pause between tries of one call.
	Gather, Again, MaxBackoff time.Duration
	// Figures is how often figures go.
	Figures time.Duration
}

// UsualPace is that of a host.
func UsualPace() Pace {
	return Pace{Gather: 5 * time.Second, Again: 20 * time.Second, MaxBackoff: 20 * time.Second, Figures: time.Minute}
}

const (
	// tries of one call, each of which may take callTimeout.
	tries       = 5
	callTimeout = 20 * time.Second
)

var streamPattern = regexp.MustCompile(`^[^:*]{1,512}$`)

// Run carries until ctx ends. It gives up on nothing: what CloudWatch does not take now is sent again.
func Run(ctx context.Context, config Config) error {
	if config.LogGroup == "" || !streamPattern.MatchString(config.LogStream) || len(config.Journal) == 0 || config.Folder == "" {
		return fmt.Errorf("carry logs: group %q, stream %q, journal %q, folder %q: expected a value for each, and no : or * in the stream",
			config.LogGroup, config.LogStream, config.Journal, config.Folder)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return newJournal(config).run(ctx) })
	if len(config.Figures) > 0 {
		figures, err := newFigures(config)
		if err != nil {
			return err
		}
		group.Go(func() error { figures.run(ctx); return nil })
	}
	return group.Wait()
}

// retryer repeats what was throttled or failed on CloudWatch's side, each time a little later.
func (c Config) retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff, o.RateLimiter = tries, c.Pace.MaxBackoff, ratelimit.None
	})
}

func (c Config) client() *http.Client { return &http.Client{Timeout: callTimeout} }

func endpoint(origin string) *string {
	if origin == "" {
		return nil
	}
	return &origin
}

func (c Config) logs() *cloudwatchlogs.Client {
	return cloudwatchlogs.New(cloudwatchlogs.Options{
		Region: c.Region, Credentials: c.Credentials, BaseEndpoint: endpoint(c.LogsEndpoint), Retryer: c.retryer(), HTTPClient: c.client(),
	})
}

func (c Config) figures() *cloudwatch.Client {
	return cloudwatch.New(cloudwatch.Options{
		Region: c.Region, Credentials: c.Credentials, BaseEndpoint: endpoint(c.FiguresEndpoint), Retryer: c.retryer(), HTTPClient: c.client(),
	})
}

// sleep waits, unless ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
