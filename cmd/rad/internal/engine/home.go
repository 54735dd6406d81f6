package engine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

// historyLength is how many updates of a stack the backend's history keeps. Each takes as much as the stack's state.
const historyLength = 50

// Home is the folder in which rad keeps what the engine needs: the backend with the state of all stacks, the
// passphrase that encrypts their secrets, and a home of its own for Pulumi, so that the user's ~/.pulumi is neither
// read nor changed.
//
//	<folder>/.pulumi          the file backend: state, history and locks
//	<folder>/passphrase       made on first use, mode 0600, never printed
//	<folder>/home             PULUMI_HOME
//	<folder>/stacks/<stack>   the project that the engine sees: Pulumi.yaml and the stack's settings
type Home struct {
	// Folder is absolute.
	Folder string
	// Project is the name of the Pulumi project.
	Project string
}

// BackendURL is what PULUMI_BACKEND_URL must be to work on the same stacks with the plain Pulumi CLI.
func (h Home) BackendURL() string { return "file://" + h.Folder }

// PassphraseFile is what PULUMI_CONFIG_PASSPHRASE_FILE must be for the same.
func (h Home) PassphraseFile() string { return filepath.Join(h.Folder, "passphrase") }

// Stacks names the stacks that have a state, in alphabetical order.
func (h Home) Stacks() ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(h.stateFile("any")))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the stacks: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if name, isState := strings.CutSuffix(entry.Name(), ".json"); isState {
			names = append(names, name)
		}
	}
	return names, nil
}

// Has tells whether the backend knows a stack. Asking the CLI would take a quarter of a second.
func (h Home) Has(stack string) bool {
	_, err := os.Stat(h.stateFile(stack))
	return err == nil
}

func (h Home) stateFile(stack string) string {
	return filepath.Join(h.Folder, ".pulumi", "stacks", h.Project, stack+".json")
}

func (h Home) locksFolder(stack string) string {
	return filepath.Join(h.Folder, ".pulumi", "locks", "organization", h.Project, stack)
}

func (h Home) projectFolder(stack string) string { return filepath.Join(h.Folder, "stacks", stack) }

func (h Home) pulumiHome() string { return filepath.Join(h.Folder, "home") }

// prepare makes what is missing: the folders and the passphrase.
func (h Home) prepare(stack string) error {
	for _, folder := range []string{h.Folder, h.pulumiHome(), h.projectFolder(stack)} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("make the engine's folder: %w", err)
		}
	}
	return h.ensurePassphrase()
}

// ensurePassphrase makes the passphrase on first use. It is linked into its place only when it is whole, and never
// over an existing one: without the passphrase that encrypted them, a stack's secrets are lost.
func (h Home) ensurePassphrase() (err error) {
	info, err := os.Stat(h.PassphraseFile())
	switch {
	case err == nil && info.Size() == 0:
		return fmt.Errorf("%s is empty: put the passphrase of the stacks under %s back, or remove both the file and the stacks",
			h.PassphraseFile(), h.Folder)
	case err == nil:
		return os.Chmod(h.PassphraseFile(), 0o600)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("look for the passphrase: %w", err)
	}
	if stacks, err := h.Stacks(); err != nil {
		return err
	} else if len(stacks) > 0 {
		return fmt.Errorf("the passphrase file %s is missing, but there are stacks that need it (%s): put it back from your backup; "+
			"a new passphrase could not read their secrets", h.PassphraseFile(), strings.Join(stacks, ", "))
	}
	temporary, err := os.CreateTemp(h.Folder, ".passphrase-*") // mode 0600
	if err != nil {
		return fmt.Errorf("make the passphrase: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(temporary.Name())) }()
	_, writeErr := temporary.WriteString(rand.Text() + rand.Text() + "\n") // 2 x 130 bits
	if err := errors.Join(writeErr, temporary.Sync(), temporary.Close()); err != nil {
		return fmt.Errorf("write the passphrase: %w", err)
	}
	if err := os.Link(temporary.Name(), h.PassphraseFile()); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep the passphrase: %w", err)
	}
	return nil
}

// settings is the part of Pulumi.<stack>.yaml that rad writes.
type settings struct {
	// EncryptionSalt is Pulumi's: it goes with the passphrase.
	EncryptionSalt string            `yaml:"encryptionsalt,omitempty"`
	Config         map[string]string `yaml:"config,omitempty"`
}

// writeProject writes the project that the engine sees, in rad's own folder: a checkout's files stay as they are.
func (h Home) writeProject(stack string, config map[string]string) error {
	folder := h.projectFolder(stack)
	project := map[string]string{"name": h.Project, "runtime": "go", "description": "Written by rad: see `rad help pulumi`"}
	if err := writeYAML(filepath.Join(folder, "Pulumi.yaml"), project); err != nil {
		return err
	}
	path := filepath.Join(folder, "Pulumi."+stack+".yaml")
	var current settings
	content, err := os.ReadFile(path) //nolint:gosec // In rad's own folder.
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the stack's settings: %w", err)
	}
	if err := yaml.Unmarshal(content, &current); err != nil {
		return fmt.Errorf("read the stack's settings in %s: %w", path, err)
	}
	current.Config = make(map[string]string, len(config))
	for key, value := range config {
		current.Config[h.Project+":"+key] = value
	}
	return writeYAML(path, current)
}

func writeYAML(path string, value any) error {
	content, err := yaml.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write the engine's project: %w", err)
	}
	return nil
}

// pruneHistory keeps the newest entries of a stack's history: the backend keeps the whole state with each, for ever.
func (h Home) pruneHistory(stack string) error {
	folder := filepath.Join(h.Folder, ".pulumi", "history", h.Project, stack)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("prune the history of stack %s: %w", stack, err)
	}
	// Each update has several files: <stack>-<nanoseconds>.<kind>. Their names sort by time.
	var updates []string
	for _, entry := range entries {
		name, _, _ := strings.Cut(strings.TrimPrefix(entry.Name(), stack), ".")
		if len(updates) == 0 || updates[len(updates)-1] != name {
			updates = append(updates, name)
		}
	}
	for _, name := range updates[:max(0, len(updates)-historyLength)] {
		old, err := filepath.Glob(filepath.Join(folder, stack+name+".*"))
		if err != nil {
			return fmt.Errorf("prune the history of stack %s: %w", stack, err)
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("prune the history of stack %s: %w", stack, err)
			}
		}
	}
	return nil
}

// forget removes what the backend leaves of a stack that it removed.
func (h Home) forget(stack string) error {
	backend := filepath.Join(h.Folder, ".pulumi")
	for _, path := range []string{
		h.projectFolder(stack), h.locksFolder(stack),
		filepath.Join(backend, "backups", h.Project, stack), filepath.Join(backend, "history", h.Project, stack),
		h.stateFile(stack) + ".bak", h.stateFile(stack) + ".bak.attrs",
	} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove what is left of stack %s: %w", stack, err)
		}
	}
	return nil
}
