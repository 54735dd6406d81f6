package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// docsCommand writes docs/rad.md. It is for this repository's own use.
func (a *App) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "docs",
		Short:  "Write the documentation of rad as Markdown",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return writeDocs(a.Stdout, command.Root())
		},
	}
}

func writeDocs(out io.Writer, root *cobra.Command) error {
	var text strings.Builder
	text.WriteString("# rad\n\n<!-- Written by `make docs` from cmd/rad: do not edit. -->\n\n")
	text.WriteString(root.Long + "\n")
	var topics []*cobra.Command
	walk(root, func(command *cobra.Command) {
		switch {
		case !command.HasParent(), command.Name() == "help":
		case command.Runnable():
			writeCommand(&text, command)
		case !command.HasSubCommands():
			topics = append(topics, command)
		}
	})
	text.WriteString("\n## Flags of every command\n\n")
	writeFlags(&text, root.PersistentFlags())
	for _, topic := range topics {
		fmt.Fprintf(&text, "\n## %s\n\n`rad help %s`\n\n```text\n%s\n```\n", topic.Short, topic.Name(), strings.TrimRight(topic.Long, "\n"))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func walk(command *cobra.Command, visit func(*cobra.Command)) {
	if command.Hidden {
		return
	}
	visit(command)
	for _, child := range command.Commands() {
		walk(child, visit)
	}
}

func writeCommand(text *strings.Builder, command *cobra.Command) {
	fmt.Fprintf(text, "\n## %s\n\n", command.CommandPath())
	fmt.Fprintf(text, "    %s\n\n", command.UseLine())
	description := command.Long
	if description == "" {
		description = command.Short + "."
	}
	text.WriteString(description + "\n")
	if command.Example != "" {
		fmt.Fprintf(text, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(command.Example, "  "), "\n  ", "\n"))
	}
	if command.HasAvailableLocalFlags() {
		text.WriteString("\n")
		writeFlags(text, command.LocalNonPersistentFlags())
	}
}

func writeFlags(text *strings.Builder, flags *pflag.FlagSet) {
	text.WriteString("| flag | meaning |\n| --- | --- |\n")
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden || flag.Name == "help" {
			return
		}
		name := "`--" + flag.Name + "`"
		if flag.Shorthand != "" {
			name += ", `-" + flag.Shorthand + "`"
		}
		usage := strings.ReplaceAll(flag.Usage, "|", `\|`)
		if shown := flag.DefValue; shown != "" && shown != "false" && shown != "[]" {
			usage += " (default: " + shown + ")"
		}
		fmt.Fprintf(text, "| %s | %s |\n", name, usage)
	})
}
