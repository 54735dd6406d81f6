package price

import (
	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// Quantity is how much of something a full tier uses in a month, and why so much.
type Quantity struct {
	Name   string  `json:"name" doc:"of what"`
	Value  float64 `json:"value" doc:"how much a full tier uses in a month"`
	Unit   string  `json:"unit" doc:"its unit; empty: a count"`
	Reason string  `json:"reason" doc:"why so much"`
}

// Usage is what the users of a tier that is full use in a month, over all its regions.
type Usage struct {
	// Requests are those of the API.
	Requests Quantity
	// Out is what the API answers, and Static what browsers load of the front end.
	Out    Quantity
	Static Quantity
	// Files is what is kept in the file store, in one region; Downloads is what is fetched of it.
	Files     Quantity
	Downloads Quantity
	// Backups is what the backups take; Segments are the objects that point-in-time recovery writes.
	Backups  Quantity
	Segments Quantity
	// Logs is what is sent to the log service.
	Logs Quantity
	// Figures are those that are sent to CloudWatch, beside what AWS measures itself.
	Figures Quantity
	// BetweenZones and BetweenRegions are the stack's own traffic. 0 where there is one.
	BetweenZones   Quantity
	BetweenRegions Quantity
	// DNS is the number of queries.
	DNS Quantity
}

// The assumptions about one user, one request and one GiB. They are no plan's figures: whoever measures better ones changes
// them here, and every cost follows.
const (
	// activeHours is how long each user works in a month: two hours on each of 22 days.
	activeHours = 2 * 22
	// responseBytes is an API response with its headers: most are single records of some hundred bytes, a page of fifty
	// compresses to about 3 KiB.
	responseBytes = 2048
	// frontEndBytes is the front end, compressed, which a browser loads once a week: its files never change under a name.
	frontEndBytes  = 250 * 1024
	weeksPerMonth  = 52.0 / 12
	downloadedPart = 0.1
	// loggedBytes is what is sent to the log service for each request on average: errors, warnings and slow queries. Access
	// logs stay on the host.
	loggedBytes = 20
	// segmentsPerMonth is one segment of the write-ahead log a minute, so that at most a minute of writes is ever lost.
	segmentsPerMonth = 60 * HoursPerMonth
	// changedPart is the share of requests that write, which another region has to be told of.
	changedPart = 0.2
)

// UsageOf derives a tier's usage from its capacity.
func UsageOf(tier stacks.TierPlan) Usage {
	b := tier.Blueprint
	users := float64(tier.Users.Target)
	requests := float64(tier.Capacity.RequestsPerSecond) * 3600 * activeHours
	disks := float64(databaseDisk(b)*stacks.Bytes(b.Database.Shards)) / float64(stacks.GiB)
	usage := Usage{
		Requests: Quantity{
			"API requests", requests, "",
			"the tier's requests per second, for the 2 hours on 22 days of a month that each user works",
		},
		Out:      Quantity{"API responses", gib(requests * responseBytes), "GiB", "2 KiB for each request: most answer one record"},
		Static:   Quantity{"front end", gib(users * weeksPerMonth * frontEndBytes), "GiB", "250 KiB for each user and week: browsers keep it"},
		Backups:  Quantity{"backups", disks, "GiB", "as much as the databases' disks: two full copies of disks that are half full"},
		Segments: Quantity{"recovery segments", segmentsPerMonth * float64(b.Database.Shards), "objects", "one a minute for each shard"},
		Logs:     Quantity{"logs", gib(requests * loggedBytes), "GiB", "20 bytes for each request: errors, warnings and slow queries; access logs stay on the host"},
		Figures:  Quantity{"figures", float64(len(monitoring.Carried(tier))), "", "what the stack is judged by: the metrics of the triggers that lead on, the SLO and the capacity, each minute"},
		DNS:      Quantity{"DNS queries", users * activeHours, "queries", "one for each user and hour of work"},
	}
	usage.Files = Quantity{Name: "files", Unit: "GiB", Reason: "files are on the database's disk"}
	usage.Downloads = Quantity{Name: "downloads", Unit: "GiB", Reason: "in the API responses"}
	if b.FileStore.Kind == stacks.FileStoreS3 {
		files := max(0, float64(tier.Capacity.Storage)/float64(stacks.GiB)-disks)
		usage.Files.Value, usage.Files.Reason = files, "the tier's storage, without what the databases' disks hold"
		usage.Downloads.Value, usage.Downloads.Reason = files*downloadedPart, "a tenth of the files in a month"
	}
	usage.BetweenZones = Quantity{Name: "between zones", Unit: "GiB", Reason: "everything is in one zone"}
	if b.Zones > 1 {
		usage.BetweenZones.Value = usage.Out.Value
		usage.BetweenZones.Reason = "2 KiB for each request: half of what balancer, backends and databases tell each other, twice"
	}
	usage.BetweenRegions = Quantity{Name: "between regions", Unit: "GiB", Reason: "everything is in one region"}
	if b.Regions > 1 {
		usage.BetweenRegions.Value = usage.Out.Value*changedPart + usage.Files.Value*downloadedPart
		usage.BetweenRegions.Reason = "what the fifth of requests that write changes, and a tenth of the files as new ones"
	}
	return usage
}

// List gives all quantities, for people to judge.
func (u Usage) List() []Quantity {
	return []Quantity{u.Requests, u.Out, u.Static, u.Files, u.Downloads, u.Backups, u.Segments, u.Logs, u.Figures, u.BetweenZones, u.BetweenRegions, u.DNS}
}

func gib(bytes float64) float64 { return bytes / float64(stacks.GiB) }

// databaseDisk is the data disk of each host that PostgreSQL runs on.
func databaseDisk(b stacks.Blueprint) stacks.Bytes {
	host, _ := b.HostOf(stacks.PartDatabase)
	return host.Disk.Size
}
