package price

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// HoursPerMonth is what AWS reckons a month to have: 365 days of 24 hours over 12.
const HoursPerMonth = 730

// ReferenceRegion is the one whose prices stand in for those of a region that the table does not have.
const ReferenceRegion = "us-east-1"

//go:embed prices.json
var embedded []byte

// Item is something that AWS charges for by itself, besides instances. Its name ends in the unit.
type Item string

// The items of the table.
const (
	DiskStorage       Item = "ebs.gp3.gib_month"
	DiskIOPS          Item = "ebs.gp3.iops_month"  // over 3,000 that every gp3 disk has
	DiskThroughput    Item = "ebs.gp3.mibps_month" // over 125 that every gp3 disk has
	SnapshotStorage   Item = "ebs.snapshot.gib_month"
	PublicAddress     Item = "vpc.ipv4.hour" // each public IPv4 address, in use or not
	InterfaceEndpoint Item = "vpc.endpoint.hour"
	NATGateway        Item = "vpc.nat.hour"
	ObjectStorage     Item = "s3.standard.gib_month"
	ObjectWrites      Item = "s3.write.thousand"
	ObjectReads       Item = "s3.read.thousand"
	TransferOut       Item = "transfer.internet.gib"
	TransferZones     Item = "transfer.zones.gib" // both directions, each of which is charged
	TransferRegions   Item = "transfer.regions.gib"
	EdgeTransfer      Item = "cloudfront.transfer.gib"
	EdgeRequests      Item = "cloudfront.https.ten_thousand"
	HostedZone        Item = "route53.zone.month"
	DNSQueries        Item = "route53.queries.million"
	HealthCheck       Item = "route53.health_check.month"
	Alarm             Item = "cloudwatch.alarm.month"
	Dashboard         Item = "cloudwatch.dashboard.month"
	Metric            Item = "cloudwatch.metric.month"
	LogIngestion      Item = "cloudwatch.logs.gib"
	EncryptionKey     Item = "kms.key.month"
	StoredSecret      Item = "secretsmanager.secret.month"
	AdvancedParameter Item = "ssm.advanced_parameter.month"
	KubernetesCluster Item = "eks.cluster.hour"
	LoadBalancer      Item = "elb.hour"
	DatabaseStorage   Item = "rds.gp3.gib_month"
	DatabaseIOPS      Item = "rds.gp3.iops_month" // over 3,000, of disks below 400 GiB
)

// Items gives all of them.
func Items() []Item {
	return []Item{
		DiskStorage, DiskIOPS, DiskThroughput, SnapshotStorage, PublicAddress, InterfaceEndpoint, NATGateway, ObjectStorage,
		ObjectWrites, ObjectReads, TransferOut, TransferZones, TransferRegions, EdgeTransfer, EdgeRequests, HostedZone, DNSQueries,
		HealthCheck, Alarm, Dashboard, Metric, LogIngestion, EncryptionKey, StoredSecret, AdvancedParameter, KubernetesCluster,
		LoadBalancer, DatabaseStorage, DatabaseIOPS,
	}
}

// Unit is what one of an item is, such as "gib month".
func (i Item) Unit() string {
	_, unit, _ := strings.Cut(string(i), ".")
	if _, last, found := strings.Cut(unit, "."); found {
		unit = last
	}
	unit = strings.ReplaceAll(unit, "_", " ")
	return strings.NewReplacer("gib", "GiB", "iops", "IOPS", "mibps", "MiB/s").Replace(unit)
}

// Table is a price list of AWS, as of a day.
type Table struct {
	// Source is where the figures come from.
	Source string `json:"source"`
	// Checked tells of each region when its figures were held against the source.
	Checked map[string]Check `json:"checked"`
	// Confirmed tells which figures were held against a source that can be read, and when. See [Table.Unconfirmed].
	Confirmed []Confirmation `json:"confirmed"`
	// FreeTier is what each account gets of an item in a month at no cost, for ever, in the item's unit.
	FreeTier map[Item]float64 `json:"free_tier"`
	// Regions are by their code.
	Regions map[string]Region `json:"regions"`

	Currency string `json:"currency"`
}

// Check is a comparison of the table with its source.
type Check struct {
	// Date is that of the figures, as 2026-07-20.
	Date string `json:"date"`
	// Note says what the date does not hold for.
	Note string `json:"note"`
}

// Confirmation is that some figures are those of a source.
type Confirmation struct {
	Regions []string `json:"regions"`
	// Figures are items and instance types; what ends in a point is a family, such as "t4g.".
	Figures []string `json:"figures"`
	// Date is that of the source.
	Date string `json:"date"`
	From string `json:"from"`
}

func (c Confirmation) of(figure string) bool {
	return slices.ContainsFunc(c.Figures, func(name string) bool {
		return name == figure || (strings.HasSuffix(name, ".") && strings.HasPrefix(figure, name))
	})
}

