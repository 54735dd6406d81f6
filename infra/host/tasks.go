package host

import (
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/radpanel/radpanel/infra/machine"
	"github.com/radpanel/radpanel/stacks"
)

// Task is a unit that runs once and again: its timer starts it, and the files that it reads.
type Task struct {
	Unit  machine.Unit
	Timer machine.Timer
	Files []File
}

// binariesLink leads to PostgreSQL's programs, of the version of the data.
const binariesLink = stateFolder + "/postgresql-programs"

// backupFolder is in the bucket; filesBackupFolder too.
const (
	backupFolder      = "/database"
	filesBackupFolder = "files"
)

func spoolFolder() string { return filepath.Join(dataFolder, "postgresql", "spool") }

// Tasks gives those of the host.
func (s Site) Tasks() ([]Task, error) {
	tasks := []Task{s.convergeTask()}
	if s.backsUpDatabase() {
		backups, err := s.backupTasks()
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, backups...)
	}
	if s.keepsFiles() {
		task, err := s.filesBackupTask()
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, task)
	}
	if s.hasTLS() && s.runs(stacks.PartWeb) {
		tasks = append(tasks, s.certificateTask())
	}
	return tasks, nil
}

// convergeTask brings the host in line, every minute. It alone is not confined: it installs packages and mounts.
func (Site) convergeTask() Task {
	return Task{
		Unit: machine.Unit{
			Name: convergeUnit, Description: "Bring this host of RAD Panel in line", Once: true,
			Command: []string{filepath.Join(CurrentRelease, machine.ReleaseProgram), "converge"}, Unconfined: true,
			StartTimeout: time.Hour, StopTimeout: time.Minute,
		},
		Timer: machine.Timer{
			Name: convergeUnit, Description: "Bring this host of RAD Panel in line, every minute", AfterBoot: time.Second, Every: time.Minute,
		},
	}
}

// BackupCommand is pgBackRest as it is called on the host.
func BackupCommand(arguments ...string) []string {
	return append([]string{
		"/usr/bin/pgbackrest", "--config=" + conf(backupUnit, machine.BackupFile), "--stanza=" + machine.BackupStanza,
	}, arguments...)
}

func (s Site) backupTasks() ([]Task, error) {
	_, endpoint, _ := strings.Cut(s.host.Endpoints.Objects, "://")
	rendered, err := machine.Backup{
		Bucket: s.settings.BackupBucket, Folder: backupFolder, Region: s.host.Region, Endpoint: endpoint,
		Passphrase: s.secrets[machine.BackupPassphrase], DataFolder: postgresqlData(), SocketFolder: socketFolder(postgresqlUnit),
		Port: postgresqlPort, SpoolFolder: spoolFolder(), Superuser: superuserRole,
	}.Files()
	if err != nil {
		return nil, err
	}
	task := func(name, kind, calendar string) Task {
		return Task{
			Unit: machine.Unit{
				Name: name, Description: "Back up the database of RAD Panel (" + kind + ")", User: "postgres", Once: true,
				Command:  BackupCommand("--type="+kind, "backup"),
				Writable: []string{filepath.Join(dataFolder, "postgresql")}, DataFolder: s.dataMount(),
				StartTimeout: 12 * time.Hour, StopTimeout: time.Minute, OOMScore: 500,
			},
			Timer: machine.Timer{Name: name, Description: "Back up the database of RAD Panel (" + kind + ")", Calendar: calendar, Spread: 10 * time.Minute},
		}
	}
	daily, weekly := task(backupUnit, "diff", "Mon..Sat *-*-* 02:30:00"), task(backupUnit+"-full", "full", "Sun *-*-* 02:30:00")
	daily.Files = confFiles(backupUnit, "postgres", rendered, machine.BackupFile)
	return []Task{daily, weekly}, nil
}

// filesBackupEnvironment is how restic is told where and by which passphrase.
func (s Site) filesBackupEnvironment() (string, error) {
	origin := s.host.Endpoints.Objects
	if origin == "" {
		origin = "https://s3." + s.host.Region + ".amazonaws.com"
	}
	return environmentText(map[string]string{
		"RESTIC_REPOSITORY":  "s3:" + origin + "/" + s.settings.BackupBucket + "/" + filesBackupFolder,
		"RESTIC_PASSWORD":    s.secrets[machine.BackupPassphrase].Reveal(),
		"RESTIC_CACHE_DIR":   filesBackupCache,
		"AWS_DEFAULT_REGION": s.host.Region,
	})
}

