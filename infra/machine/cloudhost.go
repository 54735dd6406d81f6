package machine

import (
	"fmt"
	"regexp"
	"strings"
)

// CloudHost is what a Linux host in a cloud knows when it boots for the first time: no more than where to ask for the
// rest. So its user data never changes with its tier, its configuration or the service's version, and holds no secret.
//
// The host asks the instance metadata service for the credentials of its role, then Systems Manager for the parameter
// SettingsParameter, a HostSettings in JSON, and for the secrets that HostSettings.Secrets names, and fetches the release
// that the settings name. It looks again every minute and brings itself in line: see package host.
type CloudHost struct {
	// Name is the host's in its stack, such as "panel-1".
	Name string
	// Region is that of the parameters.
	Region string
	// Prefix is the folder of the stack's parameters, such as "/radpanel/tier1".
	Prefix string
	// Endpoints are where the services of the cloud are. The zero value: where they always are.
	Endpoints CloudEndpoints
}

// CloudEndpoints are the origins of the cloud's services, such as "http://127.0.0.1:4000".
type CloudEndpoints struct {
	Parameters string `json:"parameters,omitempty"`
	Objects    string `json:"objects,omitempty"`
	Logs       string `json:"logs,omitempty"`
	Figures    string `json:"figures,omitempty"`
	Topics     string `json:"topics,omitempty"`
}

const (
	// UserDataLimit is how long user data may be, in bytes, before it is encoded (EC2, "Instance metadata and user data").
	UserDataLimit = 16 << 10
	// ReleaseProgram is the path, in a release, of the program that brings the host in line.
	ReleaseProgram = "bin/rad-host"
	// ReleaseService is the path, in a release, of the service.
	ReleaseService = "bin/radpanel"
	// ReleaseWeb is the path, in a release, of the front end.
	ReleaseWeb = "web"
	// ReleaseAgentKey is the path, in a release, of the public key that Amazon signs the agent of Session Manager with, as
	// "Verifying the signature of SSM Agent" of its user guide has it. Its fingerprint is
	// DE92 C7DA 3E56 E923 31D6 2A36 BC1F 495C 97DD 04ED.
	ReleaseAgentKey = "share/amazon-ssm-agent.asc"
)

// The ports at which hosts of a stack tell the one that watches it how they are.
const (
	NodeFiguresPort     = 9100
	PostgresFiguresPort = 9187
)

// SettingsParameter names the parameter that holds the host's HostSettings: a String, not a SecureString.
func (h CloudHost) SettingsParameter() string { return h.Prefix + "/hosts/" + h.Name }

// SecretParameter names the parameter that holds one of the stack's secrets: a SecureString.
func SecretParameter(prefix, secret string) string { return prefix + "/secrets/" + secret }

// UserData gives the cloud-init configuration of the host.
func (h CloudHost) UserData() (string, error) {
	if err := h.check(); err != nil {
		return "", err
	}
	bootstrap, err := render("radpanel-bootstrap", h)
	if err != nil {
		return "", err
	}
	text, err := render("user-data", struct {
		CloudHost
		Bootstrap string
		Masked    []string
	}{h, indent(bootstrap, "      "), PackagedUnits()})
	if err != nil {
		return "", err
	}
	if len(text) > UserDataLimit {
		return "", fmt.Errorf("user data of host %s has %d bytes: expected at most %d", h.Name, len(text), UserDataLimit)
	}
	return text, nil
}

// PackagedUnits are those that the packages bring along and start. The host runs units of its own instead.
func PackagedUnits() []string {
	return []string{
		"certbot.service", "certbot.timer", "nginx.service", "pgbouncer.service", "postgresql.service", "prometheus.service",
		"prometheus-alertmanager.service", "prometheus-blackbox-exporter.service", "prometheus-node-exporter.service", "prometheus-postgres-exporter.service",
		"prometheus-redis-exporter.service", "redis-server.service",
	}
}

// indent writes a text into a YAML block.
func indent(text, by string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n")
}

var (
	hostPattern      = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	regionPattern    = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	parameterPattern = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+)+$`)
	originPattern    = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+(:[0-9]+)?$`)
)

func (h CloudHost) check() error {
	c := &checker{program: "cloud host"}
	c.pattern("Name", h.Name, hostPattern, "a name of a-z 0-9 - that begins with a letter")
	c.pattern("Region", h.Region, regionPattern, "a region such as eu-central-1")
	c.pattern("Prefix", h.Prefix, parameterPattern, "a folder of parameters such as /radpanel/tier1")
	for field, endpoint := range map[string]string{
		"Endpoints.Parameters": h.Endpoints.Parameters, "Endpoints.Objects": h.Endpoints.Objects, "Endpoints.Logs": h.Endpoints.Logs,
		"Endpoints.Figures": h.Endpoints.Figures, "Endpoints.Topics": h.Endpoints.Topics,
	} {
		if endpoint != "" {
			c.pattern(field, endpoint, originPattern, "an origin such as https://ssm.eu-central-1.amazonaws.com, or nothing")
		}
	}
	return c.err()
}
