package stacks

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
)

// traceKey is the key of [Settings.TraceEndpoint].
func traceKey() settingKey {
	return settingKey{
		Key: Key{
			Name: keyTraceEndpoint, Type: "URL", Targets: Targets(),
			Allowed: "an https URL, or an http one of the same machine, without user and query, such as https://traces.example.com/v1/traces, " +
				"from Tier 1 on",
			Description: "Takes the service's traces by OpenTelemetry's OTLP over HTTP: a collector or a store of traces. Where it wants a " +
				"token, a collector on the same machine adds that. Without the key, a stack on this machine keeps its traces itself, " +
				"and one on AWS makes none; there, hosts reach port 443 alone, from Tier 2 on by IPv6.",
		},
		set: func(s *Settings, raw string) (err error) {
			s.TraceEndpoint, err = parseTraceEndpoint(raw)
			return err
		},
	}
}

// failTracing blames the key where the tier traces nothing.
func (l *loader) failTracing() {
	if l.stack.Settings.TraceEndpoint != "" && l.stack.Plan.Tier != "" && !l.stack.Plan.Blueprint.Monitoring.Level.Has(APM) {
		l.fail(keyTraceEndpoint, fmt.Sprintf("it has no effect on %s, which the plan gives no traces: remove it", l.stack.Plan.Title))
	}
}

func parseTraceEndpoint(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("not such a URL")
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && isThisMachine(u.Hostname()):
	default: // Traces tell who did what.
		return "", errors.New("not encrypted")
	}
	return raw, nil
}

func isThisMachine(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}
