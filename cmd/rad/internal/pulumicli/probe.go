package pulumicli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// probeMemory remembers which version each pulumi answered, so that a run of rad need not start it just to ask: that
// is a quarter of a second of each command. A file that was replaced has another size or time and is asked anew.
// The memory is a convenience: if it cannot be read or written, pulumi is asked.
type probeMemory struct{ folder string }

type probed struct {
	Size    int64     `json:"size"`
	ModTime time.Time `json:"modTime"`
	Version string    `json:"version"`
}

func (m probeMemory) path() string { return filepath.Join(m.folder, "versions.json") }

func (m probeMemory) load() map[string]probed {
	known := map[string]probed{}
	content, err := os.ReadFile(m.path())
	if err != nil || json.Unmarshal(content, &known) != nil {
		return map[string]probed{}
	}
	return known
}

func (m probeMemory) recall(path string) (string, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return "", false
	}
	entry, found := m.load()[path]
	if !found || entry.Size != info.Size() || !entry.ModTime.Equal(info.ModTime()) {
		return "", false
	}
	return entry.Version, true
}

func (m probeMemory) remember(path, version string) {
	info, err := os.Stat(path)
	if err != nil {
		return
	}
	known := m.load()
	known[path] = probed{Size: info.Size(), ModTime: info.ModTime(), Version: version}
	content, err := json.MarshalIndent(known, "", "  ")
	if err != nil || os.MkdirAll(m.folder, 0o700) != nil {
		return
	}
	temporary, err := os.CreateTemp(m.folder, ".versions-*")
	if err != nil {
		return
	}
	_, writeErr := temporary.Write(append(content, '\n'))
	closeErr := temporary.Close()
	if writeErr != nil || closeErr != nil || os.Rename(temporary.Name(), m.path()) != nil {
		_ = os.Remove(temporary.Name())
	}
}
