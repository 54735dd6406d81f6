package cli

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/advise"
	"github.com/radpanel/radpanel/cmd/rad/internal/progress"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
)

// jsonTopic documents what --json writes, from the types that it writes.
func jsonTopic() *cobra.Command {
	var text strings.Builder
	text.WriteString("With --json, up, preview and down write one JSON object a line. Each has a type and a time (RFC 3339); the last one\n" +
		"is a summary, whatever happened, unless the command line or the configuration was wrong (exit code 2). Errors are\n" +
		"written to stderr too. Durations are seconds. Secrets are [secret]. A field with ? is left out when it is empty. New\n" +
		"types and fields may come; those here stay.\n")
	for _, event := range progress.Events() {
		fmt.Fprintf(&text, "\n%s\n", event.Kind())
		writeFields(&text, reflect.TypeOf(event), "  ")
	}
	text.WriteString("\n`rad status --json` writes one object:\n")
	writeFields(&text, reflect.TypeFor[Status](), "  ")
	text.WriteString("\n`rad advise --json` writes one object:\n")
	writeFields(&text, reflect.TypeFor[advise.Advice](), "  ")
	text.WriteString("\n`rad cost --json` writes one object:\n")
	writeFields(&text, reflect.TypeFor[Cost](), "  ")
	text.WriteString("\n`rad cost --all --json` writes one object:\n")
	writeFields(&text, reflect.TypeFor[CostTable](), "  ")
	return &cobra.Command{Use: "json", Short: "What --json writes", Long: text.String()}
}

// writeFields lists the fields of a struct by their names in JSON, and those of the structs in it below them.
func writeFields(text *strings.Builder, of reflect.Type, indent string) {
	for i := range of.NumField() {
		field := of.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" || name == "" {
			continue
		}
		if strings.Contains(options, "omitempty") {
			name += "?"
		}
		fmt.Fprintf(text, "%s%-*s  %s\n", indent, max(0, 20-len(indent)), name, field.Tag.Get("doc"))
		of := field.Type
		if of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct && of != reflect.TypeFor[time.Time]() {
			writeFields(text, of, indent+"  ")
		}
	}
}

// pulumiTopic tells how to reach rad's stacks with the plain CLI.
func pulumiTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "pulumi",
		Short: "How rad uses Pulumi, and how to use the plain CLI on the same stacks",
		Long: `rad runs the Pulumi engine itself. The state of its stacks is in a file backend in the state folder, with secrets
encrypted by a passphrase that rad made on first use:

  <state>/pulumi/.pulumi      backend: state, history, locks
  <state>/pulumi/passphrase   readable by its owner alone; keep a copy: without it the stacks' secrets are lost
  <state>/pulumi/home         Pulumi's home, with its encrypted logs; your own ~/.pulumi is neither read nor changed
  <state>/<stack>             what the stack runs: services, data, logs
  <state>/<stack>.lock        held by whoever changes the stack

<state> is /var/lib/radpanel for root and ~/.local/state/radpanel for others, unless --state or RAD_STATE_FOLDER says
otherwise.

The pulumi command line: rad takes the first one on PATH of version ` + pulumicli.MinimumVersion + ` or newer, else the one in its cache
(~/.cache/radpanel/pulumi), else it builds version ` + pulumicli.PinnedVersion + ` from tools/go.mod of the checkout, which takes some
minutes, once. RAD_PULUMI names another one.

The plain CLI works on the same stacks, in a checkout after make build. It needs the official Pulumi, which brings
pulumi-language-go:

  export PULUMI_BACKEND_URL=file://<state>/pulumi
  export PULUMI_CONFIG_PASSPHRASE_FILE=<state>/pulumi/passphrase
  pulumi up --stack local-mvp --refresh

pulumi notes the salt of its encryption in Pulumi.<stack>.yaml: leave that line out of what you commit. For a stack that
rad never brought up, run pulumi stack init local-mvp first; what pulumi began, rad goes on with, and the other way round.
Never run both on one stack at once: rad sees the lock of a plain pulumi and refuses, and pulumi sees rad's.
`,
	}
}

func environmentTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "environment",
		Short: "The environment variables that rad reads",
		Long: `  RAD_STATE_FOLDER     folder of all stacks; --state goes before it
  RAD_RELEASE_FOLDER   folder with radpanel and web/; --release goes before it
  RAD_PULUMI           path of the pulumi to use, past the one on PATH and the one in the cache
  XDG_CACHE_HOME       where the cache is, else ~/.cache
  XDG_STATE_HOME       where the state folder of others than root is, else ~/.local/state
  NO_COLOR             if it is set, nothing is coloured
  TERM                 if it is dumb, nothing is drawn live

Variables of Pulumi (PULUMI_…) are not passed to the engine of stacks on this machine. They are to the plain CLI that
--target aws hands over to, as are those of AWS.
`,
	}
}
