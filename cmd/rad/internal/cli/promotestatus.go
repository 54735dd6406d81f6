package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/cmd/rad/internal/promote"
)

func (a *App) promoteStatusCommand() *cobra.Command {
	command := &cobra.Command{
		Use: "status <from> <to>", Short: "Say how far a promotion is, and where the panel writes",
		Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, arguments []string) error {
			return a.promoteStatus(command.Context(), arguments)
		},
	}
	a.addStackFlags(command)
	a.addJSONFlag(command, "say it as one JSON object")
	return command
}

func (a *App) promoteStatus(ctx context.Context, arguments []string) error {
	from, err := a.selectStack(arguments[:1])
	if err != nil {
		return err
	}
	to, err := a.selectStack(arguments[1:])
	if err != nil {
		return err
	}
	status, err := promote.Look(ctx, from.stateFolder, from.name, to.name)
	if err == nil && status.Began.IsZero() { // Can there be one?
		_, _, _, _, err = a.promotionOf(arguments)
	}
	if err != nil {
		return err
	}
	if a.flags.json {
		raw, err := json.MarshalIndent(status, "", "  ")
		if err != nil {
			return fmt.Errorf("status of the promotion: %w", err)
		}
		_, err = fmt.Fprintln(a.Stdout, string(raw))
		return err
	}
	_, err = fmt.Fprint(a.Stdout, promotionText(status, a.Now()))
	return err
}

func promotionText(s promote.Status, now time.Time) string {
	if s.Step == promote.Check && s.Began.IsZero() {
		return fmt.Sprintf("no promotion %s: begin one with `rad promote %s %s`\n", s.Record, s.From, s.To)
	}
	text := fmt.Sprintf("promotion  %s, begun %s ago\n", s.Record, now.Sub(s.Began).Round(time.Second))
	text += fmt.Sprintf("step       %s\n", s.Step)
	for _, side := range s.Sides {
		state := "is not written to"
		switch {
		case side.Problem != "":
			state = side.Problem
		case side.Writable:
			state = "is written to"
		}
		text += fmt.Sprintf("database   %s %s (epoch %d)\n", side.Name, state, side.Epoch)
		if side.HeldBytes > 0 {
			text += fmt.Sprintf("           it keeps %.1f MiB of its log for the other side\n", float64(side.HeldBytes)/(1<<20))
		}
	}
	if s.FilesAlikeAt != nil {
		text += fmt.Sprintf("files      alike %s ago\n", now.Sub(*s.FilesAlikeAt).Round(time.Second))
	}
	for _, c := range s.CutOvers {
		text += fmt.Sprintf("cut-over   %s: writes held for %.0f ms, the panel writes to %s\n", c.At.Format(time.DateTime), 1000*c.Pause, c.To)
		if c.Failure != "" {
			text += "           broken off: " + c.Failure + "\n"
		}
	}
	return text + "next       " + s.Next() + "\n"
}
