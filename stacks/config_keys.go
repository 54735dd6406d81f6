package stacks

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const hostLabel = `[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?`

var (
	fullHostName = regexp.MustCompile(`^(` + hostLabel + `\.)+` + hostLabel + `$`)
	hostedZoneID = regexp.MustCompile(`^Z[A-Z0-9]{1,31}$`)
	imageID      = regexp.MustCompile(`^ami-[0-9a-f]{8}([0-9a-f]{9})?$`)
	imageName    = regexp.MustCompile(`^debian-[0-9]+-arm64-[0-9]{8}-[0-9]+$`)
	// tagValue is what AWS allows everywhere, see "Tag naming limits and requirements" of its general reference.
	tagValue   = regexp.MustCompile(`^[\p{L}\p{N} _.:/=+@-]{1,256}$`)
	regionCode = regexp.MustCompile(`^[a-z]{2}(-[a-z]+){1,2}-[1-9]$`)
)

// The names of the keys, without their namespace.
const (
	keyTier                   = "tier"
	keyTarget                 = "target"
	keyLogLevel               = "logLevel"
	keyFileSizeLimit          = "fileSizeLimit"
	keySessionIdleTimeout     = "sessionIdleTimeout"
	keySessionAbsoluteTimeout = "sessionAbsoluteTimeout"
	keyHTTPPort               = "httpPort"
	keyDomain                 = "domain"
	keyRegion                 = "region"
	keyNetwork                = "network"
	keySizing                 = "sizing"
	keyHostedZone             = "hostedZone"
	keyAMI                    = "ami"
	keyCostCentre             = "costCentre"
	keyAcknowledgeCost        = "acknowledgeCost"
	keyDownloadKey            = "downloadKey"
	keyLeaveFiles             = "leaveFiles"
	keyPromoteFrom            = "promoteFrom"
	keyPromoteTo              = "promoteTo"
	keyAlertWebhook           = "alertWebhook"
	keyAlertEmail             = "alertEmail"
	keyAlertEmailFrom         = "alertEmailFrom"
	keyAlertEmailServer       = "alertEmailServer"
	keyAlertEmailUser         = "alertEmailUser"
	keyAlertEmailPasswordFile = "alertEmailPasswordFile"
	keyAlertRehearsal         = "alertRehearsal"
	keyTraceEndpoint          = "traceEndpoint"
)

// Key documents one key of a stack's configuration.
type Key struct {
	// Name comes without the namespace.
	Name string
	Type string
	// Default is the value of a key that is not set. Empty: it has none.
	Default string
	// Allowed says which values are.
	Allowed string
	// Targets are those on which the key has an effect. On any other it is an error to set it.
	Targets []Target
	// Description is one or two sentences.
	Description string
}

// Keys documents every key, in the order in which errors come.
func Keys() []Key {
	var documented []Key
	for _, k := range keys() {
		documented = append(documented, k.Key)
	}
	return documented
}

// settingKey is a key that knows how to read its value. The keys that tell what the stack is, tier and target, do
// not: they are read before all others, with the stack's name.
type settingKey struct {
	Key
	set func(*Settings, string) error
}

