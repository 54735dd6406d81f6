package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
	"github.com/radpanel/radpanel/cmd/rad/internal/promote"
	"github.com/radpanel/radpanel/infra/local"
	"github.com/radpanel/radpanel/stacks"
)

// selection is the stack that a command is about.
type selection struct {
	// name is the stack's, such as "local-mvp".
	name   string
	target stacks.Target
	// project is the folder of Pulumi.yaml. Empty: outside a checkout.
	project string
	// stateFolder holds all stacks, folder this one.
	stateFolder string
	folder      string
	home        engine.Home
}

// selectStack tells which stack is meant. It does not read its configuration: a stack whose configuration is wrong
// can still be looked at and taken down.
func (a *App) selectStack(arguments []string) (selection, error) {
	target := stacks.Target(a.flags.target)
	if target == "" {
		target = stacks.Local
	}
	if !slices.Contains(stacks.Targets(), target) {
		return selection{}, &usageError{problem: fmt.Sprintf("--target %s: expected local or aws", target)}
	}
	name := stacks.Name(stacks.Tiers()[0], target)
	if len(arguments) > 0 {
		name = arguments[0]
		if slices.Contains(stacks.Tiers(), stacks.Tier(name)) {
			name = stacks.Name(stacks.Tier(name), target)
		}
	}
	if err := checkName(name, target); err != nil {
		return selection{}, &usageError{problem: err.Error()}
	}
	project, err := a.findProject()
	if err != nil {
		return selection{}, err
	}
	state := a.flags.state
	if state == "" {
		if state, err = local.DefaultStateFolder(a.Getenv); err != nil {
			return selection{}, &usageError{problem: err.Error()}
		}
	}
	if !filepath.IsAbs(state) {
		state = filepath.Join(a.Folder, state)
	}
	return selection{
		name: name, target: target, project: project, stateFolder: state, folder: local.StackFolder(state, name),
		home: engine.Home{Folder: filepath.Join(state, local.EngineFolder), Project: stacks.Namespace},
	}, nil
}

// checkName refuses a name that is no stack's, or that of a stack on another target.
func checkName(name string, target stacks.Target) error {
	if err := stacks.CheckName(name); err != nil {
		return err
	}
	if meant := stacks.TargetOf(name); meant != "" && meant != target {
		return errors.New(otherTarget(name, meant, stacks.Tiers()[0], target))
	}
	if target == stacks.Local && slices.Contains([]string{local.EngineFolder, promote.FolderName}, name) {
		return fmt.Errorf("stack name %s: the state folder keeps something else by that name; choose another", name)
	}
	return nil
}

func otherTarget(name string, meant stacks.Target, tier stacks.Tier, wanted stacks.Target) string {
	return fmt.Sprintf("stack %s is for target %s: use --target %s, or name a stack for %s, such as %s",
		name, meant, meant, wanted, stacks.Name(tier, wanted))
}

// loadStack tells which stack is meant, and reads and checks its configuration; see load.
func (a *App) loadStack(arguments []string) (selected selection, stack stacks.Stack, config map[string]string, err error) {
	if selected, err = a.selectStack(arguments); err == nil {
		stack, config, err = a.load(selected)
	}
	return selected, stack, config, err
}

// load reads and checks the stack's configuration: its file, if there is one, what the command line says, and what a
// promotion that the stack takes part in needs.
func (a *App) load(selected selection) (stacks.Stack, map[string]string, error) {
	keys, err := promotionKeys(selected)
	if err != nil {
		return stacks.Stack{}, nil, err
	}
	return a.loadWith(selected, keys)
}

// loadWith is load with keys beside those that the stack has.
func (a *App) loadWith(selected selection, keys map[string]string) (stacks.Stack, map[string]string, error) {
	config := map[string]string{}
	path := filepath.Join(selected.project, stacks.FileName(selected.name))
	if selected.project != "" {
		read, err := stacks.ReadFile(path)
		switch {
		case err == nil:
			config = read
		case !errors.Is(err, fs.ErrNotExist):
			return stacks.Stack{}, nil, &usageError{problem: err.Error()}
		}
	}
	overrides, err := a.overrides()
	if err != nil {
		return stacks.Stack{}, nil, err
	}
	maps.Copy(config, overrides)
	maps.Copy(config, keys)
	stack, err := stacks.Load(selected.name, config)
	if err != nil {
		return stacks.Stack{}, nil, &usageError{problem: "the configuration of stack " + selected.name + " is wrong:\n" + err.Error()}
	}
	if wanted := stacks.Target(a.flags.target); stack.Target != wanted {
		return stacks.Stack{}, nil, &usageError{problem: otherTarget(selected.name, stack.Target, stack.Tier(), wanted)}
	}
	return stack, config, nil
}

// overrides reads the --config flags. All that are wrong are said at once.
func (a *App) overrides() (map[string]string, error) {
	config := map[string]string{}
	var problems []string
	for _, flag := range a.flags.config {
		key, value, found := strings.Cut(flag, "=")
		key = strings.TrimPrefix(key, stacks.Namespace+":")
		if !found || key == "" {
			problems = append(problems, fmt.Sprintf("--config %q: expected key=value", flag))
			continue
		}
		config[key] = value
	}
	if len(problems) > 0 {
		return nil, &usageError{problem: strings.Join(problems, "\n")}
	}
	return config, nil
}

// findProject gives the folder of the project's Pulumi.yaml: the one that --project names, or the checkout around the
// working folder, if any.
func (a *App) findProject() (string, error) {
	if named := a.flags.project; named != "" {
		if !filepath.IsAbs(named) {
			named = filepath.Join(a.Folder, named)
		}
		if !isProject(named) {
			return "", &usageError{problem: fmt.Sprintf("--project %s: no Pulumi.yaml of project %s there", named, stacks.Namespace)}
		}
		return named, nil
	}
	return projectAround(a.Folder), nil
}

func projectAround(folder string) string {
	for {
		if isProject(folder) {
			return folder
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return ""
		}
		folder = parent
	}
}

func isProject(folder string) bool {
	content, err := os.ReadFile(filepath.Join(folder, "Pulumi.yaml")) //nolint:gosec // The operator's own folders.
	if err != nil {
		return false
	}
	for line := range strings.SplitSeq(string(content), "\n") {
		if strings.TrimSpace(line) == "name: "+stacks.Namespace {
			return true
		}
	}
	return false
}

// findRelease gives the folder of what is deployed: the panel's binary and its front end.
func (a *App) findRelease(selected selection) (string, error) {
	folder, asked := a.flags.release, "--release "
	if folder == "" {
		folder, asked = a.Getenv(local.ReleaseFolderVariable), local.ReleaseFolderVariable+"="
	}
	if folder != "" {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(a.Folder, folder)
		}
		if missing := local.MissingFromRelease(folder); len(missing) > 0 {
			return "", &missingError{problem: fmt.Sprintf("%s%s holds no release: %s missing", asked, folder, strings.Join(missing, " and "))}
		}
		return folder, nil
	}
	candidates := []string{filepath.Dir(a.Executable)}
	if selected.project != "" {
		candidates = append(candidates, filepath.Join(selected.project, "bin"))
	}
	for _, candidate := range candidates {
		if len(local.MissingFromRelease(candidate)) == 0 {
			return candidate, nil
		}
	}
	last := candidates[len(candidates)-1]
	return "", &missingError{problem: fmt.Sprintf("no release to deploy: %s missing in %s: run `make build` in the checkout, or name its folder by --release",
		strings.Join(local.MissingFromRelease(last), " and "), last)}
}
