package monitoring

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/radpanel/radpanel/stacks"
)

// PrometheusFile is the name of Prometheus' configuration, which names [RulesFile] beside it.
const PrometheusFile = "prometheus.yml"

// FrontDoorJob is the job of the probe through the front door, which the objective "uptime" is about.
const FrontDoorJob = "front-door"

// Retention is how long figures are kept: the window of an error budget, and some days to look back at the one before.
const Retention = 35 * 24 * time.Hour

// RetentionSize bounds what they take on the disk. Measured, tier 2 writes 6 MB a day.
const RetentionSize = 512 * stacks.MiB

// Prometheus measures a stack and evaluates its rules.
type Prometheus struct {
	// Stack is its name, Tier its tier: alerts carry both.
	Stack string
	Tier  stacks.Tier
	Pace  Pace
	// Targets are asked for their metrics.
	Targets []Target
	// FrontDoor is the URL that Blackbox, as host:port, is to ask for.
	FrontDoor, Blackbox string
	// Alertmanager is told of alerts, as host:port. Empty: nobody is.
	Alertmanager string
	// DataDisk is where the disk with the data is mounted, of those that the job of [NodeJob] tells about.
	DataDisk string
}

// NodeJob is the job that tells about the host itself: its CPU, its memory, its disks.
const NodeJob = "node"

// The jobs of what else is asked: the service's instances, the exporter beside the primary, and whoever watches the balancer.
const (
	ServiceJob  = "service"
	PostgresJob = "postgres"
	BalancerJob = "balancer"
)

// Target is a server that exposes metrics at /metrics.
type Target struct {
	// Job is what the server is: servers of one kind have one job.
	Job string
	// Address is host:port.
	Address string
	// Labels tell one server of the job from another, such as instance.
	Labels map[string]string
}

// The format of Prometheus' configuration: https://prometheus.io/docs/prometheus/latest/configuration/configuration/.
type prometheusFile struct {
	Global    prometheusGlobal `yaml:"global"`
	RuleFiles []string         `yaml:"rule_files"`
	Alerting  *alerting        `yaml:"alerting,omitempty"`
	Scrapes   []scrape         `yaml:"scrape_configs"`
}

type alerting struct {
	Alertmanagers []staticTargets `yaml:"alertmanagers"`
}

type prometheusGlobal struct {
	ScrapeInterval     string            `yaml:"scrape_interval"`
	ScrapeTimeout      string            `yaml:"scrape_timeout"`
	EvaluationInterval string            `yaml:"evaluation_interval"`
	ExternalLabels     map[string]string `yaml:"external_labels"`
}

type staticTargets struct {
	Static []staticConfig `yaml:"static_configs"`
}

type staticConfig struct {
	Targets []string          `yaml:"targets"`
	Labels  map[string]string `yaml:"labels,omitempty"`
}

type scrape struct {
	Job           string              `yaml:"job_name"`
	Path          string              `yaml:"metrics_path,omitempty"`
	Parameters    map[string][]string `yaml:"params,omitempty"`
	Static        []staticConfig      `yaml:"static_configs"`
	Relabel       []relabel           `yaml:"relabel_configs,omitempty"`
	MetricRelabel []relabel           `yaml:"metric_relabel_configs,omitempty"`
}

type relabel struct {
	Sources     []string `yaml:"source_labels,omitempty,flow"`
	Regex       string   `yaml:"regex,omitempty"`
	Action      string   `yaml:"action,omitempty"`
	Target      string   `yaml:"target_label,omitempty"`
	Replacement string   `yaml:"replacement,omitempty"`
}

// Files gives Prometheus' configuration and its rules, by file name. None of it is secret.
func (p Prometheus) Files() (map[string]string, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	rules, err := Rules(p.Tier, p.Pace)
	if err != nil {
		return nil, err
	}
	every := stacks.PrometheusDuration(p.Pace.Every)
	file := prometheusFile{
		Global: prometheusGlobal{
			ScrapeInterval: every, EvaluationInterval: every,
			ScrapeTimeout:  stacks.PrometheusDuration(min(p.Pace.Every, 10*time.Second)),
			ExternalLabels: map[string]string{"stack": p.Stack, "tier": string(p.Tier)},
		},
		RuleFiles: []string{RulesFile},
		Scrapes:   append(p.jobs(), p.frontDoor()),
	}
	if p.Alertmanager != "" {
		file.Alerting = &alerting{[]staticTargets{{[]staticConfig{{Targets: []string{p.Alertmanager}}}}}}
	}
	text, err := encode(file)
	return map[string]string{PrometheusFile: text, RulesFile: rules}, err
}

