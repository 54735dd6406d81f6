package stacks

import (
	"net/netip"
	"time"
)

// Target names where a stack runs.
type Target string

// The targets.
const (
	AWS   Target = "aws"
	Local Target = "local" // this machine
)

// Targets gives all targets.
func Targets() []Target { return []Target{AWS, Local} }

// Stack is one tier on one target: everything that a program needs to know to deploy it, validated.
type Stack struct {
	// Name is the Pulumi stack's, such as "local-tier1".
	Name   string
	Target Target
	// Plan is the tier that the stack runs, as the plan has it.
	Plan     TierPlan
	Settings Settings
}

// Tier names the tier that the stack runs.
func (s Stack) Tier() Tier { return s.Plan.Tier }

// Settings is what a stack's configuration chooses within its tier. See [Keys] for what each is for.
type Settings struct {
	// LogLevel is one of debug, info, warn, error.
	LogLevel string
	// FileSizeLimit is the largest file that a user may upload.
	FileSizeLimit Bytes
	// SessionIdleTimeout is less than SessionAbsoluteTimeout.
	SessionIdleTimeout     time.Duration
	SessionAbsoluteTimeout time.Duration
	// TraceEndpoint takes traces by OTLP over HTTP. Empty: nothing is traced.
	TraceEndpoint string
	// HTTPPort is where the panel answers on this machine. 0: a free one is chosen once and kept. Local only.
	HTTPPort int
	// PromoteFrom is the stack whose panel is promoted to this one, PromoteTo the one to which this one's was.
	PromoteFrom, PromoteTo string
	// Domain is the host name under which the panel is reached. Empty: it has none, hence no TLS. AWS only.
	Domain string
	// Region is where the stack is built. AWS only.
	Region string
	// Network is the stack's own, if the configuration chooses it. AWS only.
	Network netip.Prefix
	// Sizing says what wins where hardware and budget of the plan cannot both be had. AWS only.
	Sizing Sizing
	// HostedZone is the id of the Route 53 zone that holds Domain. Empty: its records are made by hand. AWS only.
	HostedZone string
	// AMI is the name of one of Debian's images, or an image's id. AWS only.
	AMI string
	// CostCentre is a tag. AWS only.
	CostCentre string
	// AcknowledgedCost is what the stack may cost in a month although the plan gives it less. 0: nothing is. AWS only.
	AcknowledgedCost USD
	// DownloadKey is which of the keys that the CDN trusts signs the addresses of downloads. AWS only.
	DownloadKey int
	// LeaveFiles agrees that files stay on the disk when the stack goes in place to a tier that has them in S3. AWS only.
	LeaveFiles bool
	// Alerting is who is told of alerts. Local only.
	Alerting Alerting
}

// Sizing is what instance types are chosen for.
type Sizing string

// The sizings.
const (
	SizingHardware Sizing = "hardware" // at least the plan's CPU and RAM, whatever it costs
	SizingBudget   Sizing = "budget"   // at most the plan's money, the most hardware that it buys
)
