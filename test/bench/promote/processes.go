package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/radpanel/radpanel/test/radstack"
)

// clockTicks is how many a second the times in /proc/<pid>/stat count: USER_HZ, which is 100 for programs on every Linux.
const clockTicks = 100

// processes are those of some services of a stack.
type processes map[string]int

func watchProcesses(status radstack.Status, names ...string) (processes, error) {
	found := processes{}
	for _, service := range status.Services {
		if slices.Contains(names, service.Name) {
			found[service.Name] = service.PID
		}
	}
	if len(found) != len(names) {
		return nil, fmt.Errorf("services %v: found only %v", names, found)
	}
	return found, nil
}

func (p processes) names() []string { return slices.Sorted(maps.Keys(p)) }

// during tells which share of a processor each service used while something was done.
func (p processes) during(do func() error) (map[string]float64, error) {
	began, before := time.Now(), p.used()
	if err := do(); err != nil {
		return nil, err
	}
	took, after, shares := time.Since(began), p.used(), map[string]float64{}
	for name := range p {
		shares[name] = (after[name] - before[name]) / took.Seconds()
	}
	return shares, nil
}

// used gives the seconds of a processor that each service has used so far, with those that it began and that have ended.
func (p processes) used() map[string]float64 {
	seconds, parents := map[int]float64{}, map[int]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // It has ended meanwhile.
		}
		// pid (command) state ppid …; the command may hold spaces and brackets.
		text := string(raw)
		fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
		pid, pidErr := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if len(fields) < 15 || pidErr != nil {
			continue
		}
		parents[pid], _ = strconv.Atoi(fields[1]) // The kernel writes numbers.
		for _, field := range fields[11:15] {     // utime, stime, and those of children that were waited for
			ticks, _ := strconv.Atoi(field)
			seconds[pid] += float64(ticks) / clockTicks
		}
	}
	used := map[string]float64{}
	for name, root := range p {
		for pid := range seconds {
			for at := pid; at > 1; at = parents[at] {
				if at == root {
					used[name] += seconds[pid]
					break
				}
			}
		}
	}
	return used
}