func keys() []settingKey {
	everywhere := Targets()
	all := []settingKey{
		{Key: Key{
			Name: keyTier, Type: "tier", Allowed: oneOf(Tiers()), Targets: everywhere,
			Description: "The tier of the plan that the stack runs. Follows from the stack's name where that has the " +
				"form `[<target>-]<tier>[-<suffix>]`, such as `tier1`, `local-mvp` or `tier2-staging`.",
		}},
		{Key: Key{
			Name: keyTarget, Type: "target", Allowed: oneOf(Targets()), Targets: everywhere,
			Description: "Where the stack runs. Follows from the stack's name: `local-tier1` runs on this machine, " +
				"`aws-tier1`, `tier1` and any other name on AWS.",
		}},
		{
			Key: Key{
				Name: keyLogLevel, Type: "word", Default: "info", Allowed: oneOf(logLevels()), Targets: everywhere,
				Description: "The least severe messages that the service logs.",
			},
			set: func(s *Settings, raw string) error {
				s.LogLevel = raw
				return checkOneOf(raw, logLevels())
			},
		},
		{
			Key: Key{
				Name: keyFileSizeLimit, Type: "size", Default: "25MiB",
				Allowed: "1MiB to 1GiB, in KiB, MiB or GiB, such as 25MiB", Targets: everywhere,
				Description: "The largest file that a user may upload.",
			},
			set: func(s *Settings, raw string) (err error) {
				s.FileSizeLimit, err = parseBytes(raw, MiB, GiB)
				return err
			},
		},
		{
			Key: Key{
				Name: keySessionIdleTimeout, Type: "duration", Default: "168h",
				Allowed: "5m to 2160h (90 days), less than sessionAbsoluteTimeout, such as 168h", Targets: everywhere,
				Description: "A session that was not used for so long ends.",
			},
			set: func(s *Settings, raw string) (err error) {
				s.SessionIdleTimeout, err = parseDuration(raw, 5*time.Minute, 90*24*time.Hour)
				return err
			},
		},
		{
			Key: Key{
				Name: keySessionAbsoluteTimeout, Type: "duration", Default: "720h",
				Allowed: "10m to 8760h (365 days), more than sessionIdleTimeout, such as 720h", Targets: everywhere,
				Description: "A session ends so long after sign-in, used or not.",
			},
			set: func(s *Settings, raw string) (err error) {
				s.SessionAbsoluteTimeout, err = parseDuration(raw, 10*time.Minute, 365*24*time.Hour)
				return err
			},
		},
		{
			Key: Key{
				Name: keyHTTPPort, Type: "port", Default: "0", Targets: []Target{Local},
				Allowed: "1024 to 65535 (the panel runs unprivileged), or 0",
				Description: "The port of the loopback interface on which the panel answers. With 0, a free one is chosen " +
					"once and kept.",
			},
			set: func(s *Settings, raw string) (err error) {
				s.HTTPPort, err = parsePort(raw)
				return err
			},
		},
		{
			Key: Key{
				Name: keyDomain, Type: "host name", Targets: []Target{AWS},
				Allowed: "a full host name without scheme, port or path, such as panel.example.com",
				Description: "The name under which users reach the panel, and for which it gets a TLS certificate. Without it " +
					"the panel answers on its address by plain HTTP, where a browser does not keep the sign-in cookie: enough " +
					"to see that the stack is up, not to use it.",
			},
			set: func(s *Settings, raw string) (err error) {
				s.Domain, err = parseHostName(raw)
				return err
			},
		},
		{
			Key: Key{
				Name: keyRegion, Type: "AWS region", Default: "us-east-1", Targets: []Target{AWS},
				Allowed:     "the code of an AWS region, such as us-east-1",
				Description: "Where the stack is built. A panel cannot change its region in place: use a stack of its own.",
			},
			set: func(s *Settings, raw string) error {
				s.Region = raw
				return checkRegion(raw)
			},
		},
		{
			Key: Key{
				Name: keyNetwork, Type: "network", Targets: []Target{AWS}, Allowed: "a private network of 65,536 addresses, such as 10.40.0.0/16",
				Description: "The stack's private network. Two stacks between which a panel is promoted need different ones. Without the key, " +
					"the stack's name decides. It is chosen once: a stack keeps the network that it has.",
			},
			set: func(s *Settings, raw string) (err error) {
				s.Network, err = parseNetwork(raw)
				return err
			},
		},
		{
			Key: Key{
				Name: keySizing, Type: "word", Default: string(SizingHardware), Targets: []Target{AWS},
				Allowed: oneOf(sizings()),
				Description: "What wins where AWS cannot give both the plan's hardware and the plan's budget: `hardware` " +
					"takes at least its CPU and RAM, `budget` the most that its money buys.",
			},
			set: func(s *Settings, raw string) error {
				s.Sizing = Sizing(raw)
				return checkOneOf(s.Sizing, sizings())
			},
		},
		{
			Key: Key{
				Name: keyHostedZone, Type: "id", Targets: []Target{AWS},
				Allowed: "the id of a Route 53 hosted zone, such as Z0123456789ABCDEFGHIJ",
				Description: "The zone of rad-panel:domain, in which the stack then makes its records itself. Without it, the name is " +
					"pointed at the stack's address by hand; a tier with a CDN cannot do without it.",
			},
			set: func(s *Settings, raw string) error {
				s.HostedZone = raw
				return checkPattern(raw, hostedZoneID, "not the id of a hosted zone")
			},
		},
		{
			Key: Key{
				Name: keyAMI, Type: "image", Targets: []Target{AWS},
				Allowed: "the name of one of Debian's own images, such as debian-12-arm64-20260210-2384, or the id of an image",
				Description: "What hosts start from. It is pinned, and changes only when somebody sets it: each host is then replaced, " +
					"with its address and its data kept.",
			},
			set: func(s *Settings, raw string) error {
				s.AMI = raw
				if IsAMI(raw) {
					return nil
				}
				return checkPattern(raw, imageName, "not an image")
			},
		},
		{
			Key: Key{
				Name: keyCostCentre, Type: "text", Default: Namespace, Targets: []Target{AWS},
				Allowed:     "1 to 256 letters, digits, spaces and _ . : / = + @ -",
				Description: "The tag cost-centre of everything that the stack has, by which a bill can be split.",
			},
			set: func(s *Settings, raw string) error {
				s.CostCentre = raw
				return checkPattern(raw, tagValue, "not the value of a tag")
			},
		},
		{
			Key: Key{
				Name: keyAcknowledgeCost, Type: "US dollars a month", Targets: []Target{AWS},
				Allowed: "1 to 1000000, whole, such as 120",
				Description: "What the stack may cost in a month although the plan gives it less. A stack that costs more than " +
					"both is refused: see [what a stack costs](cost.md).",
			},
			set: func(s *Settings, raw string) (err error) {
				s.AcknowledgedCost, err = parseUSD(raw)
				return err
			},
		},
		{
			Key: Key{
				Name: keyDownloadKey, Type: "number", Default: "1", Targets: []Target{AWS},
				Allowed: "1 to 1000000, whole",
				Description: "Which key signs the addresses of downloads, in a tier with a CDN. The next greater number is another key: see " +
					"[From key to key](aws.md#from-key-to-key).",
			},
			set: func(s *Settings, raw string) (err error) {
				s.DownloadKey, err = parseCount(raw, 1, 1_000_000)
				return err
			},
		},
		{
			Key: Key{
				Name: keyLeaveFiles, Type: "word", Targets: []Target{AWS}, Allowed: leaveFiles,
				Description: "Agrees that a stack goes in place from a tier that keeps files on its disk to one that keeps them in S3, although " +
					"nothing moves them there: see [From tier to tier](aws.md#from-tier-to-tier).",
			},
			set: func(s *Settings, raw string) error {
				s.LeaveFiles = raw == leaveFiles
				return checkOneOf(raw, []string{leaveFiles})
			},
		},
		{
			Key: Key{
				Name: keyPromoteFrom, Type: "stack", Targets: everywhere, Allowed: "the name of another stack of the same target, such as local-mvp",
				Description: "The stack whose running panel is promoted to this one. While it is set, the stack has what the " +
					"promotion needs: the other's keys and address, a way in for its front door, and both have the same files. On this " +
					"machine `rad promote` sets it; on AWS it opens [the window](promotion.md#on-aws) between the two networks.",
			},
			set: func(s *Settings, raw string) (err error) {
				s.PromoteFrom, err = parseStackName(raw)
				return err
			},
		},
		{
			Key: Key{
				Name: keyPromoteTo, Type: "stack", Targets: everywhere, Allowed: "the name of another stack of the same target, such as local-tier1",
				Description: "The stack to which this one's panel was promoted: requests that come in here are passed on to it. On this " +
					"machine `rad promote` sets it; on AWS the panel's name leads to the other stack too.",
			},
			set: func(s *Settings, raw string) (err error) {
				s.PromoteTo, err = parseStackName(raw)
				return err
			},
		},
	}
	return append(append(all, alertKeys()...), traceKey())
}

