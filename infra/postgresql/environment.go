package postgresql

import (
	"fmt"
	"os"
	"strings"
)

// IgnoreEnvironment makes this process deaf to the variables from which PostgreSQL's clients take what they are not told, such as
// PGSERVICE and PGOPTIONS. An operator's shell may mean another database by them; those of stacks are reached by what is said
// of them alone.
func IgnoreEnvironment() error {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "PG") {
			continue
		}
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("ignore the variable %s: %w", name, err)
		}
	}
	return nil
}
