package stacks_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/stacks"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		content string
		want    map[string]string
	}{
		{"nothing", "", map[string]string{}},
		{"a comment", "# nothing yet\n", map[string]string{}},
		{"null", "null\n", map[string]string{}},
		{"no config", "encryptionsalt: v1:abc=:v1:def\n", map[string]string{}},
		{"config without keys", "config:\n", map[string]string{}},
		{"empty config", "config: {}\n", map[string]string{}},
		{"values stay text", "config:\n  rad-panel:httpPort: 8080\n  rad-panel:logLevel: 'true'\n  rad-panel:tier: 0x10\n", map[string]string{"httpPort": "8080", "logLevel": "true", "tier": "0x10"}},
		{"an empty text", "config:\n  rad-panel:domain: \"\"\n", map[string]string{"domain": ""}},
		{"other namespaces", "config:\n  aws:region: us-east-1\n  aws:tags:\n    a: b\n  other:key:\n    secure: v1:abc\n  rad-panel:tier: mvp\n", map[string]string{"tier": "mvp"}},
		{"what Pulumi adds", "secretsprovider: passphrase\nencryptionsalt: v1:abc\nconfig:\n  rad-panel:tier: mvp\nenvironment: [a]\n", map[string]string{"tier": "mvp"}},
		{"unknown keys are for Load", "config:\n  rad-panel:colour: red\n", map[string]string{"colour": "red"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := stacks.Read(strings.NewReader(test.content))
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		content string
		want    string
	}{
		{"no YAML", "config:\n  rad-panel:tier: [\n", "yaml: line 2: did not find expected node content"},
		{"a tab", "config:\n\trad-panel:tier: mvp\n", "yaml: line 2: found character that cannot start any token"},
		{"a list", "- a\n", "line 1: expected keys and values, such as config:, got a list"},
		{"a word", "mvp\n", `line 1: expected keys and values, such as config:, got the value "mvp"`},
		{"config of a word", "config: mvp\n", `line 1: config: expected keys and values, such as rad-panel:tier: mvp, got the value "mvp"`},
		{"config of a list", "config:\n  - rad-panel:tier\n", "line 2: config: expected keys and values, such as rad-panel:tier: mvp, got a list"},
		{"config twice", "config:\n  rad-panel:tier: mvp\nconfig:\n  rad-panel:tier: tier1\n", "line 3: config: is there twice, first on line 1"},
		{"key twice", "config:\n  rad-panel:tier: mvp\n  rad-panel:tier: tier1\n", "line 3: rad-panel:tier is there twice, first on line 2"},
		{"no namespace", "config:\n  tier: mvp\n", `line 2: key "tier" has no namespace: write rad-panel:tier`},
		{"no value", "config:\n  rad-panel:tier:\n", "line 2: rad-panel:tier: it has no value: give it one or remove the line"},
		{"list for a value", "config:\n  rad-panel:tier: [mvp]\n", "line 2: rad-panel:tier: expected a single value, got a list"},
		{"mapping for a value", "config:\n  rad-panel:tier:\n    name: mvp\n", "line 3: rad-panel:tier: expected a single value, got a mapping"},
		{"alias for a value", "config:\n  a:b: &x mvp\n  rad-panel:tier: *x\n", "line 3: rad-panel:tier: expected a single value, got an alias"},
		{"list for a key", "config:\n  [a, b]: mvp\n", "line 2: expected a key such as rad-panel:tier, got a list"},
		{"a merge", "base: &base\n  rad-panel:tier: mvp\nconfig:\n  <<: *base\n", `line 4: key "<<" has no namespace: write rad-panel:<<`},
		{"encrypted", "config:\n  rad-panel:domain:\n    secure: v1:abc\n", "line 3: rad-panel:domain: it is encrypted, but no secret: set it in clear, by `pulumi config set` without --secret"},
		{"two documents", "config: {}\n---\nconfig: {}\n", "more than one YAML document: a stack's configuration is one"},
		{"every mistake", "config:\n  tier: mvp\n  rad-panel:region: [a]\n", "line 2: key \"tier\" has no namespace: write rad-panel:tier\nline 3: rad-panel:region: expected a single value, got a list"},
		{"too long", strings.Repeat("#", 1<<20+1), "larger than 1 MiB: not a stack's configuration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := stacks.Read(strings.NewReader(test.content))
			require.EqualError(t, err, test.want)
			assert.Nil(t, got)
		})
	}
	broken := errors.New("broken")
	_, err := stacks.Read(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
}

func TestReadFileNamesTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "Pulumi.tier1.yaml")
	_, err := stacks.ReadFile(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.Contains(t, err.Error(), path)

	require.NoError(t, os.WriteFile(path, []byte("config:\n  rad-panel:tier:\n  mvp: a\n"), 0o600))
	_, err = stacks.ReadFile(path)
	require.EqualError(t, err, path+": line 2: rad-panel:tier: it has no value: give it one or remove the line\n"+
		path+`: line 3: key "mvp" has no namespace: write rad-panel:mvp`)

	require.NoError(t, os.WriteFile(path, []byte("config: [\n"), 0o600))
	_, err = stacks.ReadFile(path)
	require.EqualError(t, err, path+": yaml: line 1: did not find expected node content")

	require.NoError(t, os.WriteFile(path, []byte("config:\n  rad-panel:tier: tier1\n"), 0o600))
	config, err := stacks.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"tier": "tier1"}, config)
}