// leaveFiles is the only value of the key of that name.
const leaveFiles = "true"

func logLevels() []string { return []string{"debug", "info", "warn", "error"} }

func sizings() []Sizing { return []Sizing{SizingHardware, SizingBudget} }

func checkOneOf[T ~string](value T, allowed []T) error {
	if !slices.Contains(allowed, value) {
		return errors.New("no such value")
	}
	return nil
}

// IsAMI tells whether an image is named by its id, which is of one region.
func IsAMI(image string) bool { return imageID.MatchString(image) }

func checkPattern(raw string, pattern *regexp.Regexp, problem string) error {
	if !pattern.MatchString(raw) {
		return errors.New(problem)
	}
	return nil
}

// parseBytes reads a whole number with a binary unit: "25MiB".
func parseBytes(raw string, least, most Bytes) (Bytes, error) {
	for suffix, unit := range map[string]Bytes{"KiB": KiB, "MiB": MiB, "GiB": GiB} {
		digits, ok := strings.CutSuffix(raw, suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(digits, " "), 10, 32)
		if err != nil {
			return 0, errors.New("not a size")
		}
		size := Bytes(n) * unit // 32 bits of GiB fit into 64
		return size, checkRange(size, least, most)
	}
	return 0, errors.New("not a size")
}

// parseDuration reads what [time.ParseDuration] reads: "168h", "1h30m".
func parseDuration(raw string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(raw)
	if err != nil {
		return 0, errors.New("not a duration")
	}
	return d, checkRange(d, least, most)
}

