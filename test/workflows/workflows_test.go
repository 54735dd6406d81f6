// Package workflows_test holds the workflows of GitHub Actions to what keeps secrets from strangers: actionlint, which `make
// lint` runs, checks their form.
package workflows_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// sameRepository is what a job must ask before it gets secrets or a role for a pull request.
const sameRepository = "github.event.pull_request.head.repo.full_name == github.repository"

var (
	uses   = regexp.MustCompile(`(?m)^\s*(?:- )?uses: (.*)$`)
	pinned = regexp.MustCompile(`^[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+`)
)

type workflow struct {
	On          yaml.Node         `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Concurrency map[string]any    `yaml:"concurrency"`
	Jobs        map[string]struct {
		If          string            `yaml:"if"`
		Env         map[string]string `yaml:"env"`
		Permissions map[string]string `yaml:"permissions"`
		Timeout     int               `yaml:"timeout-minutes"`
		Environment string            `yaml:"environment"`
		Steps       []struct {
			Run string `yaml:"run"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

func TestWorkflowsKeepSecretsFromStrangers(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../.github/workflows/*.yml")
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			text := string(content)
			var w workflow
			require.NoError(t, yaml.Unmarshal(content, &w))

			assert.NotContains(t, text, "pull_request_target", "it gives secrets to whoever opens a pull request")
			assert.NotContains(t, text, "write-all")
			for _, use := range uses.FindAllStringSubmatch(text, -1) {
				assert.Regexp(t, pinned, use[1], "a tag can be moved: name the commit, and the version beside it")
			}
			require.NotNil(t, w.Permissions, "without, a job may write")
			for scope, permission := range w.Permissions {
				assert.Equal(t, "read", permission, "%s: what a job alone needs, it gets alone", scope)
			}
			assert.NotEmpty(t, w.Concurrency)
			forPullRequests := strings.Contains(text, "\n  pull_request:")
			for name, job := range w.Jobs {
				assert.Positive(t, job.Timeout, "%s has no time limit", name)
				if forPullRequests && len(job.Permissions) > 0 {
					assert.Contains(t, job.If, sameRepository, "%s would run for a fork", name)
				}
				for variable, value := range job.Env {
					assert.NotContains(t, value, "secrets.", "%s of %s: the step that needs a secret gets it, not all", variable, name)
				}
				for _, step := range job.Steps {
					if job.Permissions["id-token"] != "" {
						assert.NotRegexp(t, `(?m)^\s*(make|npm|npx)\b`, step.Run, "%s: what runs scripts of others must not be able to take a role", name)
					}
					assert.NotContains(t, step.Run, "${{", "what a branch is called must not become a command: pass it by env")
				}
			}
			if !strings.Contains(text, "id-token") {
				assert.NotContains(t, text, "${{ secrets.", "a job without a role needs no secret")
			}
		})
	}
}

// pulumi refuses a project whose folder of plugins is missing, which in a fresh checkout it is.
func TestWhereverPulumiRunsThereIsTheFolderThatTheProjectNames(t *testing.T) {
	t.Parallel()
	project, err := os.ReadFile("../../Pulumi.yaml")
	require.NoError(t, err)
	require.Contains(t, string(project), "path: ./bin")
	for _, name := range []string{"preview", "deploy", "drift"} {
		content, err := os.ReadFile("../../.github/workflows/" + name + ".yml")
		require.NoError(t, err)
		before, _, found := strings.Cut(string(content), "\n          pulumi ")
		if !found {
			before, _, found = strings.Cut(string(content), "bin/rad preview")
		}
		require.True(t, found, name)
		assert.Regexp(t, `mkdir -p bin|-o bin/`, before, name)
	}
}

// A stack whose preview never came is in the comment all the same: both lists are one.
func TestTheCommentIsOfEachStackThatIsPreviewed(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../.github/workflows/preview.yml")
	require.NoError(t, err)
	matrix := regexp.MustCompile(`stack: \[(.*)\]`).FindStringSubmatch(string(content))
	loop := regexp.MustCompile(`for stack in (.*); do`).FindStringSubmatch(string(content))
	require.NotNil(t, matrix)
	require.NotNil(t, loop)
	assert.Equal(t, strings.ReplaceAll(matrix[1], ",", ""), loop[1])
}

// What pulumi writes has masked only what it knows to be secret: rad masks the rest before it leaves the machine that it was
// written on.
func TestWhatPulumiSaysIsMaskedBeforeOthersReadIt(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"preview", "drift"} {
		content, err := os.ReadFile("../../.github/workflows/" + name + ".yml")
		require.NoError(t, err)
		var w workflow
		require.NoError(t, yaml.Unmarshal(content, &w))
		written := regexp.MustCompile(`(?m)^\s*pulumi (?:preview|refresh) .* > (\S+)`)
		found := false
		for _, step := range w.Jobs[name].Steps {
			if to := written.FindStringSubmatch(step.Run); to != nil {
				found = true
				assert.True(t, strings.HasPrefix(to[1], `"$RUNNER_TEMP/`), "%s is not where anything is taken from", to[1])
				assert.Contains(t, step.Run, "bin/rad redact < "+to[1])
				assert.NotContains(t, step.Run, "cat "+to[1])
			}
		}
		assert.True(t, found, name)
		for _, upload := range regexp.MustCompile(`(?m)^\s*path: (.*)$`).FindAllStringSubmatch(string(content), -1) {
			assert.NotContains(t, strings.ToLower(upload[1]), "temp")
		}
	}
}

// deployment is the workflow that changes stacks.
func deployment(t *testing.T) workflow {
	t.Helper()
	content, err := os.ReadFile("../../.github/workflows/deploy.yml")
	require.NoError(t, err)
	var w workflow
	require.NoError(t, yaml.Unmarshal(content, &w))
	return w
}

func TestOnlyAnApprovedJobMayChangeAStack(t *testing.T) {
	t.Parallel()
	deploy := deployment(t)
	assert.Equal(t, "production", deploy.Jobs["deploy"].Environment)
	assert.Equal(t, false, deploy.Concurrency["cancel-in-progress"], "an update that is cut off leaves a lock")
	for _, other := range []string{"preview", "drift", "ci"} {
		content, err := os.ReadFile("../../.github/workflows/" + other + ".yml")
		require.NoError(t, err)
		assert.NotContains(t, string(content), "AWS_DEPLOY_ROLE", other)
		assert.NotRegexp(t, `pulumi (up|destroy)`, regexp.MustCompile(`(?m)^\s*echo .*$`).ReplaceAllString(string(content), ""), other)
	}
}

// What a deployment makes is known as AWS tells of it before the next look for drift, which would take the difference for
// somebody's change.
func TestADeploymentIsRefreshedOnceItIsThere(t *testing.T) {
	t.Parallel()
	deploy := deployment(t)
	var order []string
	for _, step := range deploy.Jobs["deploy"].Steps {
		if command := regexp.MustCompile(`(?m)^\s*pulumi (up|refresh)\b`).FindStringSubmatch(step.Run); command != nil {
			order = append(order, command[1])
		}
	}
	assert.Equal(t, []string{"up", "refresh"}, order)
}
