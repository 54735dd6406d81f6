// Command docs writes docs/scaling-plan.md and docs/configuration.md from the plan and the configuration keys of
// package stacks. Run it from the top of the repository: go run ./stacks/docs
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := write("."); err != nil {
		fmt.Fprintf(os.Stderr, "docs: %v\n", err)
		os.Exit(1)
	}
}

// write renders every document and puts those that changed under the root of the repository.
func write(root string) error {
	if _, err := os.Stat(filepath.Join(root, "Pulumi.yaml")); err != nil {
		return fmt.Errorf("no Pulumi.yaml in %q: run it from the top of the repository: %w", root, err)
	}
	for _, d := range documents() {
		content, err := d.render()
		if err != nil {
			return fmt.Errorf("render %s: %w", d.path, err)
		}
		path := filepath.Join(root, filepath.FromSlash(d.path))
		if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // documents are for everyone to read
			return err
		}
	}
	return nil
}
