package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"slices"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/postgresql"
	"github.com/radpanel/radpanel/stacks"
)

const (
	// promotionRole is the role by which the server of another stack follows this one's.
	promotionRole = "rad_promotion"
	// promotionConnections is how many it needs at most: one for each table that is copied at a time, and one that follows.
	promotionConnections = 16

	// The files that PostgreSQL and its pooler have while the panel is promoted.
	windowCertificateFile = "promotion.pem"
	windowKeyFile         = "promotion.key"
	windowAuthorityFile   = "promotion-authority.pem"
)

// window is what a host has of a promotion. The zero value: none is under way.
type window struct {
	machine.Window

	open bool
	keys machine.WindowKeys
}

// readWindow asks whether the panel is being promoted, from or to this host's stack.
func readWindow(ctx context.Context, cloud *Cloud, host machine.CloudHost) (*machine.Window, error) {
	name := machine.WindowParameter(host.Prefix)
	values, err := cloud.Parameters(ctx, name)
	if err != nil {
		return nil, err
	}
	value, there := values[name]
	if !there {
		return nil, nil //nolint:nilnil // None is.
	}
	told, err := machine.ReadWindow(value.Reveal())
	return &told, err
}

// In gives the site as it is while the panel is promoted. Nil: it is not.
func (s Site) In(told *machine.Window) (Site, error) {
	if told == nil {
		return s, nil
	}
	s.window = window{Window: *told, open: true}
	if !s.runs(stacks.PartDatabase) {
		return s, nil
	}
	password := s.secrets[machine.PromotionPassword]
	if password == "" {
		return s, fmt.Errorf("secret %s: parameter %s is missing or empty", machine.PromotionPassword,
			machine.SecretParameter(s.host.Prefix, machine.PromotionPassword))
	}
	var err error
	s.window.keys, err = machine.NewWindowKeys(password, told.Database)
	return s, err
}

// databaseAddresses are those at which the database is reached by others.
func (s Site) databaseAddresses() []netip.Addr {
	if s.alone() && s.settings.Address.IsValid() {
		return []netip.Addr{s.settings.Address}
	}
	return s.listen()
}

// admits tells whether another stack's server may log in to this host's: to the primary, while the panel is promoted.
func (s Site) admits() bool {
	return s.window.open && s.backsUpDatabase() && slices.Contains(s.databaseAddresses(), s.window.Database)
}

// peer gives the server of the other stack; nil if there is none.
func (s Site) peer() *machine.PostgresPeer {
	if !s.admits() {
		return nil
	}
	return &machine.PostgresPeer{
		Address: s.window.OtherDatabase, Roles: []string{promotionRole, applicationRole},
		Certificate: conf(postgresqlUnit, windowCertificateFile), Key: conf(postgresqlUnit, windowKeyFile),
	}
}

// poolerAuthority is the file by which the pooler knows another stack's server; empty if there is none.
func (s Site) poolerAuthority() string {
	if !s.window.open || s.window.keys.Authority == "" {
		return ""
	}
	return conf(pgbouncerUnit, windowAuthorityFile)
}

// addWindowFiles adds what PostgreSQL shows to the other stack's, and by what it knows that one.
func (s Site) addWindowFiles(rendered map[string]string) (reloadable []string) {
	if !s.admits() {
		return nil
	}
	rendered[windowCertificateFile], rendered[windowKeyFile] = s.window.keys.Certificate, s.window.keys.Key.Reveal()
	rendered[windowAuthorityFile] = s.window.keys.Authority
	return []string{windowCertificateFile, windowKeyFile, windowAuthorityFile}
}

// promotionRole gives the role by which the other stack's server follows; nil if it may not.
func (s Site) promotionRole() *postgresql.Role {
	if !s.admits() {
		return nil
	}
	return &postgresql.Role{Name: promotionRole, Password: s.secrets[machine.PromotionPassword]}
}

// meet has the web server do its part in a promotion: on the new side, take in what the old front door passes on; on the old
// side, let the new instances have files, and the new web server prove that the panel's name is its own too.
func (s Site) meet(n *machine.Nginx) {
	if !s.window.open || !slices.Contains([]stacks.Role{stacks.RolePanel, stacks.RoleBalancer}, s.settings.Role) {
		return
	}
	if s.window.Leaves {
		n.PeerFiles = netip.AddrPortFrom(s.window.Entrance, machine.PeerFilesPort)
		if n.Plain != nil {
			n.Plain.Other = netip.AddrPortFrom(s.window.OtherEntrance, machine.InsidePort)
		}
		return
	}
	n.Inside = append(n.Inside, netip.AddrPortFrom(s.window.Entrance, machine.InsidePort))
	n.Front = append(slices.Clip(n.Front), netip.PrefixFrom(s.window.OtherEntrance, s.window.OtherEntrance.BitLen()))
	if public, err := url.Parse(s.window.PublicURL); err == nil && len(n.ServerNames) > 0 && !slices.Contains(n.ServerNames, public.Hostname()) {
		n.ServerNames = append(slices.Clip(n.ServerNames), public.Hostname())
	}
}

// forward is the web server once the panel was promoted to another stack.
func (s Site) forward() machine.Forward {
	own := s.nginx()
	f := machine.Forward{
		Host: s.resources, Folder: own.Folder, Listen: own.Listen, TLS: own.TLS, Plain: own.Plain, To: s.settings.ForwardTo,
		FileSizeLimit: own.FileSizeLimit, TransferTimeout: own.TransferTimeout, Generation: own.Generation,
	}
	if len(own.ServerNames) > 0 {
		f.ServerName = own.ServerNames[0]
	}
	if own.PeerFiles.IsValid() {
		f.PeerFiles, f.Service = own.PeerFiles, own.Upstreams[0]
	}
	return f
}

// webServer gives the web server's files: of this stack's panel, or of the one that it was promoted to.
func (s Site) webServer() (map[string]string, error) {
	if s.settings.ForwardTo.IsValid() {
		return s.forward().Files()
	}
	return s.nginx().Files()
}

// windowSecrets names those that the host needs beside its own.
func windowSecrets(told *machine.Window, blueprint stacks.Host) []string {
	if told == nil || !slices.Contains(blueprint.Runs, stacks.PartDatabase) {
		return nil
	}
	return []string{machine.PromotionPassword}
}

// endPromotion removes what a promotion left in the database, if none is under way: whoever would read what its slots keep
// cannot reach it any more, and the disk would fill up.
func (s Site) endPromotion(ctx context.Context, database postgresql.Database) error {
	if s.window.open {
		return nil
	}
	return database.EndPromotion(ctx, promotionRole)
}

// forgetWindow removes the files that were there for a promotion: nothing reads them any more.
func (s Site) forgetWindow() error {
	if s.window.open {
		return nil
	}
	var errs []error
	for _, path := range []string{
		conf(postgresqlUnit, windowKeyFile), conf(postgresqlUnit, windowCertificateFile), conf(postgresqlUnit, windowAuthorityFile),
		conf(pgbouncerUnit, windowAuthorityFile),
	} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("what is left of a promotion: %w", err))
		}
	}
	return errors.Join(errs...)
}

// describe is what the database depends on of a promotion.
func (w window) describe(password config.Secret) string {
	if !w.open {
		return ""
	}
	return w.Other + " " + password.Reveal()
}
