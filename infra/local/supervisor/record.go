package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// record is what later commands need to know about a service that was applied. Nothing secret is in it.
type record struct {
	Requires []string `json:"requires"`
	Ready    Probe    `json:"ready"`
}

func encodeRecord(spec Spec) (string, error) {
	raw, err := json.MarshalIndent(record{Requires: spec.Requires, Ready: spec.Ready}, "", "  ")
	if err != nil {
		return "", fmt.Errorf("service %s: %w", spec.Name, err)
	}
	return string(raw) + "\n", nil
}

// readRecord reads a service's record; the zero value if it was never applied.
func (s Stack) readRecord(name string) (record, error) {
	var r record
	raw, err := os.ReadFile(filepath.Join(s.service(name), "record.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("service %s: %w", name, err)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("service %s: record.json: %w", name, err)
	}
	return r, nil
}

// Order lists the services of the stack so that each comes after those that it requires. What was never applied comes
// last: nobody knows what it requires.
func (s Stack) Order() ([]string, error) {
	names, err := s.services()
	if err != nil {
		return nil, err
	}
	var order, unknown []string
	visited := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		if visited[name] || !slices.Contains(names, name) {
			return nil
		}
		visited[name] = true
		r, err := s.readRecord(name)
		if err != nil {
			return err
		}
		for _, required := range r.Requires {
			if err := visit(required); err != nil {
				return err
			}
		}
		if r.Ready.Kind == "" {
			unknown = append(unknown, name)
			return nil
		}
		order = append(order, name)
		return nil
	}
	for _, name := range names {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return append(order, unknown...), nil
}

// Restarts is what the supervisor did about a service that ended by itself, since it was last told to start it.
type Restarts struct {
	// Count is how often the service was started again.
	Count int
	// Last is when it last ended, LastExit how: "exit code 1" or "signal 9".
	Last     time.Time
	LastExit string
	// Streak counts the last ends in a row that came within 30 s of a start. Beyond three, starts are delayed.
	Streak int
}

func (s Stack) readRestarts(name string) (Restarts, error) {
	raw, err := os.ReadFile(filepath.Join(s.service(name), "restarts"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(raw) == 0 { // An older release left it empty when the disk was full.
		return Restarts{}, nil
	}
	if err != nil {
		return Restarts{}, fmt.Errorf("restarts of %s: %w", name, err)
	}
	var r Restarts
	var at int64
	var code, signal int
	if _, err := fmt.Sscan(string(raw), &r.Count, &at, &code, &signal, &r.Streak); err != nil {
		return Restarts{}, fmt.Errorf("restarts of %s: %q: %w", name, raw, err)
	}
	r.Last = time.Unix(at, 0)
	r.LastExit = fmt.Sprintf("exit code %d", code)
	if code < 0 {
		r.LastExit = fmt.Sprintf("signal %d", signal)
	}
	return r, nil
}
