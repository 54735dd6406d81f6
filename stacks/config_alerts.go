package stacks

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"strconv"
	"time"
)

// Alerting is who is told of alerts, and how. Without a webhook and an address, nobody is: alerts are seen by those who
// look.
type Alerting struct {
	// Webhook is a URL that gets alerts by POST.
	Webhook string
	// Email is an address that gets alerts by mail, from EmailFrom, by way of EmailServer (host:port).
	Email, EmailFrom, EmailServer string
	// EmailUser and the password in the file EmailPasswordFile are for that server. Both are empty where it wants none.
	EmailUser, EmailPasswordFile string
	// Rehearsal is the interval of measurements while alerts are tried out; they then fire at once. 0: they are not.
	Rehearsal time.Duration
}

// alertKeys are the keys of [Alerting].
func alertKeys() []settingKey {
	local := []Target{Local}
	text := func(field func(*Alerting) *string, parse func(string) (string, error)) func(*Settings, string) error {
		return func(s *Settings, raw string) (err error) {
			*field(&s.Alerting), err = parse(raw)
			return err
		}
	}
	return []settingKey{
		{
			Key: Key{
				Name: keyAlertWebhook, Type: "URL", Targets: local,
				Allowed: "an http or https URL, such as https://hooks.example.com/alerts",
				Description: "Gets alerts, and their ends, by POST in Alertmanager's own JSON. Where its URL is all that it takes to " +
					"write there, give it by `-c` in place of the file.",
			},
			set: text(func(a *Alerting) *string { return &a.Webhook }, parseWebhook),
		},
		{
			Key: Key{
				Name: keyAlertEmail, Type: "e-mail address", Targets: Targets(),
				Allowed: "one address, such as ops@example.com, with alertEmailServer",
				Description: "Gets alerts, and their ends, by mail. On AWS, which sends them itself, it needs no server; the address first " +
					"gets a mail with a link to confirm that it wants them.",
			},
			set: text(func(a *Alerting) *string { return &a.Email }, parseAddress),
		},
		{
			Key: Key{
				Name: keyAlertEmailFrom, Type: "e-mail address", Targets: local, Allowed: "one address, such as panel@example.com, with alertEmail",
				Description: "The sender of these mails. Without it, alertEmail is.",
			},
			set: text(func(a *Alerting) *string { return &a.EmailFrom }, parseAddress),
		},
		{
			Key: Key{
				Name: keyAlertEmailServer, Type: "host:port", Targets: local, Allowed: "host and port, such as smtp.example.com:587, with alertEmail",
				Description: "The mail server that takes them. It must speak TLS, unless it is on this machine.",
			},
			set: text(func(a *Alerting) *string { return &a.EmailServer }, parseServer),
		},
		{
			Key: Key{
				Name: keyAlertEmailUser, Type: "text", Targets: local, Allowed: "1 to 256 characters, with alertEmailPasswordFile",
				Description: "Who signs in to the mail server. Without it, nobody does.",
			},
			set: text(func(a *Alerting) *string { return &a.EmailUser }, parseUser),
		},
		{
			Key: Key{
				Name: keyAlertEmailPasswordFile, Type: "path", Targets: local, Allowed: "the absolute path of a file, with alertEmailUser",
				Description: "A file with that user's password, and nothing else. It is read by `rad up`.",
			},
			set: text(func(a *Alerting) *string { return &a.EmailPasswordFile }, parseAbsolutePath),
		},
		{
			Key: Key{
				Name: keyAlertRehearsal, Type: "duration", Default: "0s", Targets: local, Allowed: "1s to 1m, or 0s for none",
				Description: "To try out who is told and how: everything is measured at this interval, and alerts fire at once, in place of " +
					"after the time that the plan gives.",
			},
			set: func(s *Settings, raw string) (err error) {
				if raw == "0s" {
					return nil
				}
				s.Alerting.Rehearsal, err = parseDuration(raw, time.Second, time.Minute)
				if err == nil && s.Alerting.Rehearsal%time.Second != 0 {
					err = errors.New("not whole seconds")
				}
				return err
			},
		},
	}
}

// failAlerting blames keys that lack another.
func (l *loader) failAlerting() {
	a := l.stack.Settings.Alerting
	if l.stack.Target == AWS {
		return // It sends mails itself.
	}
	for _, pair := range []struct{ key, has, lacking, other string }{
		{keyAlertEmail, a.Email, a.EmailServer, keyAlertEmailServer},
		{keyAlertEmailServer, a.EmailServer, a.Email, keyAlertEmail},
		{keyAlertEmailFrom, a.EmailFrom, a.Email, keyAlertEmail},
		{keyAlertEmailUser, a.EmailUser, a.EmailPasswordFile, keyAlertEmailPasswordFile},
		{keyAlertEmailPasswordFile, a.EmailPasswordFile, a.EmailUser, keyAlertEmailUser},
		{keyAlertEmailUser, a.EmailUser, a.Email, keyAlertEmail},
	} {
		if _, isSet := l.config[pair.other]; pair.has != "" && pair.lacking == "" && !isSet {
			l.fail(pair.key, fmt.Sprintf("it has no effect without %s:%s: set that too", Namespace, pair.other))
		}
	}
}

func parseWebhook(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.Fragment != "" {
		return "", errors.New("not a URL")
	}
	return raw, nil
}

func parseAddress(raw string) (string, error) {
	address, err := mail.ParseAddress(raw)
	if err != nil || address.Address != raw {
		return "", errors.New("not an address alone")
	}
	return raw, nil
}

func parseServer(raw string) (string, error) {
	host, port, err := net.SplitHostPort(raw)
	number, numberErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numberErr != nil || host == "" || number == 0 {
		return "", errors.New("not host:port")
	}
	return raw, nil
}

func parseUser(raw string) (string, error) {
	if len(raw) == 0 || len(raw) > 256 {
		return "", errors.New("empty or too long")
	}
	return raw, nil
}

func parseAbsolutePath(raw string) (string, error) {
	if !filepath.IsAbs(raw) {
		return "", errors.New("not an absolute path")
	}
	return raw, nil
}
