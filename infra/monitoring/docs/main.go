// Command docs writes docs/dashboards from the plan: a dashboard for Grafana of each tier that has them. Run it from the
// top of the repository: go run ./infra/monitoring/docs
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/radpanel/radpanel/infra/monitoring"
	"github.com/radpanel/radpanel/stacks"
)

// folder holds the dashboards, in the repository.
const folder = "docs/dashboards"

func main() {
	if err := write("."); err != nil {
		fmt.Fprintf(os.Stderr, "docs: %v\n", err)
		os.Exit(1)
	}
}

// write puts the dashboards under the root of the repository.
func write(root string) error {
	if _, err := os.Stat(filepath.Join(root, "Pulumi.yaml")); err != nil {
		return fmt.Errorf("no Pulumi.yaml in %q: run it from the top of the repository: %w", root, err)
	}
	files, err := dashboards()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil { //nolint:gosec // documents are for everyone to read
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(root, folder, name), content, 0o644); err != nil { //nolint:gosec // as above
			return err
		}
	}
	return nil
}

// dashboards gives the content of each file.
func dashboards() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, dashboard := range monitoring.Dashboards(stacks.Plan()) {
		content, err := dashboard.JSON()
		if err != nil {
			return nil, err
		}
		files[string(dashboard.Tier)+".json"] = content
	}
	return files, nil
}
