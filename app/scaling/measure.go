package scaling

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/radpanel/radpanel/app/config"
)

// filesEvery is how often the files are added up: that walks a whole folder.
const filesEvery = 5 * time.Minute

// Figures are what was measured; nil is what was not, for instance because too little time has passed.
type Figures struct {
	// P95Seconds is the time within which 95 of 100 API requests of the last five minutes were answered.
	P95Seconds *float64
	// RequestsPerSecond is the API's, over the last minute.
	RequestsPerSecond *float64
	// ConcurrentUsers is how many users were seen in the last five minutes.
	ConcurrentUsers *float64
	// CPUPercent is the host's CPU time that was not idle, all cores, over the last five minutes.
	CPUPercent *float64
	// DatabaseConnections is the server's client connections.
	DatabaseConnections *float64
	// DatabaseReadsPerSecond is this instance's reading statements, over the last five minutes.
	DatabaseReadsPerSecond *float64
	// CacheBytes is what Redis uses.
	CacheBytes *float64
	// StorageBytes is the size of the database and of the files together.
	StorageBytes *float64

	// failed are the metrics that could not be taken this time.
	failed map[string]bool
}

// Unit is what a figure is counted in.
type Unit string

// The units.
const (
	UnitSeconds   Unit = "seconds"
	UnitPercent   Unit = "percent"
	UnitCount     Unit = "count"
	UnitPerSecond Unit = "per_second"
	UnitBytes     Unit = "bytes"
)

// unitOf knows the units of the plan's metrics, also of those that this instance does not measure.
func unitOf(metric string) Unit {
	switch metric {
	case responseTime:
		return UnitSeconds
	case "database_reads":
		return UnitPerSecond
	case "storage_used", "cache_memory":
		return UnitBytes
	case "database_connections":
		return UnitCount
	default: // Shares of the balancer, of waits, of far requests, of the error budget, of the CPU.
		return UnitPercent
	}
}

// responseTime is the metric of which there may be nothing to measure: no request, no response time.
const responseTime = "response_time_p95"

// of returns the figure that the plan's metric names; measured is false for what is not measured here.
func (f Figures) of(metric string) (value float64, measured bool) {
	p := map[string]*float64{
		responseTime:           f.P95Seconds,
		"host_cpu":             f.CPUPercent,
		"database_connections": f.DatabaseConnections,
		"database_reads":       f.DatabaseReadsPerSecond,
		"storage_used":         f.StorageBytes,
		"cache_memory":         f.CacheBytes,
	}[metric]
	if p == nil {
		return 0, false
	}
	return *p, true
}

// sample is what rates are made of: counters at one time.
type sample struct {
	at                time.Time
	reads             int64
	cpuBusy, cpuTotal uint64
	cpuKnown          bool
}

// fileUse is the size of the files when it was last added up.
type fileUse struct {
	bytes int64
	at    time.Time
	err   error
}

// remember takes a sample and forgets those from before the window.
func (m *Monitor) remember(ctx context.Context, now time.Time) {
	s := sample{at: now, reads: m.Reads()}
	busy, total, err := readCPU(filepath.Join(m.ProcDir, "stat"))
	s.cpuBusy, s.cpuTotal, s.cpuKnown = busy, total, err == nil
	m.samples = append(m.samples, s)
	for len(m.samples) > 1 && now.Sub(m.samples[0].at) > window {
		m.samples = m.samples[1:]
	}
	if now.Sub(m.files.at) >= filesEvery {
		size, err := m.sizeOfFiles(ctx)
		m.files = fileUse{size, now, err}
		m.shown.Store(&fileUse{size, now, err})
	}
}

// sizeOfFiles adds up what the file store holds: as the rows say, or, on the disk, as it is.
func (m *Monitor) sizeOfFiles(ctx context.Context) (int64, error) {
	if m.Config.FileStore == config.FileStoreS3 {
		return m.number(ctx, "SELECT coalesce(sum(size_bytes), 0)::bigint FROM files")
	}
	return folderSize(m.Config.FilesDirectory)
}

func (m *Monitor) measure(ctx context.Context, now time.Time) Figures {
	f := Figures{failed: map[string]bool{}}
	if p95, n := m.Window.Quantile(0.95, window); n > 0 {
		f.P95Seconds = new(p95.Seconds())
	}
	f.RequestsPerSecond = new(m.Window.Rate(time.Minute))
	f.CPUPercent, f.DatabaseReadsPerSecond = m.rates()

	users, err := m.DB.CountUsersSeenSince(ctx, now.Add(-window))
	f.ConcurrentUsers = m.figure(ctx, f, "concurrent_users", float64(users), err)
	connections, err := m.number(ctx, countConnections)
	f.DatabaseConnections = m.figure(ctx, f, "database_connections", float64(connections), err)
	if m.CacheMemory != nil {
		used, err := m.CacheMemory(ctx)
		f.CacheBytes = m.figure(ctx, f, "cache_memory", float64(used), err)
	}
	size, err := m.number(ctx, databaseSize)
	f.StorageBytes = m.figure(ctx, f, "storage_used", float64(size+m.files.bytes), errors.Join(err, m.files.err))
	return f
}

// Statements on PostgreSQL's own views, which sqlc does not know.
const (
	// A role without privileges sees that the connections of others are there, though not what they do. The server's own
	// processes have no user or no database.
	countConnections = "SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL AND usename IS NOT NULL"
	databaseSize     = "SELECT pg_database_size(current_database())"
)

func (m *Monitor) number(ctx context.Context, sql string) (n int64, err error) {
	err = m.DB.QueryRow(ctx, sql).Scan(&n)
	return n, err
}

func (m *Monitor) figure(ctx context.Context, f Figures, metric string, value float64, err error) *float64 {
	if err != nil {
		f.failed[metric] = true
		m.Log.WarnContext(ctx, "not measured", "metric", metric, "error", err)
		return nil
	}
	return &value
}

// rates compares the newest sample with the oldest.
func (m *Monitor) rates() (cpuPercent, readsPerSecond *float64) {
	oldest, newest := m.samples[0], m.samples[len(m.samples)-1]
	elapsed := newest.at.Sub(oldest.at).Seconds()
	if elapsed <= 0 {
		return nil, nil
	}
	readsPerSecond = new(float64(newest.reads-oldest.reads) / elapsed)
	if oldest.cpuKnown && newest.cpuKnown && newest.cpuTotal > oldest.cpuTotal {
		cpuPercent = new(100 * float64(newest.cpuBusy-oldest.cpuBusy) / float64(newest.cpuTotal-oldest.cpuTotal))
	}
	return cpuPercent, readsPerSecond
}

// readCPU returns the processors' time since boot from the first line of /proc/stat, in ticks: user, nice, system, idle,
// iowait, irq, softirq, steal. What follows is contained in user and nice.
func readCPU(path string) (busy, total uint64, err error) {
	data, err := os.ReadFile(path) //nolint:gosec // /proc/stat.
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0, fmt.Errorf("%s: expected a line \"cpu\" with eight numbers", path)
	}
	const idle, iowait = 3, 4
	for i, field := range fields[1:9] {
		ticks, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", path, err)
		}
		total += ticks
		if i != idle && i != iowait {
			busy += ticks
		}
	}
	return busy, total, nil
}

// folderSize adds up the sizes of all files in a folder. Files that go away meanwhile count nothing.
func folderSize(folder string) (int64, error) {
	var size int64
	err := filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			info, infoErr := entry.Info()
			if infoErr == nil {
				size += info.Size()
			}
			err = infoErr
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return size, err
}