const (
	filesBackupCache = stateFolder + "/restic"
	// filesKept is what is kept of the quarter-hourly copies of the files: as long as the database's own.
	filesKept = "--keep-within=2d --keep-within-daily=35d"
)

// filesBackupTask copies the files on disk every quarter of an hour: what is uploaded is at most that much newer.
func (s Site) filesBackupTask() (Task, error) {
	environment, err := s.filesBackupEnvironment()
	if err != nil {
		return Task{}, err
	}
	return Task{
		Unit: machine.Unit{
			Name: filesBackupUnit, Description: "Back up the files of RAD Panel", User: panelAccount, Once: true,
			Command:         []string{filepath.Join(s.release, machine.ReleaseProgram), "backup-files"},
			EnvironmentFile: conf(filesBackupUnit, environmentFile),
			Writable:        []string{filesBackupCache}, DataFolder: s.dataMount(),
			StartTimeout: 12 * time.Hour, StopTimeout: time.Minute, OOMScore: 500,
		},
		Timer: machine.Timer{
			Name: filesBackupUnit, Description: "Back up the files of RAD Panel", AfterBoot: 3 * time.Minute, Every: 15 * time.Minute,
		},
		Files: []File{{Path: conf(filesBackupUnit, environmentFile), Text: environment, Mode: 0o600}},
	}, nil
}

const (
	// challengeRoot is where certbot puts what the certificate authority asks for, and the web server finds it.
	challengeRoot = stateFolder + "/acme"
	certbotFolder = stateFolder + "/certbot"
	// certificateName is that of the certificate in certbotFolder.
	certificateName = "panel"
)

// certificateTask gets the certificate, and renews it a month before it ends. It is tried again three times an hour: Let's
// Encrypt lets five fail (Rate limits, "Authorization failures per identifier per account").
func (s Site) certificateTask() Task {
	command := []string{
		"/usr/bin/certbot", "certonly", "--non-interactive", "--agree-tos", "--register-unsafely-without-email", "--keep-until-expiring",
		"--cert-name", certificateName, "--webroot", "--webroot-path", challengeRoot,
		"--config-dir", certbotFolder, "--work-dir", certbotFolder + "/work", "--logs-dir", certbotFolder + "/log", "--max-log-backups", "20",
	}
	for _, name := range s.settings.Names {
		command = append(command, "--domain", name)
	}
	if s.settings.ACMEDirectory != "" {
		command = append(command, "--server", s.settings.ACMEDirectory)
	}
	return Task{
		Unit: machine.Unit{
			Name: certificateUnit, Description: "Get or renew the certificate of RAD Panel", Once: true, Command: command,
			Writable: []string{stateFolder}, StartTimeout: 10 * time.Minute, StopTimeout: time.Minute,
			// A renewed key gets the owner of the one before: certbot gives up if it may not say so.
			ChangesOwner: true, Capabilities: []string{"CAP_CHOWN"},
			Environment: []string{"REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt"},
		},
		Timer: machine.Timer{
			Name: certificateUnit, Description: "Get or renew the certificate of RAD Panel", AfterBoot: 30 * time.Second, Every: 20 * time.Minute,
		},
	}
}

// Units gives the files of all units and timers of the host.
func (s Site) Units() ([]File, error) {
	services, err := s.Services()
	if err != nil {
		return nil, err
	}
	tasks, err := s.Tasks()
	if err != nil {
		return nil, err
	}
	var files []File
	var errs []error
	add := func(name, text string, err error) {
		files, errs = append(files, File{Path: filepath.Join(unitFolder, name), Text: text, Mode: 0o644}), append(errs, err)
	}
	for _, service := range services {
		add(service.Unit.File())
	}
	for _, task := range tasks {
		add(task.Unit.File())
		add(task.Timer.File())
	}
	return files, errors.Join(errs...)
}

const unitFolder = "/etc/systemd/system"
