package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/radpanel/radpanel/infra/local"
)

func (a *App) adminCommand() *cobra.Command {
	parent := &cobra.Command{
		Use: "admin", Short: "Manage the administrators of a panel", Args: cobra.NoArgs,
		// With it, a word that is no command is an error.
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	stack := ""
	create := &cobra.Command{
		Use:   "create <email>",
		Short: "Make an administrator",
		Long: "create makes a user who may administer the panel of a running stack. The password is asked for twice on a terminal,\n" +
			"else it is the first line of the standard input; it is on no command line and in no log.",
		Example: "  rad admin create me@example.com\n  rad admin create me@example.com --stack mvp < password.txt",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			var selection []string
			if stack != "" {
				selection = []string{stack}
			}
			return a.createAdmin(command.Context(), selection, arguments[0])
		},
	}
	create.Flags().StringVar(&stack, "stack", "", "the stack (default: mvp)")
	parent.AddCommand(create)
	return parent
}

// createAdmin runs the panel's own binary where the panel runs, as it runs: it knows how a password is kept.
func (a *App) createAdmin(ctx context.Context, stack []string, email string) error {
	selected, err := a.selectStack(stack)
	if err != nil {
		return err
	}
	if email == "" || strings.HasPrefix(email, "-") || !strings.Contains(email, "@") {
		return &usageError{problem: fmt.Sprintf("%q is no e-mail address", email)}
	}
	command, err := local.Command(ctx, selected.folder, "admin", "create", "--email", email)
	if err != nil {
		return err
	}
	password, err := a.readPassword(ctx)
	if err != nil {
		return err
	}
	command.Stdin = strings.NewReader(password + "\n")
	command.Stdout = a.Stdout
	var problem strings.Builder
	command.Stderr = &problem
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if said := strings.TrimSpace(problem.String()); said != "" && errors.As(err, new(*exec.ExitError)) {
			return fmt.Errorf("make administrator %s of stack %s: %s", email, selected.name, said)
		}
		return fmt.Errorf("make administrator %s of stack %s: %w", email, selected.name, err)
	}
	return nil
}

// readPassword asks on a terminal, without echo, or reads the first line of the standard input.
func (a *App) readPassword(ctx context.Context) (string, error) {
	file, is := a.Stdin.(*os.File)
	if !is || !isTerminal(file) {
		line, err := bufio.NewReader(a.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password from the standard input: %w", err)
		}
		password := strings.TrimRight(line, "\r\n")
		if password == "" {
			return "", &usageError{problem: "the standard input holds no password: give it as its first line, or run rad on a terminal"}
		}
		return password, nil
	}
	first, err := a.ask(ctx, file, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := a.ask(ctx, file, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", &usageError{problem: "the two passwords differ: nothing was done"}
	}
	return first, nil
}

// ask reads a line without echo. The terminal gets its echo back when the operator interrupts.
func (a *App) ask(ctx context.Context, file *os.File, prompt string) (string, error) {
	state, err := term.GetState(int(file.Fd()))
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	_, _ = fmt.Fprint(a.Stderr, prompt)
	text, err := interruptible(ctx, func() ([]byte, error) {
		text, err := term.ReadPassword(int(file.Fd()))
		if err != nil {
			return nil, fmt.Errorf("read the password: %w", err)
		}
		return text, nil
	})
	if err != nil && ctx.Err() != nil {
		return "", errors.Join(err, term.Restore(int(file.Fd()), state))
	}
	_, _ = fmt.Fprintln(a.Stderr)
	return string(text), err
}
