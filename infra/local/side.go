package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/radpanel/radpanel/infra/local/supervisor"
	"github.com/radpanel/radpanel/infra/machine"
)

// Side is a stack of this machine as a promotion sees it: its database, its pooler, its panel and its front door.
type Side struct {
	// Name is the stack's.
	Name string

	folder supervisor.Stack
	facts  facts
	panels []instance
}

// instance is one of the panel's: its service and its address.
type instance struct{ service, url string }

// PromotionRole is the role by which the server of one side follows the database of the other, ApplicationRole that of the
// service, and DatabaseName the database's name.
const (
	PromotionRole   = promotionRole
	ApplicationRole = applicationRole
	DatabaseName    = databaseName
)

// connectTimeout bounds each attempt to connect to a server of this machine.
const connectTimeout = 3 * time.Second

// OpenSide finds a stack that was brought up.
func OpenSide(stateFolder, name string) (Side, error) {
	directory := StackFolder(stateFolder, name)
	known, err := readFacts(directory)
	if errors.Is(err, fs.ErrNotExist) || err == nil && known.URL == "" {
		return Side{}, fmt.Errorf("stack %s: there is none in %s: bring it up with `rad up %s`", name, stateFolder, name)
	}
	if err != nil {
		return Side{}, err
	}
	if known.Panel == "" {
		return Side{}, fmt.Errorf("stack %s was brought up by an older version: run `rad up %s` first", name, name)
	}
	folder, err := supervisor.Open(directory)
	if err != nil {
		return Side{}, err
	}
	side := Side{Name: name, folder: folder, facts: known}
	files, err := filepath.Glob(filepath.Join(folder.Folder(panelService)+"*", "conf", factsFile))
	if err != nil {
		return Side{}, fmt.Errorf("panels of stack %s: %w", name, err)
	}
	for _, file := range files {
		known, err := readFactsFile(file)
		if err != nil {
			return Side{}, err
		}
		side.panels = append(side.panels, instance{service: filepath.Base(filepath.Dir(filepath.Dir(file))), url: "http://" + known.Panel})
	}
	return side, nil
}

// URL is where users reach the panel.
func (s Side) URL() string { return s.facts.URL }

// PanelURL is where the panel's first instance answers.
func (s Side) PanelURL() string { return "http://" + s.facts.Panel }

// PanelURLs are where all of its instances answer.
func (s Side) PanelURLs() []string {
	var urls []string
	for _, panel := range s.panels {
		urls = append(urls, panel.url)
	}
	return urls
}

// KillPanel kills the instance that is at an address, and has it started again.
func (s Side) KillPanel(url string) error {
	for _, panel := range s.panels {
		if panel.url == url {
			return s.folder.KillService(panel.service)
		}
	}
	return fmt.Errorf("stack %s has no instance of the panel at %s", s.Name, url)
}

// StopPanels stops all of its instances, until it is brought up again.
func (s Side) StopPanels(ctx context.Context) error {
	var errs []error
	for _, panel := range s.panels {
		errs = append(errs, s.folder.StopService(ctx, panel.service))
	}
	return errors.Join(errs...)
}

// Answers tells whether any of its instances does.
func (s Side) Answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	for _, panel := range s.panels {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, panel.url+"/livez", nil)
		if err != nil {
			return false
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close() // That there is one is the answer.
			return true
		}
	}
	return false
}

// InsideURL is where the front door of the stack that is promoted to this one passes requests on to.
func (s Side) InsideURL() (string, error) {
	address, err := os.ReadFile(filepath.Join(s.folder.Conf(nginxService), insideFile))
	if err != nil {
		return "", fmt.Errorf("way in to stack %s: %w", s.Name, err)
	}
	if len(address) == 0 {
		return "", fmt.Errorf("stack %s has no way in for the front door of another one: bring it up with promoteFrom", s.Name)
	}
	return "http://" + strings.TrimSpace(string(address)), nil
}

// Port is that of URL.
func (s Side) Port() string {
	parsed, err := url.Parse(s.facts.URL)
	if err != nil {
		return ""
	}
	return parsed.Port()
}

func (s Side) socketFolder(service string) string {
	return filepath.Join(s.folder.Folder(service), runFolder)
}

// Connect connects to the side's own PostgreSQL as its superuser, in the panel's database. Sessions are known by name.
func (s Side) Connect(ctx context.Context, name string) (*pgx.Conn, error) {
	return connectSocket(ctx, s.socketFolder(postgresqlService), postgresqlPort, superuserRole, "", databaseName, map[string]string{
		"application_name": name, "log_min_duration_statement": "-1",
	})
}