// Unconfirmed names the figures of a region that no source confirms: they are as somebody remembered them, or scaled from
// those of another region.
func (t Table) Unconfirmed(region string) []string {
	var names []string
	for _, figure := range t.Regions[region].figures() {
		if !slices.ContainsFunc(t.Confirmed, func(c Confirmation) bool { return slices.Contains(c.Regions, region) && c.of(figure) }) {
			names = append(names, figure)
		}
	}
	return names
}

// Region is what AWS charges in one region, in US dollars.
type Region struct {
	Instances []Instance       `json:"instances"`
	Databases []Instance       `json:"databases"` // PostgreSQL of RDS in one zone
	Caches    []Instance       `json:"caches"`    // nodes of ElastiCache for Redis OSS and Valkey
	Rates     map[Item]float64 `json:"rates"`
	code      string
}

// Default gives the table that is part of this program.
func Default() (Table, error) { return Parse(embedded) }

// Parse reads a table and checks that it is whole: a price that is missing would be a cost that is missing.
func Parse(content []byte) (Table, error) {
	var table Table
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&table); err != nil {
		return Table{}, fmt.Errorf("read the price table: %w", err)
	}
	if table.Currency != "USD" {
		return Table{}, fmt.Errorf("price table: currency %q: expected USD", table.Currency)
	}
	if _, known := table.Regions[ReferenceRegion]; !known {
		return Table{}, fmt.Errorf("price table: region %s is missing: the table needs it as its reference", ReferenceRegion)
	}
	for item := range table.FreeTier {
		if !slices.Contains(Items(), item) {
			return Table{}, fmt.Errorf("price table: free tier of %q: no such item", item)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(table.Regions)) {
		if _, err := time.Parse(time.DateOnly, table.Checked[code].Date); err != nil {
			return Table{}, fmt.Errorf("price table: region %s: date %q of its figures: expected one such as 2026-07-20", code, table.Checked[code].Date)
		}
		region := table.Regions[code]
		if err := region.check(); err != nil {
			return Table{}, fmt.Errorf("price table: region %s: %w", code, err)
		}
		region.code = code
		table.Regions[code] = region
	}
	return table, table.checkConfirmed()
}

// figures names all that a region has a price for.
func (r Region) figures() []string {
	var names []string
	for _, list := range [][]Instance{r.Instances, r.Databases, r.Caches} {
		for _, instance := range list {
			names = append(names, instance.Type)
		}
	}
	for _, item := range slices.Sorted(maps.Keys(r.Rates)) {
		names = append(names, string(item))
	}
	return names
}

// checkConfirmed refuses confirmations of nothing.
func (t Table) checkConfirmed() error {
	for _, c := range t.Confirmed {
		if _, err := time.Parse(time.DateOnly, c.Date); err != nil || c.From == "" {
			return fmt.Errorf("price table: confirmed on %q from %q: expected a date such as 2026-07-20, and a source", c.Date, c.From)
		}
		for _, region := range c.Regions {
			for _, name := range c.Figures {
				one := Confirmation{Figures: []string{name}}
				if !slices.ContainsFunc(t.Regions[region].figures(), one.of) {
					return fmt.Errorf("price table: confirmed on %s: %s has no figure %s", c.Date, region, name)
				}
			}
		}
	}
	return nil
}

func (r Region) check() error {
	for _, item := range Items() {
		if r.Rates[item] <= 0 {
			return fmt.Errorf("%s: price %v: expected more than 0", item, r.Rates[item])
		}
	}
	if len(r.Rates) != len(Items()) {
		return fmt.Errorf("%d rates: expected %d, one for each item that this program knows", len(r.Rates), len(Items()))
	}
	for _, list := range [][]Instance{r.Instances, r.Databases, r.Caches} {
		if len(list) == 0 {
			return fmt.Errorf("a list of instance types is empty")
		}
		for _, instance := range list {
			if instance.Type == "" || instance.CPU <= 0 || instance.RAMGiB <= 0 || instance.Hourly <= 0 {
				return fmt.Errorf("instance type %+v: expected a type, CPU, RAM and price", instance)
			}
		}
	}
	return nil
}

// In gives the prices of a region. For one that the table lacks, they are those of [ReferenceRegion], and exact is false.
func (t Table) In(region string) (prices Region, exact bool) {
	if prices, exact = t.Regions[region]; exact {
		return prices, true
	}
	return t.Regions[ReferenceRegion], false
}

// Says tells of which region and day the prices of a region are.
func (t Table) Says(region string) string {
	prices, exact := t.In(region)
	check := t.Checked[prices.code]
	text := fmt.Sprintf("AWS on-demand prices of %s as of %s", prices.code, check.Date)
	if !exact {
		text += fmt.Sprintf(" (the table has none of %s, where they may differ by some 20 %%)", region)
	}
	return text
}
