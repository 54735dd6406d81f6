package local

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

const (
	// promotionRole is the role by which the server of one stack follows the database of the other. A promotion makes and
	// removes it.
	promotionRole = "rad_promotion"
	// primaryLink is in the folder of a pooler's socket and leads to the folder of the server's socket: to the server of
	// another stack once the panel was promoted.
	primaryLink = "primary"
	// insideFile is among the web server's files while another stack is promoted to this one: the address of the way in
	// for the other's front door.
	insideFile = "inside"
)

// inheritedSecrets are those that a stack has from the one that is promoted to it: what encrypts the rows, and the
// passwords by which the services of both reach either database.
func inheritedSecrets() []string {
	return []string{encryptionKeySecret, ownerPasswordSecret, applicationPasswordSecret}
}

// otherStack is the other stack of a promotion, as it is.
type otherStack struct {
	name   string
	folder supervisor.Stack
	facts  facts
	// inside is the address of the way in for the front door of the stack that is promoted to it; empty: there is none.
	inside string
}

func findOther(key, name string, stack stacks.Stack, options Options) (*otherStack, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // There is none.
	}
	if name == stack.Name {
		return nil, fmt.Errorf("%s: %s is this very stack: expected another one", key, name)
	}
	directory := StackFolder(options.StateFolder, name)
	known, err := readFacts(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no stack %s in %s: bring it up first, or remove the key", key, name, options.StateFolder)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if known.URL == "" || known.Panel == "" {
		return nil, fmt.Errorf("%s: stack %s does not say where its panel is: run `rad up %s` first", key, name, name)
	}
	folder, err := supervisor.Open(directory)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	inside, err := os.ReadFile(filepath.Join(folder.Conf(nginxService), insideFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return &otherStack{name: name, folder: folder, facts: known, inside: strings.TrimSpace(string(inside))}, nil
}

// findOthers finds the other stacks of a promotion, if there is one.
func (s *site) findOthers() (err error) {
	if s.from, err = findOther("promoteFrom", s.stack.Settings.PromoteFrom, s.stack, s.options); err != nil {
		return err
	}
	if s.to, err = findOther("promoteTo", s.stack.Settings.PromoteTo, s.stack, s.options); err != nil {
		return err
	}
	if s.to == nil {
		return nil
	}
	if s.hasEdge() {
		return fmt.Errorf("promoteTo: %s has an edge, whose front door cannot be passed on yet", s.stack.Plan.Title)
	}
	if s.to.inside == "" {
		return fmt.Errorf("promoteTo: stack %s has no way in for the front door of %s: bring it up with promoteFrom=%s first",
			s.to.name, s.stack.Name, s.stack.Name)
	}
	return nil
}

// address is where users reach the panel: at the door of the stack that is promoted to this one, if there is one.
func (s site) address(own string) string {
	if s.from != nil {
		return s.from.facts.URL
	}
	return own
}

// forward is the web server once the panel was promoted to another stack.
func (s site) forward(port int) (machine.Forward, error) {
	to, err := netip.ParseAddrPort(s.to.inside)
	if err != nil {
		return machine.Forward{}, fmt.Errorf("way in to stack %s: %w", s.to.name, err)
	}
	return machine.Forward{
		Host: s.web, Folder: s.runFolder(nginxService), Listen: loopback(port), To: to,
		FileSizeLimit: int64(s.stack.Settings.FileSizeLimit), TransferTimeout: transferTimeout, Generation: "@GENERATION@",
	}, nil
}

// sharesPort tells whether the web server is to have a port that the other stack's still has.
func (s site) sharesPort(port int) bool { return s.from != nil && panelURL(port) == s.from.facts.URL }

// primaryFolder is the link that the pooler in a folder follows to the primary.
func (s site) primaryFolder() string {
	return filepath.Join(s.runFolder(pgbouncerService), primaryLink)
}