// ConnectPooler connects to the console of the side's pooler. Only simple queries can be sent.
func (s Side) ConnectPooler(ctx context.Context) (*pgx.Conn, error) {
	users, err := os.ReadFile(filepath.Join(s.folder.Conf(pgbouncerService), machine.PgBouncerUsersFile))
	if err != nil {
		return nil, fmt.Errorf("pooler of stack %s: %w", s.Name, err)
	}
	password := ""
	for line := range strings.Lines(string(users)) {
		if rest, found := strings.CutPrefix(strings.TrimSpace(line), `"`+poolerRole+`" `); found {
			password = strings.Trim(rest, `"`)
		}
	}
	return connectSocket(ctx, s.socketFolder(pgbouncerService), pgbouncerPort, poolerRole, password, "pgbouncer", nil)
}

func connectSocket(ctx context.Context, folder string, port uint16, user, password, database string, settings map[string]string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig("sslmode=disable") // See [postgresql.IgnoreEnvironment].
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", folder, err)
	}
	config.Host, config.Port, config.User, config.Password, config.Database = folder, port, user, password, database
	config.Fallbacks, config.RuntimeParams = nil, settings
	config.ConnectTimeout = connectTimeout
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	return pgx.ConnectConfig(ctx, config)
}

// Source is how the server of another side reaches this one's database, as libpq reads it.
func (s Side) Source() string {
	return fmt.Sprintf("host=%s port=%d dbname=%s user=%s connect_timeout=5", s.socketFolder(postgresqlService), postgresqlPort, databaseName, promotionRole)
}

// Lead makes the side's pooler go to another side's database, with its next connection. It is one step, and survives a
// restart of the pooler. Until EndTurn is called, IsTurning tells that it may still have connections to where it led before.
func (s Side) Lead(to Side) error {
	if leads, err := s.LeadsTo(to); err == nil && leads {
		return nil
	}
	aside := s.primaryLink() + ".new"
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pooler of stack %s: %w", s.Name, err)
	}
	if err := os.Symlink(to.socketFolder(postgresqlService), aside); err != nil {
		return fmt.Errorf("pooler of stack %s: %w", s.Name, err)
	}
	if err := os.WriteFile(s.turningFile(), nil, 0o600); err != nil {
		return fmt.Errorf("pooler of stack %s: %w", s.Name, err)
	}
	if err := os.Rename(aside, s.primaryLink()); err != nil {
		return fmt.Errorf("pooler of stack %s: %w", s.Name, err)
	}
	return nil
}

// IsTurning tells whether the side's pooler may have connections to where it led before.
func (s Side) IsTurning() bool {
	_, err := os.Stat(s.turningFile())
	return !errors.Is(err, fs.ErrNotExist)
}

// EndTurn says that the side's pooler has no connection any more to where it led before, or has been told to end them.
func (s Side) EndTurn() error {
	if err := os.Remove(s.turningFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pooler of stack %s: %w", s.Name, err)
	}
	return nil
}

func (s Side) primaryLink() string {
	return filepath.Join(s.socketFolder(pgbouncerService), primaryLink)
}

func (s Side) turningFile() string { return s.primaryLink() + ".turning" }

// LeadsTo tells whether the side's pooler goes to another side's database.
func (s Side) LeadsTo(to Side) (bool, error) {
	present, err := os.Readlink(s.primaryLink())
	if err != nil {
		return false, fmt.Errorf("pooler of stack %s: %w: run `rad up %s` first", s.Name, err, s.Name)
	}
	return present == to.socketFolder(postgresqlService), nil
}

// SharesSecrets tells by its error which of the secrets that both sides must have differ.
func (s Side) SharesSecrets(other Side) error {
	var errs []error
	for _, name := range inheritedSecrets() {
		mine, err := os.ReadFile(s.folder.Path("keys", name))
		if err != nil {
			return fmt.Errorf("secret %s of stack %s: %w", name, s.Name, err)
		}
		theirs, err := os.ReadFile(other.folder.Path("keys", name))
		if err != nil {
			return fmt.Errorf("secret %s of stack %s: %w", name, other.Name, err)
		}
		if !bytes.Equal(mine, theirs) {
			errs = append(errs, fmt.Errorf("stack %s was made with another %s than %s: remove it with `rad down --purge %s`, and promote again",
				other.Name, name, s.Name, other.Name))
		}
	}
	return errors.Join(errs...)
}

// CloseFrontDoor ends the side's web server, which finishes what it serves: an upload or a download, for as long as one may take.
func (s Side) CloseFrontDoor(ctx context.Context) error {
	return s.folder.StopServiceWithin(ctx, nginxService, transferTimeout+time.Minute)
}

// LeavingWorkers counts those of the side's web server that only finish what they serve: it was given new configuration since.
func (s Side) LeavingWorkers(ctx context.Context) (int, error) {
	pids, err := s.folder.ServiceProcesses(ctx, nginxService)
	if err != nil {
		return 0, err
	}
	leaving := 0
	for _, pid := range pids {
		// What has ended meanwhile is leaving no more.
		title, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if bytes.Contains(title, []byte("worker process is shutting down")) {
			leaving++
		}
	}
	return leaving, nil
}

// DataFolder is where the side's PostgreSQL keeps its data.
func (s Side) DataFolder() string { return filepath.Join(s.folder.Folder(postgresqlService), "data") }
