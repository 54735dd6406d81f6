package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/radpanel/radpanel/app/account"
	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/database"
)

func newAdminCommand() *cobra.Command {
	admin := &cobra.Command{Use: "admin", Short: "Administrators"}
	var email string
	create := &cobra.Command{
		Use:   "create --email ADDRESS",
		Short: "Make an administrator; the password is the first line of standard input",
		Long: "Makes an administrator. The password is read from the first line of standard input, because command lines can be\n" +
			"seen by everyone on the machine. If there is a user with the address already, that user becomes an active\n" +
			"administrator with this password, and all their sessions end.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			password, err := readPassword(cmd.InOrStdin())
			if err != nil {
				return err
			}
			return createAdmin(cmd, email, password)
		},
	}
	create.Flags().StringVar(&email, "email", "", "the administrator's e-mail address")
	_ = create.MarkFlagRequired("email") // Fails only for a flag that does not exist.
	admin.AddCommand(create)
	return admin
}

func createAdmin(cmd *cobra.Command, email, password string) error {
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	// The owner's connection: the command also works before the service has ever run.
	if err := database.Migrate(cmd.Context(), cfg.MigrationDatabaseURL); err != nil {
		return err
	}
	cfg.DatabaseConnections, cfg.DatabaseWait = 2, cfg.RequestTimeout
	store, err := openStore(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), nil)
	if err != nil {
		return err
	}
	defer store.Close()
	accounts, err := account.New(account.Options{Config: cfg, DB: store.db, Cache: store.cache})
	if err != nil {
		return err
	}
	user, err := accounts.CreateAdmin(cmd.Context(), email, password)
	switch {
	case errors.Is(err, account.ErrWeakPassword):
		return errors.New("this password is too common: choose one that nobody would guess")
	case errors.Is(err, account.ErrInvalidEmail):
		return fmt.Errorf("--email %q: expected an e-mail address, such as ada@example.com", email)
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is an administrator.\n", user.Email)
	return err
}

// readPassword reads the first line and checks its length; the line's end is not part of the password.
func readPassword(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4*account.PasswordMaximum+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("standard input: %w", err)
	}
	password := strings.TrimRight(line, "\r\n")
	if n := utf8.RuneCountInString(password); n < account.PasswordMinimum || n > account.PasswordMaximum {
		return "", fmt.Errorf("the password on standard input has %d characters: expected %d to %d",
			n, account.PasswordMinimum, account.PasswordMaximum)
	}
	return password, nil
}
