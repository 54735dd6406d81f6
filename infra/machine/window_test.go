package machine_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/file"
	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/infra/postgresql"
	"github.com/radpanel/radpanel/stacks"
)

const windowSecret = "c2VjcmV0IG9mIGEgcHJvbW90aW9u"

func aWindow() machine.Window {
	return machine.Window{
		Stack: "mvp", Other: "tier1", Leaves: true, PublicURL: "https://panel.example.com",
		Database: netip.MustParseAddr("10.71.0.10"), Entrance: netip.MustParseAddr("10.71.0.10"),
		OtherDatabase: netip.MustParseAddr("10.220.0.10"), OtherEntrance: netip.MustParseAddr("10.220.0.10"),
	}
}

func TestAWindowIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	value, err := aWindow().Value()
	require.NoError(t, err)
	read, err := machine.ReadWindow(strings.Replace(value, "{", `{"of_a_later_release":true,`, 1))
	require.NoError(t, err)
	assert.Equal(t, aWindow(), read)
	assert.Equal(t, file.PeerPath, machine.PeerFilesPath, "where the service serves files to another stack's instances")
}

func TestWindowsThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*machine.Window){
		`Other "mvp": expected another stack than Stack`:           func(w *machine.Window) { w.Other = "mvp" },
		`Other "a b": expected the name of a stack`:                func(w *machine.Window) { w.Other = "a b" },
		`PublicURL "panel.example.com": expected an origin`:        func(w *machine.Window) { w.PublicURL = "panel.example.com" },
		`OtherDatabase "203.0.113.7": expected a private IPv4`:     func(w *machine.Window) { w.OtherDatabase = netip.MustParseAddr("203.0.113.7") },
		`Entrance "invalid IP": expected a private IPv4 address`:   func(w *machine.Window) { w.Entrance = netip.Addr{} },
		`OtherEntrance "0.0.0.0": expected a private IPv4 address`: func(w *machine.Window) { w.OtherEntrance = netip.IPv4Unspecified() },
		`Database "fd00::1": expected a private IPv4 address`:      func(w *machine.Window) { w.Database = netip.MustParseAddr("fd00::1") },
		`Stack "": expected the name of a stack`:                   func(w *machine.Window) { w.Stack = "" },
	} {
		w := aWindow()
		change(&w)
		_, err := w.Value()
		assert.ErrorContains(t, err, want)
	}
}

// Who has the secret gets the same keys each time, and who has another secret others.
func TestWindowKeysFollowFromTheSecret(t *testing.T) {
	t.Parallel()
	address := netip.MustParseAddr("10.71.0.10")
	one, err := machine.NewWindowKeys(windowSecret, address)
	require.NoError(t, err)
	again, err := machine.NewWindowKeys(windowSecret, address)
	require.NoError(t, err)
	assert.Equal(t, one, again)
	_, err = tls.X509KeyPair([]byte(one.Certificate), []byte(one.Key.Reveal()))
	require.NoError(t, err)
	elsewhere, err := machine.NewWindowKeys(windowSecret, netip.MustParseAddr("10.220.0.10"))
	require.NoError(t, err)
	assert.Equal(t, one.Authority, elsewhere.Authority)
	assert.NotEqual(t, one.Key, elsewhere.Key)
	other, err := machine.NewWindowKeys("another", address)
	require.NoError(t, err)
	assert.NotEqual(t, one.Authority, other.Authority)
	assert.NotEqual(t, one.Key, other.Key)
}

// windowCluster is a server that another stack's may log in to: one of this machine, from 127.0.0.1.
func windowCluster(t *testing.T) (*cluster, machine.WindowKeys) {
	t.Helper()
	c := newCluster(t, stacks.MVP)
	keys, err := machine.NewWindowKeys(windowSecret, netip.MustParseAddr("127.0.0.1"))
	require.NoError(t, err)
	c.run("postgres", "CREATE ROLE rad_promotion LOGIN REPLICATION PASSWORD 'of the promotion'")
	c.write(keys.Certificate, "conf", "promotion.pem")
	c.write(keys.Key.Reveal(), "conf", "promotion.key")
	c.reload(t, &machine.PostgresPeer{
		Address: netip.MustParseAddr("127.0.0.1"), Roles: []string{"rad_promotion"},
		Certificate: c.path("conf", "promotion.pem"), Key: c.path("conf", "promotion.key"),
	})
	return c, keys
}

