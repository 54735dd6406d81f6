package monitoring

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"time"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/stacks"
)

// The files of Alertmanager.
const (
	// AlertmanagerFile is secret: a webhook's URL is all that it takes to write there.
	AlertmanagerFile = "alertmanager.yml"
	// AlertmanagerPasswordFile holds the mail server's password. It is secret too.
	AlertmanagerPasswordFile = "smtp-password"
)

// AlertmanagerRetention is how long Alertmanager has to remember whom it told of what: longer than the longest time after
// which it tells again.
const AlertmanagerRetention = 8 * 24 * time.Hour

// Alertmanager tells people of alerts: all that belong together at once, the urgent ones again and again.
type Alertmanager struct {
	Pace Pace
	// ConfigFolder is where the files of Files lie.
	ConfigFolder string
	// Webhook gets alerts by POST, as https://prometheus.io/docs/alerting/latest/configuration/#webhook_config says.
	// Empty: none does.
	Webhook config.Secret
	// Email gets alerts by mail. Nil: nobody does.
	Email *Email
	// Topic gets alerts, but for triggers: where there is one, the cloud has alarms of its own on those ([Alarms]), which tell
	// it too. Nil: none does.
	Topic *Topic
}

// Topic is one of Amazon SNS. Alertmanager writes to it by the role of its host.
type Topic struct {
	ARN string
	// Endpoint is where SNS is, as an origin. Empty: where it always is.
	Endpoint string
}

