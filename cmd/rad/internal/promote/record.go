package promote

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Step is one part of a promotion. Each can be broken off at any point and done again.
type Step string

// The steps, in their order.
const (
	Check     Step = "check"
	Prepare   Step = "prepare"
	Copy      Step = "copy"
	Verify    Step = "verify"
	CutOver   Step = "cut-over"
	FrontDoor Step = "front-door"
	Bake      Step = "bake" // nothing to do: the old side is kept current until somebody decides
	Finish    Step = "finish"
	Finished  Step = "finished"
	// RollBack takes the place of Bake and of all after CutOver when the panel goes back.
	RollBack   Step = "roll-back"
	DoorBack   Step = "front-door-back"
	RolledBack Step = "rolled-back"
)

// steps are those on the way to Bake.
func steps() []Step { return []Step{Check, Prepare, Copy, Verify, CutOver, FrontDoor, Bake} }

// Record is what is known of a promotion between two runs of rad. Where the panel writes is not in it: the databases say
// that themselves.
type Record struct {
	From string `json:"from"`
	To   string `json:"to"`
	// FromTier and ToTier are the tiers of the two stacks.
	FromTier string `json:"from_tier"`
	ToTier   string `json:"to_tier"`
	// Step is the one that comes next, or was broken off.
	Step  Step      `json:"step"`
	Began time.Time `json:"began"`
	// Port is that of the panel's address.
	Port     string    `json:"port"`
	CutOvers []Outcome `json:"cut_overs,omitempty"`
	// Buckets are those that move: all, in a promotion from tier to tier.
	Buckets Buckets `json:"buckets"`
}

// Outcome is how a cut-over went.
type Outcome struct {
	At time.Time `json:"at"`
	// To is the stack that the panel writes to since.
	To string `json:"to"`
	// Pause is how long writes were held, in seconds, Draining the part of it that transactions took to end.
	Pause    float64 `json:"pause_seconds"`
	Draining float64 `json:"draining_seconds"`
	// Failure is set if it was broken off, and the panel writes where it did before.
	Failure string `json:"failure,omitempty"`
}

// Active tells whether the two stacks belong together at the moment.
func (r Record) Active() bool { return r.Step != Finished && r.Step != RolledBack && r.Step != Check }

// Engaged is the error of whoever wants one of the two for something else meanwhile.
func (r Record) Engaged(stack string) error {
	return fmt.Errorf("stack %s takes part in the promotion %s, which is at %s: finish it with `rad promote finish %s %s`, or go back with `rad promote rollback %s %s`",
		stack, r, r.Step, r.From, r.To, r.From, r.To)
}

// IsForwarding tells whether the front door of the old stack passes requests on to the new one.
func (r Record) IsForwarding() bool {
	return r.Step == FrontDoor || r.Step == Bake || r.Step == Finish || r.Step == RollBack
}

// FolderName is the name of the folder of records in a state folder.
const FolderName = "promotions"

// Folder is where the records of the stacks in a state folder are.
func Folder(stateFolder string) string { return filepath.Join(stateFolder, FolderName) }

// maxRecord bounds a record's file, in bytes.
const maxRecord = 1 << 20

// Find gives the promotion that a stack takes part in; false if there is none. Of several, the one that is not over.
func Find(stateFolder, stack string) (Record, bool, error) {
	records, err := Of(stateFolder, stack)
	if err != nil || len(records) == 0 {
		return Record{}, false, err
	}
	for _, record := range records {
		if record.Active() {
			return record, true, nil
		}
	}
	return records[0], true, nil
}

// Of gives the promotions that a stack takes or took part in.
func Of(stateFolder, stack string) ([]Record, error) {
	files, err := filepath.Glob(filepath.Join(Folder(stateFolder), "*.json"))
	if err != nil {
		return nil, fmt.Errorf("records of promotions: %w", err)
	}
	var found []Record
	for _, file := range files {
		record, err := read(file)
		if err != nil {
			return nil, err
		}
		if record.From == stack || record.To == stack {
			found = append(found, record)
		}
	}
	return found, nil
}

// Forget removes the records of a stack that is no more.
func Forget(stateFolder, stack string) error {
	files, err := filepath.Glob(filepath.Join(Folder(stateFolder), "*.json"))
	if err != nil {
		return fmt.Errorf("records of promotions: %w", err)
	}
	for _, file := range files {
		record, err := read(file)
		if err == nil && record.From != stack && record.To != stack {
			continue
		}
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("record of a promotion: %w", err)
		}
	}
	return nil
}

func read(path string) (Record, error) {
	var record Record
	raw, err := os.ReadFile(path) //nolint:gosec // The path is the operator's own state folder.
	if err != nil {
		return record, fmt.Errorf("record of the promotion: %w", err)
	}
	if len(raw) > maxRecord {
		return record, fmt.Errorf("record of the promotion %s: %d bytes, expected at most %d", path, len(raw), maxRecord)
	}
	if err := json.Unmarshal(raw, &record); err != nil {
		return record, fmt.Errorf("record of the promotion %s: %w", path, err)
	}
	return record, nil
}

func recordPath(stateFolder, from, to string) string {
	return filepath.Join(Folder(stateFolder), from+"--"+to+".json")
}

// load gives the record of a promotion; one that is at its beginning if there is none.
func load(stateFolder, from, to string) (Record, error) {
	record, err := read(recordPath(stateFolder, from, to))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{From: from, To: to, Step: Check, Buckets: AllBuckets()}, nil
	}
	return record, err
}

// save writes the record so that a crash leaves either the old or the new one.
func (r Record) save(stateFolder string) error {
	if err := os.MkdirAll(Folder(stateFolder), 0o700); err != nil {
		return fmt.Errorf("record of the promotion: %w", err)
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("record of the promotion: %w", err)
	}
	path := recordPath(stateFolder, r.From, r.To)
	aside, err := os.CreateTemp(filepath.Dir(path), ".record-*")
	if err != nil {
		return fmt.Errorf("record of the promotion: %w", err)
	}
	_, writeErr := aside.Write(append(raw, '\n'))
	err = errors.Join(writeErr, aside.Sync(), aside.Close())
	if err == nil {
		err = os.Rename(aside.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("record of the promotion: %w", errors.Join(err, os.Remove(aside.Name())))
	}
	return nil
}

// Buckets is a range of the 256 slices of users, both ends included.
type Buckets struct {
	First uint8 `json:"first"`
	Last  uint8 `json:"last"`
}

// AllBuckets is every user.
func AllBuckets() Buckets { return Buckets{0, 255} }

// filter is the row filter of a publication for the range; empty for all.
func (b Buckets) filter() string {
	if b == AllBuckets() {
		return ""
	}
	return fmt.Sprintf(" WHERE (bucket BETWEEN %d AND %d)", b.First, b.Last)
}

// String names the promotion in messages.
func (r Record) String() string { return strings.Join([]string{r.From, r.To}, " -> ") }