// reload has the server read its files again, with another peer.
func (c *cluster) reload(t *testing.T, peer *machine.PostgresPeer) {
	t.Helper()
	next, ssl := c.arguments, "off"
	if next.Peer = peer; peer != nil {
		ssl = "on"
	}
	files, err := next.Files()
	require.NoError(t, err)
	for _, name := range next.Reloadable() {
		c.write(files[name], "conf", name)
	}
	require.NoError(t, c.handle.Signal(syscall.SIGHUP))
	admin := c.open(t, c.superuser("panel"))
	c.eventually(func() bool { return ask[string](t, admin, "SELECT current_setting('ssl')") == ssl }, "ssl "+ssl)
	assert.Zero(t, ask[int](t, admin, "SELECT count(*) FROM pg_settings WHERE pending_restart"))
	assert.Zero(t, ask[int](t, admin, "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL"))
}

func trusting(t *testing.T, authority string) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(authority)))
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

// Another stack's server gets in by TLS and password, from its own address, while the window is open; and the server has not
// been started anew for any of it.
func TestPostgreSQLLetsAnotherStacksServerInWhileItMay(t *testing.T) {
	t.Parallel()
	c, keys := windowCluster(t)
	attempt := func(change func(*pgx.ConnConfig)) (*pgx.Conn, error) {
		to := config(t, "127.0.0.1", c.arguments.Port, "rad_promotion", "of the promotion", "panel")
		to.TLSConfig = trusting(t, keys.Authority)
		to.Fallbacks = nil
		if change != nil {
			change(to)
		}
		return c.connect(to)
	}
	began := ask[string](t, c.open(t, c.superuser("panel")), "SELECT pg_postmaster_start_time()::text")
	follower, err := attempt(func(to *pgx.ConnConfig) { to.RuntimeParams["replication"] = "database" })
	require.NoError(t, err)
	_, err = follower.PgConn().Exec(t.Context(), "IDENTIFY_SYSTEM").ReadAll()
	require.NoError(t, err, "it may follow")
	require.NoError(t, follower.Close(t.Context()))

	elsewhere, err := machine.NewWindowKeys("another", netip.MustParseAddr("127.0.0.1"))
	require.NoError(t, err)
	for name, change := range map[string]func(*pgx.ConnConfig){
		"in clear":               func(to *pgx.ConnConfig) { to.TLSConfig = nil },
		"another password":       func(to *pgx.ConnConfig) { to.Password = "another" },
		"another database":       func(to *pgx.ConnConfig) { to.Database = "postgres" },
		"the superuser":          func(to *pgx.ConnConfig) { to.User = "postgres" },
		"a server of others":     func(to *pgx.ConnConfig) { to.TLSConfig = trusting(t, elsewhere.Authority) },
		"a server elsewhere":     func(to *pgx.ConnConfig) { to.TLSConfig.ServerName = "10.71.0.10" },
		"as a physical follower": func(to *pgx.ConnConfig) { to.RuntimeParams["replication"] = "true" },
	} {
		_, err := attempt(change)
		assert.Error(t, err, name)
	}

	c.reload(t, nil)
	_, err = attempt(nil)
	require.Error(t, err, "the window is closed")
	_, err = attempt(func(to *pgx.ConnConfig) { to.TLSConfig = nil })
	var refusal *pgconn.PgError
	require.ErrorAs(t, err, &refusal)
	assert.Contains(t, refusal.Message, "pg_hba.conf")
	assert.Equal(t, began, ask[string](t, c.open(t, c.superuser("panel")), "SELECT pg_postmaster_start_time()::text"))
}

// What a promotion leaves when its window closes is removed, whatever of it there is: a slot that nobody reads would hold the
// write-ahead log until the disk is full.
func TestNothingIsLeftOfAPromotionWhoseWindowIsClosed(t *testing.T) {
	t.Parallel()
	c, keys := windowCluster(t)
	d := postgresql.Database{
		Socket: fmt.Sprintf("%s/.s.PGSQL.%d", c.arguments.SocketFolder, c.arguments.Port), Superuser: c.arguments.Superuser, Name: "panel",
		Owner: postgresql.Role{Name: "rad_owner", Password: ownerPassword}, Application: postgresql.Role{Name: "rad_app", Password: appPassword},
		Promotion: &postgresql.Role{Name: "rad_promotion", Password: windowSecret},
	}
	for range 2 {
		require.NoError(t, d.Reconcile(t.Context()))
	}
	c.run("panel", "GRANT CONNECT ON DATABASE panel TO rad_promotion") // As a promotion does once it begins.
	to := config(t, "127.0.0.1", c.arguments.Port, "rad_promotion", windowSecret, "panel")
	to.TLSConfig, to.Fallbacks = trusting(t, keys.Authority), nil
	to.RuntimeParams["replication"] = "database"
	follower, err := c.connect(to)
	require.NoError(t, err, "the role has its password by now")
	_, err = follower.PgConn().Exec(t.Context(), "CREATE_REPLICATION_SLOT promotion_forward LOGICAL pgoutput").ReadAll()
	require.NoError(t, err)
	c.run("panel", "SELECT pg_create_physical_replication_slot('replica_1', true)")
	c.run("panel", "CREATE TABLE shown (id int PRIMARY KEY)")
	c.run("panel", "GRANT SELECT ON shown TO rad_promotion")
	c.run("panel", "CREATE SUBSCRIPTION promotion_reverse CONNECTION 'host=127.0.0.1 port=1' PUBLICATION promotion "+
		"WITH (connect = false, slot_name = 'promotion_reverse')")
	for range 2 {
		require.NoError(t, d.EndPromotion(t.Context(), "rad_promotion"))
	}
	admin := c.open(t, c.superuser("panel"))
	assert.Equal(t, "replica_1", ask[string](t, admin, "SELECT string_agg(slot_name, ' ') FROM pg_replication_slots"), "another's stays")
	assert.Zero(t, ask[int](t, admin, "SELECT count(*) FROM pg_subscription"))
	assert.Zero(t, ask[int](t, admin, "SELECT count(*) FROM pg_roles WHERE rolname = 'rad_promotion'"))
	require.Error(t, follower.Ping(t.Context()), "its session has ended")
}