// topicPattern takes the region out of a topic's ARN.
var topicPattern = regexp.MustCompile(`^arn:aws[a-z-]*:sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)

// region is where the topic is; empty where the ARN is none of a topic.
func (t Topic) region() string {
	parts := topicPattern.FindStringSubmatch(t.ARN)
	if parts == nil {
		return ""
	}
	return parts[1]
}

// Email is how alerts are mailed.
type Email struct {
	To, From string
	// Server is host:port of one that takes mail for To. Only one on this machine may do without TLS.
	Server string
	// User and Password are for the server; both are empty where it wants none.
	User     string
	Password config.Secret
}

// The format of Alertmanager's configuration: https://prometheus.io/docs/alerting/latest/configuration/.
type alertmanagerFile struct {
	Route     route      `yaml:"route"`
	Inhibit   []inhibit  `yaml:"inhibit_rules"`
	Receivers []receiver `yaml:"receivers"`
}

type route struct {
	Receiver       string   `yaml:"receiver,omitempty"`
	Matchers       []string `yaml:"matchers,omitempty"`
	GroupBy        []string `yaml:"group_by,omitempty,flow"`
	GroupWait      string   `yaml:"group_wait,omitempty"`
	GroupInterval  string   `yaml:"group_interval,omitempty"`
	RepeatInterval string   `yaml:"repeat_interval,omitempty"`
	Routes         []route  `yaml:"routes,omitempty"`
}

type inhibit struct {
	Source []string `yaml:"source_matchers"`
	Target []string `yaml:"target_matchers"`
	Equal  []string `yaml:"equal,flow"`
}

type receiver struct {
	Name    string          `yaml:"name"`
	Webhook []webhookConfig `yaml:"webhook_configs,omitempty"`
	Email   []emailConfig   `yaml:"email_configs,omitempty"`
	Topic   []topicConfig   `yaml:"sns_configs,omitempty"`
}

type topicConfig struct {
	Endpoint     string `yaml:"api_url,omitempty"`
	Signed       signed `yaml:"sigv4"`
	ARN          string `yaml:"topic_arn"`
	Subject      string `yaml:"subject"`
	Message      string `yaml:"message"`
	SendResolved bool   `yaml:"send_resolved"`
}

// signed says for which region; by whom is the role's matter.
type signed struct {
	Region string `yaml:"region"`
}

// What is said to a topic, by Alertmanager's own templates. Subjects have at most 100 characters (SNS API, Publish).
const (
	topicSubject = `{{ .Status | toUpper }}: {{ .CommonLabels.alertname }} of {{ .CommonLabels.stack }}`
	topicMessage = `{{ range .Alerts }}{{ .Annotations.summary }}: {{ .Annotations.value }}
severity {{ .Labels.severity }}, {{ .Status }}, since {{ .StartsAt }}
what to do: {{ .Annotations.runbook_url }}

{{ end }}`
)

type webhookConfig struct {
	URL          string `yaml:"url"`
	SendResolved bool   `yaml:"send_resolved"`
}

type emailConfig struct {
	To           string `yaml:"to"`
	From         string `yaml:"from"`
	Server       string `yaml:"smarthost"`
	User         string `yaml:"auth_username,omitempty"`
	PasswordFile string `yaml:"auth_password_file,omitempty"`
	RequireTLS   bool   `yaml:"require_tls"`
	SendResolved bool   `yaml:"send_resolved"`
}

// Files gives Alertmanager's configuration, by file name. All of it is secret.
func (a Alertmanager) Files() (map[string]string, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	wait, interval := 30*time.Second, 5*time.Minute
	if a.Pace.Rehearsal {
		wait, interval = a.Pace.Every, a.Pace.Every
	}
	again := func(severity stacks.Severity, after time.Duration) route {
		return route{Matchers: []string{fmt.Sprintf("severity=%q", severity)}, RepeatInterval: stacks.PrometheusDuration(after)}
	}
	const operator, alarms = "operator", "alarms"
	file := alertmanagerFile{
		Route: route{
			Receiver: operator, GroupBy: []string{"stack", "alertname"},
			GroupWait: stacks.PrometheusDuration(wait), GroupInterval: stacks.PrometheusDuration(interval),
			RepeatInterval: stacks.PrometheusDuration(24 * time.Hour),
			Routes: []route{
				again(stacks.Page, time.Hour), again(stacks.Ticket, 24*time.Hour), again(stacks.Growth, 7*24*time.Hour),
			},
		},
		// Whoever is woken need not be told again that it can wait.
		Inhibit: []inhibit{{
			Source: []string{fmt.Sprintf("severity=%q", stacks.Page)}, Target: []string{fmt.Sprintf("severity=%q", stacks.Ticket)},
			Equal: []string{"stack", "alertname"},
		}},
		Receivers: []receiver{{Name: operator}},
	}
	files := map[string]string{}
	if a.Webhook != "" {
		file.Receivers[0].Webhook = []webhookConfig{{URL: a.Webhook.Reveal(), SendResolved: true}}
	}
	if a.Email != nil {
		mail := emailConfig{
			To: a.Email.To, From: a.Email.From, Server: a.Email.Server, RequireTLS: !onThisMachine(a.Email.Server), SendResolved: true,
		}
		if a.Email.User != "" {
			mail.User, mail.PasswordFile = a.Email.User, filepath.Join(a.ConfigFolder, AlertmanagerPasswordFile)
			files[AlertmanagerPasswordFile] = a.Email.Password.Reveal()
		}
		file.Receivers[0].Email = []emailConfig{mail}
	}
	if a.Topic != nil {
		file.Receivers[0].Topic = []topicConfig{{
			Endpoint: a.Topic.Endpoint, Signed: signed{a.Topic.region()}, ARN: a.Topic.ARN, Subject: topicSubject, Message: topicMessage, SendResolved: true,
		}}
		growth := &file.Route.Routes[len(file.Route.Routes)-1]
		growth.Receiver = alarms
		file.Receivers = append(file.Receivers, receiver{Name: alarms})
	}
	var err error
	files[AlertmanagerFile], err = encode(file)
	return files, err
}

func (a Alertmanager) check() error {
	var errs []error
	if !filepath.IsAbs(a.ConfigFolder) {
		errs = append(errs, fmt.Errorf("configuration of Alertmanager: ConfigFolder %q: expected an absolute path", a.ConfigFolder))
	}
	if a.Email != nil {
		for field, value := range map[string]string{"Email.To": a.Email.To, "Email.From": a.Email.From, "Email.Server": a.Email.Server} {
			if value == "" {
				errs = append(errs, fmt.Errorf("configuration of Alertmanager: %s is empty: mail needs a receiver, a sender and a server", field))
			}
		}
		if (a.Email.User == "") != (a.Email.Password == "") {
			errs = append(errs, errors.New("configuration of Alertmanager: Email.User and Email.Password: expected both or neither"))
		}
	}
	if a.Topic != nil && a.Topic.region() == "" {
		errs = append(errs, fmt.Errorf("configuration of Alertmanager: Topic.ARN %q: expected the ARN of an SNS topic, such as "+
			"arn:aws:sns:eu-central-1:123456789012:alarms", a.Topic.ARN))
	}
	return errors.Join(errs...)
}

// onThisMachine tells whether a server's mail never leaves the machine.
func onThisMachine(server string) bool {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && address.IsLoopback())
}