// compact writes a duration as a configuration does: "168h" for "168h0m0s".
func compact(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// parsePort reads the number of a port that needs no privilege, or 0.
func parsePort(raw string) (int, error) {
	port, err := strconv.Atoi(raw)
	if err != nil {
		return 0, errors.New("not a port")
	}
	if port == 0 {
		return 0, nil
	}
	return port, checkRange(port, 1024, 65535)
}

// parseUSD reads whole US dollars.
func parseUSD(raw string) (USD, error) {
	amount, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		return 0, errors.New("not a whole amount")
	}
	return USD(amount), checkRange(amount, 1, 1_000_000)
}

// parseCount reads a whole number.
func parseCount(raw string, least, most int) (int, error) {
	n, err := strconv.Atoi(raw)
	if err != nil {
		return 0, errors.New("not a whole number")
	}
	return n, checkRange(n, least, most)
}

func checkRange[T interface{ ~int | ~int64 }](value, least, most T) error {
	switch {
	case value < least:
		return errors.New("too small")
	case value > most:
		return errors.New("too large")
	default:
		return nil
	}
}

// parseStackName reads the name of another stack.
func parseStackName(raw string) (string, error) {
	if !stackName.MatchString(raw) || strings.Trim(raw, ".") == "" {
		return "", errors.New("not the name of a stack")
	}
	return raw, nil
}

// parseHostName reads a full host name by RFC 1123, in lower case: certificates and cookies compare it so.
func parseHostName(raw string) (string, error) {
	if _, err := netip.ParseAddr(raw); err == nil {
		return "", errors.New("an IP address gets no certificate")
	}
	if len(raw) > 253 || !fullHostName.MatchString(raw) {
		return "", errors.New("not a full host name")
	}
	return strings.ToLower(raw), nil
}

// networkBits is how long the prefix of a stack's network is: it has sixteen subnets of 4,096 addresses.
const networkBits = 16

// parseNetwork reads a network of private addresses (RFC 1918).
func parseNetwork(raw string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(raw)
	switch {
	case err != nil || !network.Addr().Is4() || network != network.Masked():
		return netip.Prefix{}, errors.New("not a network")
	case network.Bits() != networkBits:
		return netip.Prefix{}, errors.New("another size")
	case !network.Addr().IsPrivate():
		return netip.Prefix{}, errors.New("not private")
	default:
		return network, nil
	}
}

// checkRegion checks the form alone: which regions there are is known to the AWS target.
func checkRegion(raw string) error {
	if !regionCode.MatchString(raw) {
		return errors.New("not a region")
	}
	return nil
}