// The pooler goes to a server by TCP with TLS, knows it by the authority, and takes all of that up and back by a reload.
func TestPgBouncerKnowsAnotherStacksServer(t *testing.T) {
	t.Parallel()
	c, keys := windowCluster(t)
	p := pgbouncer(t, stacks.MVP)
	p.ConfigFolder, p.SocketFolder, p.ListenAddresses = c.path("pgbouncer"), c.mkdir("pooler"), nil
	p.ServerHost, p.ServerPort, p.Port = c.arguments.SocketFolder, c.arguments.Port, int(freeAddress(t).Port())
	p.Users[0].Password = appPassword
	c.install(p, "pgbouncer")
	require.NoError(t, os.Chmod(p.SocketFolder, 0o711))
	pooler := c.start("pgbouncer", filepath.Join(p.ConfigFolder, machine.PgBouncerFile))
	pooler.eventually(func() bool { return answers("unix", fmt.Sprintf("%s/.s.PGSQL.%d", p.SocketFolder, p.Port)) }, "listening")
	to := config(t, p.SocketFolder, p.Port, "rad_admin", "another", "pgbouncer")
	to.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	console := c.open(t, to)
	turn := func(host, authority string) {
		t.Helper()
		p.ServerHost, p.ServerAuthority = host, ""
		if authority != "" {
			p.ServerAuthority = c.write(authority, "pgbouncer", "authority.pem")
		}
		files, err := p.Files()
		require.NoError(t, err)
		for _, name := range p.Reloadable() {
			c.write(files[name], "pgbouncer", name)
		}
		for _, command := range []string{"RELOAD", "RECONNECT"} {
			_, err := console.Exec(t.Context(), command)
			require.NoError(t, err)
		}
	}
	encrypted := func() (bool, error) {
		through := config(t, p.SocketFolder, p.Port, "rad_app", appPassword, "panel")
		through.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		connection, err := c.connect(through)
		if err != nil {
			return false, err
		}
		defer func() { _ = connection.Close(t.Context()) }()
		var is bool
		err = connection.QueryRow(t.Context(), "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&is)
		return is, err
	}
	is, err := encrypted()
	require.NoError(t, err)
	assert.False(t, is, "by the socket")
	turn(c.arguments.SocketFolder, keys.Authority)
	is, err = encrypted()
	require.NoError(t, err)
	assert.False(t, is, "its own server is reached as before")
	turn("127.0.0.1", keys.Authority)
	is, err = encrypted()
	require.NoError(t, err)
	assert.True(t, is)
	other, err := machine.NewWindowKeys("another", netip.MustParseAddr("127.0.0.1"))
	require.NoError(t, err)
	turn("127.0.0.1", other.Authority)
	_, err = encrypted()
	require.Error(t, err, "a server of others")
	turn(c.arguments.SocketFolder, "")
	is, err = encrypted()
	require.NoError(t, err)
	assert.False(t, is)
	turn("127.0.0.1", "")
	is, err = encrypted()
	require.NoError(t, err)
	assert.False(t, is, "as before the promotion")
}

// The old web server passes on what it is asked, files are had at a way of their own, and a certificate authority finds what
// either of the two has put there.
func TestWebServersOfTwoStacksMeet(t *testing.T) {
	t.Parallel()
	service := http.NewServeMux()
	service.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "service %s %s %s", r.URL.Path, r.Host, r.Header.Get("X-Forwarded-For"))
	})
	keys, err := machine.NewWindowKeys(windowSecret, netip.MustParseAddr("127.0.0.1"))
	require.NoError(t, err)
	inside, files, plain, newPlain := freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)
	next := newTLSSite(t, keys, service, newPlain, func(n *machine.Nginx) {
		n.Inside, n.Front = []netip.AddrPort{inside}, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	next.challenge("new", "of the new stack")
	old := newTLSSite(t, keys, service, plain, func(n *machine.Nginx) { n.Plain.Other, n.PeerFiles = inside, files })
	old.challenge("old", "of the old stack")
	check := func(url, host, want string, status int) {
		t.Helper()
		got, err := old.fetch(url, host)
		require.NoError(t, err)
		assert.Equal(t, status, got.StatusCode, "%s of %s", url, host)
		assert.Contains(t, got.text, want, "%s of %s", url, host)
	}
	const name = "panel.example.com"
	challenges := func() {
		t.Helper()
		check("http://"+plain.String()+"/.well-known/acme-challenge/old", name, "of the old stack", 200)
		check("http://"+plain.String()+"/.well-known/acme-challenge/new", name, "of the new stack", 200)
		check("http://"+plain.String()+"/.well-known/acme-challenge/none", name, "", 404)
		check("http://"+files.String()+machine.PeerFilesPath+"key", "x", "service "+machine.PeerFilesPath+"key", 200)
		check("http://"+files.String()+"/api/v1/panels", "x", "", 404)
		check("http://"+plain.String()+"/", name, "", 301)
	}
	challenges()
	check("http://"+inside.String()+"/api/v1/panels", name, "service /api/v1/panels "+name, 200)
	check("http://"+inside.String()+"/api/v1/panels", "elsewhere.example", "", 421)
	check("http://"+inside.String()+machine.PeerFilesPath+"key", name, "front end", 200)
	check("https://"+old.arguments.Listen.String()+machine.PeerFilesPath+"key", name, "front end", 200)

	n := old.arguments
	forward := machine.Forward{
		Host: n.Host, Folder: n.Folder, Listen: n.Listen, TLS: n.TLS, Plain: n.Plain, ServerName: name, To: inside, PeerFiles: n.PeerFiles,
		Service: n.Upstreams[0], FileSizeLimit: n.FileSizeLimit, TransferTimeout: n.TransferTimeout, Generation: "2",
	}
	rendered, err := forward.Files()
	require.NoError(t, err)
	old.write(rendered[machine.NginxFile], "nginx", machine.NginxFile)
	require.NoError(t, old.handle.Signal(syscall.SIGHUP))
	old.awaitTLS("2")
	check("https://"+n.Listen.String()+"/api/v1/panels", name, "service /api/v1/panels "+name+" 127.0.0.1", 200)
	check("https://"+n.Listen.String()+"/", name, "front end", 200)
	challenges()
}

// newTLSSite starts a web server that speaks TLS, and plain HTTP beside it.
func newTLSSite(t *testing.T, keys machine.WindowKeys, service http.Handler, plain netip.AddrPort, change func(*machine.Nginx)) *site {
	t.Helper()
	h := newHost(t, "www-data")
	n := nginx(t, stacks.Tier1)
	n.Folder, n.Root, n.Generation, n.Listen = h.mkdir("nginx"), h.mkdir("web"), "1", freeAddress(t)
	h.mkdir("nginx", machine.NginxTemporaryFolder)
	h.write("<!doctype html><title>front end</title>", "web", "index.html")
	n.AccessLog = h.path("nginx", "access.log")
	n.Upstreams = []netip.AddrPort{newUpstream(t, service)}
	n.TLS = &machine.TLS{Certificate: h.write(keys.Certificate, "c.pem"), Key: h.write(keys.Key.Reveal(), "k.pem")}
	n.Plain = &machine.PlainHTTP{Listen: plain, ChallengeRoot: h.mkdir("challenges")}
	n.ServerNames = []string{"panel.example.com"}
	change(&n)
	s := &site{arguments: n}
	h.install(n, "nginx")
	s.process = h.start("nginx", "-e", "stderr", "-p", n.Folder, "-c", h.path("nginx", machine.NginxFile))
	s.awaitTLS("1")
	return s
}

// challenge puts down what a certificate authority asks for.
func (s *site) challenge(token, text string) {
	s.Helper()
	s.mkdir("challenges", ".well-known")
	s.mkdir("challenges", ".well-known", "acme-challenge")
	s.write(text, "challenges", ".well-known", "acme-challenge", token)
}

func (s *site) awaitTLS(generation string) {
	s.Helper()
	s.eventually(func() bool {
		answer, err := s.fetch("https://"+s.arguments.Listen.String()+machine.NginxHealthPath, "panel.example.com")
		return err == nil && answer.text == "ok "+generation+"\n"
	}, "healthy generation "+generation)
}

// fetch asks for an address under the name of a host, whatever the certificate says.
func (s *site) fetch(url, host string) (got, error) {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return got{}, err
	}
	request.Host = host
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return got{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return got{response, string(body)}, err
}
