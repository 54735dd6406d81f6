package engine_test

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/engine"
)

// forms are how a secret may be written.
func forms(secret string) []string {
	quoted, _ := json.Marshal(secret) // A string always can be.
	return []string{
		secret, base64.StdEncoding.EncodeToString([]byte(secret)), url.QueryEscape(secret), strings.Trim(string(quoted), `"`),
		base64.StdEncoding.EncodeToString([]byte(`{"key":` + string(quoted) + `}`)),
	}
}

// spread puts a secret into everything that is derived of it.
func spread(folder, secret string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		key := pulumi.ToSecret(pulumi.String(secret)).(pulumi.StringOutput)
		inJSON := pulumi.JSONMarshal(pulumi.Map{"key": key})
		for name, text := range map[string]pulumi.StringOutput{
			"plain": key,
			"base":  key.ApplyT(func(k string) string { return base64.StdEncoding.EncodeToString([]byte(k)) }).(pulumi.StringOutput),
			"url":   key.ApplyT(func(k string) string { return "postgres://o:" + url.QueryEscape(k) + "@db" }).(pulumi.StringOutput),
			"json":  inJSON,
			"both":  inJSON.ApplyT(func(j string) string { return base64.StdEncoding.EncodeToString([]byte(j)) }).(pulumi.StringOutput),
		} {
			var note pulumi.CustomResourceState
			if err := ctx.RegisterResource("notes:index:Note", name, pulumi.Map{
				"folder": pulumi.String(folder), "text": text, "key": key, "gate": pulumi.Bool(false),
			}, &note); err != nil {
				return err
			}
			ctx.Export(name, text)
		}
		ctx.Export("map", pulumi.Map{"safe": pulumi.String("shown"), "deep": pulumi.Map{"list": pulumi.Array{key}}})
		return nil
	}
}

// checkNowhere looks for secrets in all that is said and kept.
func (b *bench) checkNowhere(t *testing.T, secrets []string, said ...any) {
	t.Helper()
	texts := map[string]string{}
	shown, err := json.Marshal(append(said, b.events))
	require.NoError(t, err)
	texts["what is said"] = string(shown)
	require.NoError(t, filepath.WalkDir(b.home().Folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		texts[path] = string(content)
		return err
	}))
	for where, text := range texts {
		for _, secret := range secrets {
			for _, form := range forms(secret) {
				if strings.Contains(text, form) { // Not NotContains, which would show it.
					t.Errorf("a form of %d characters is in %s", len(form), where)
				}
			}
		}
	}
}

func TestASecretStaysOneInWhateverItIsPartOf(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second := `p"ss/w+rd the first`, `p"ss/w+rd the second`
	run := func(secret string, do func(*engine.Engine) (engine.Outcome, error)) engine.Outcome {
		options, err := b.options(nil, false)
		require.NoError(t, err)
		options.Program = spread(b.folder, secret)
		opened, err := engine.Open(t.Context(), options)
		require.NoError(t, err)
		outcome, err := do(opened)
		require.NoError(t, err)
		require.NoError(t, opened.Close())
		return outcome
	}
	made := run(first, func(e *engine.Engine) (engine.Outcome, error) { return e.Up(t.Context()) })
	assert.Equal(t, map[string]any{"safe": "shown", "deep": map[string]any{"list": []any{"[secret]"}}}, made.Outputs["map"])
	changed := run(second, func(e *engine.Engine) (engine.Outcome, error) { return e.Preview(t.Context()) })
	require.Len(t, changed.Changes, 5)
	for _, change := range changed.Changes {
		for _, property := range change.Properties {
			assert.Equal(t, "[secret] -> [secret]", property.Old+" -> "+property.New, change.Resource)
		}
	}
	b.checkNowhere(t, []string{first, second}, made, changed)
}

func TestASecretInTheWordsOfAProviderIsMasked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	outcome, err := b.up(t, notes{{"one", "careless"}})
	var failed *engine.FailedError
	require.ErrorAs(t, err, &failed)
	assert.Contains(t, strings.Join(failed.Reasons, "\n"), "https://owner:[secret]@db")
	shown, err := json.Marshal([]any{outcome, failed.Reasons, b.events})
	require.NoError(t, err)
	assert.NotContains(t, string(shown), secretValue)
}
