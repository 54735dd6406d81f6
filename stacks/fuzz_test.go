package stacks_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

// FuzzFile holds for any stack file under any name: nothing panics; what is refused is refused with a reason that
// names the key; what is accepted is within the documented bounds.
func FuzzFile(f *testing.F) {
	for _, name := range []string{"mvp", "local-tier1", "tier2-staging", "staging", ""} {
		for _, content := range []string{
			"",
			"config:\n  rad-panel:tier: mvp\n  rad-panel:target: local\n  rad-panel:httpPort: 8080\n",
			"config:\n  rad-panel:domain: panel.example.com\n  rad-panel:region: eu-central-1\n  rad-panel:sizing: budget\n",
			"config:\n  rad-panel:fileSizeLimit: 25MiB\n  rad-panel:sessionIdleTimeout: 1h\n  rad-panel:sessionAbsoluteTimeout: 2h\n  rad-panel:logLevel: warn\n",
			"config:\n  rad-panel:tier:\n    secure: v1:abc\n  aws:region: x\n  tier: a\n",
			"config: &a\n  b: *a\n",
			"? [a]\n: {config: !!binary YQ==}\n",
		} {
			f.Add(name, content)
		}
	}
	f.Fuzz(func(t *testing.T, name, content string) {
		config, err := stacks.Read(strings.NewReader(content))
		if err != nil {
			require.NotEmpty(t, err.Error())
			require.Nil(t, config)
			return
		}
		checkLoad(t, name, config)
	})
}

// FuzzValue goes past YAML: any value of any key, as `pulumi config set` may give it.
func FuzzValue(f *testing.F) {
	for _, key := range stacks.Keys() {
		for _, name := range []string{"tier1", "local-mvp", "staging"} {
			f.Add(name, key.Name, key.Default, "mvp")
		}
	}
	f.Add("tier1", "fileSizeLimit", "9999999999GiB", "tier1")
	f.Add("tier1", "sessionIdleTimeout", "-9223372036854775808ns", "tier1")
	f.Add("local-tier1", "new\nline", "\xff\x00", "")
	f.Fuzz(func(t *testing.T, name, key, value, tier string) {
		checkLoad(t, name, map[string]string{"tier": tier, key: value})
	})
}

// checkLoad loads a configuration and holds the outcome, good or bad, against what Load promises.
func checkLoad(t *testing.T, name string, config map[string]string) {
	t.Helper()
	stack, err := stacks.Load(name, config)
	if err == nil {
		checkStack(t, name, config, stack)
		return
	}
	require.Zero(t, stack)
	for _, e := range joined(t, err) {
		assert.NotContains(t, e.Error(), "\n", "an error is one line")
		var keyError *stacks.KeyError
		var nameError *stacks.NameError
		switch {
		case errors.As(e, &keyError):
			assert.True(t, strings.HasPrefix(e.Error(), "rad-panel:"), e.Error())
			if hasKey(keyError.Key, stacks.AWS) || hasKey(keyError.Key, stacks.Local) {
				assert.True(t, strings.HasPrefix(e.Error(), "rad-panel:"+keyError.Key+": "), e.Error())
			}
		case errors.As(e, &nameError):
			assert.Equal(t, name, nameError.Name)
		default:
			t.Errorf("%v tells neither key nor name", e)
		}
	}
}

// checkStack holds an accepted stack against what the keys promise.
func checkStack(t *testing.T, name string, config map[string]string, stack stacks.Stack) {
	t.Helper()
	for key := range config {
		assert.True(t, hasKey(key, stack.Target), "%s was accepted on %s", key, stack.Target)
	}
	assert.Equal(t, name, stack.Name)
	assert.Contains(t, stacks.Tiers(), stack.Tier())
	assert.Contains(t, stacks.Targets(), stack.Target)

	s := stack.Settings
	assert.Contains(t, []string{"debug", "info", "warn", "error"}, s.LogLevel)
	assert.GreaterOrEqual(t, s.FileSizeLimit, stacks.MiB)
	assert.LessOrEqual(t, s.FileSizeLimit, stacks.GiB)
	assert.Positive(t, s.SessionIdleTimeout)
	assert.Less(t, s.SessionIdleTimeout, s.SessionAbsoluteTimeout)
	if stack.Target == stacks.Local {
		assert.True(t, s.HTTPPort == 0 || s.HTTPPort >= 1024 && s.HTTPPort <= 65535)
		assert.Empty(t, s.Domain+s.Region+string(s.Sizing))
		return
	}
	assert.Zero(t, s.HTTPPort)
	assert.Equal(t, strings.ToLower(s.Domain), s.Domain)
	assert.NotEmpty(t, s.Region)
	assert.Contains(t, []stacks.Sizing{stacks.SizingHardware, stacks.SizingBudget}, s.Sizing)
}

func hasKey(name string, target stacks.Target) bool {
	for _, key := range stacks.Keys() {
		for _, t := range key.Targets {
			if key.Name == name && t == target {
				return true
			}
		}
	}
	return false
}