func (p Prometheus) check() error {
	var errs []error
	fail := func(field string, value any, expected string) {
		errs = append(errs, fmt.Errorf("configuration of Prometheus: %s %q: expected %s", field, fmt.Sprint(value), expected))
	}
	if p.Pace.Every < time.Second || p.Pace.Every > time.Minute || p.Pace.Every%time.Second != 0 {
		fail("Pace.Every", p.Pace.Every, "whole seconds, from 1s to 1m: a rate over five minutes needs a few samples")
	}
	if !filepath.IsAbs(p.DataDisk) {
		fail("DataDisk", p.DataDisk, "the absolute path where it is mounted")
	}
	for field, value := range map[string]string{"Stack": p.Stack, "FrontDoor": p.FrontDoor, "Blackbox": p.Blackbox} {
		if value == "" {
			fail(field, value, "a value")
		}
	}
	for i, target := range p.Targets {
		if target.Job == "" || target.Address == "" {
			fail(fmt.Sprintf("Targets[%d]", i), target, "a job and an address")
		}
	}
	return errors.Join(errs...)
}

// jobs gathers the targets by their job, in the order of the targets.
func (p Prometheus) jobs() []scrape {
	var jobs []scrape
	at := map[string]int{}
	for _, target := range p.Targets {
		i, ok := at[target.Job]
		if !ok {
			i = len(jobs)
			at[target.Job] = i
			jobs = append(jobs, scrape{Job: target.Job})
			if target.Job == NodeJob {
				jobs[i].MetricRelabel = p.dataDiskAlone()
			}
		}
		jobs[i].Static = append(jobs[i].Static, staticConfig{Targets: []string{target.Address}, Labels: target.Labels})
	}
	return jobs
}

// dataDiskAlone marks the disk with the data and drops the others, which are not the stack's to watch.
func (p Prometheus) dataDiskAlone() []relabel {
	return []relabel{
		{
			Sources: []string{"__name__", "mountpoint"}, Regex: "node_filesystem_.+;" + regexp.QuoteMeta(p.DataDisk),
			Target: "disk", Replacement: "data",
		},
		{Sources: []string{"__name__", "disk"}, Regex: "node_filesystem_.+;", Action: "drop"},
	}
}

// frontDoor has Blackbox ask for the front door.
func (p Prometheus) frontDoor() scrape {
	return scrape{
		Job: FrontDoorJob, Path: "/probe", Parameters: map[string][]string{"module": {blackboxModule}},
		Static: []staticConfig{{Targets: []string{p.FrontDoor}}},
		Relabel: []relabel{
			{Sources: []string{"__address__"}, Target: "__param_target"},
			{Sources: []string{"__param_target"}, Target: "instance"},
			{Target: "__address__", Replacement: p.Blackbox},
		},
	}
}

func encode(file any) (string, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(file); err != nil {
		return "", fmt.Errorf("write %T: %w", file, err)
	}
	return out.String(), nil
}

// BlackboxFile is the name of Blackbox' configuration.
const BlackboxFile = "blackbox.yml"

const blackboxModule = "front_door"

// Blackbox gives the configuration of the probe: an answer within 5 seconds, which is 200. A redirect is none.
func Blackbox() (string, error) {
	type http struct {
		ValidStatusCodes []int  `yaml:"valid_status_codes,flow"`
		FollowRedirects  bool   `yaml:"follow_redirects"`
		IPProtocol       string `yaml:"preferred_ip_protocol"`
	}
	type module struct {
		Prober  string `yaml:"prober"`
		Timeout string `yaml:"timeout"`
		HTTP    http   `yaml:"http"`
	}
	return encode(map[string]map[string]module{"modules": {blackboxModule: {
		Prober: "http", Timeout: "5s", HTTP: http{ValidStatusCodes: []int{200}, IPProtocol: "ip4"},
	}}})
}
