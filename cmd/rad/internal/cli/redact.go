package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
)

func (a *App) redactCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "redact",
		Short: "Mask what looks like a secret in a text",
		Long: "redact reads a text to its end, and writes it with [secret] for what looks like a secret: what providers and programs say in\n" +
			"their own words, before more people read it than may see the stack. A JSON document stays one: its texts are masked, each by itself.",
		Example: "  pulumi refresh --stack mvp --preview-only --diff 2>&1 | rad redact",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := io.ReadAll(a.Stdin)
			if err != nil {
				return fmt.Errorf("read the text: %w", err)
			}
			return written(a.Stdout, engine.RedactDocument(text))
		},
	}
}
