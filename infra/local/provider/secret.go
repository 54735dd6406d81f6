package provider

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pulumi/pulumi-go-provider/infer"

	"github.com/radpanel/radpanel/infra/local/supervisor"
)

// Secret is random bytes, made once: a password, or a key.
type Secret struct{}

// SecretArgs say where it is kept.
type SecretArgs struct {
	// Directory is the stack's folder.
	Directory string `pulumi:"directory" provider:"replaceOnChanges"`
	// Name is its file's, in the folder "keys" there.
	Name string `pulumi:"name" provider:"replaceOnChanges"`
	// Bytes is how many.
	Bytes int `pulumi:"bytes" provider:"replaceOnChanges"`
	// From is the folder of a stack whose secret of the same name becomes this one's, when this one is made. Afterwards it
	// has no effect. Empty: it is random.
	From string `pulumi:"from,optional"`
}

// SecretState is the secret.
type SecretState struct {
	SecretArgs
	// Value is the bytes in base64.
	Value string `pulumi:"value" provider:"secret"`
}

// WireDependencies tells that the value is always secret.
func (Secret) WireDependencies(f infer.FieldSelector, args *SecretArgs, state *SecretState) {
	f.OutputField(&state.Value).AlwaysSecret()
	f.OutputField(state).DependsOn(f.InputField(args).Computed())
}

// Create makes the secret, or takes up the one that is there: with the data it outlives the state of the stack, and
// what was encrypted with it can be read again.
func (Secret) Create(_ context.Context, request infer.CreateRequest[SecretArgs]) (infer.CreateResponse[SecretState], error) {
	args := request.Inputs
	response := infer.CreateResponse[SecretState]{ID: args.Name, Output: SecretState{SecretArgs: args}}
	if args.Bytes < 16 {
		return response, fmt.Errorf("secret %s: %d bytes, expected at least 16", args.Name, args.Bytes)
	}
	if request.DryRun {
		return response, nil
	}
	stack, err := supervisor.Open(args.Directory)
	if err != nil {
		return response, err
	}
	if err := supervisor.MakeFolder(stack.Path("keys"), 0o700, supervisor.Caller()); err != nil {
		return response, err
	}
	path := stack.Path("keys", args.Name)
	present, err := os.ReadFile(path) //nolint:gosec // The path is the stack's own.
	switch {
	case err == nil:
		if raw, err := base64.StdEncoding.DecodeString(string(present)); err != nil || len(raw) != args.Bytes {
			return response, fmt.Errorf("secret %s: %s does not hold %d bytes in base64; restore it from a backup", args.Name, path, args.Bytes)
		}
		response.Output.Value = string(present)
		return response, nil
	case !errors.Is(err, fs.ErrNotExist):
		return response, fmt.Errorf("secret %s: %w", args.Name, err)
	}
	raw, err := args.first()
	if err != nil {
		return response, err
	}
	response.Output.Value = base64.StdEncoding.EncodeToString(raw)
	return response, supervisor.WriteFile(path, []byte(response.Output.Value), 0o600, supervisor.Caller())
}

// first gives the bytes of a secret that is made now.
func (args SecretArgs) first() ([]byte, error) {
	raw := make([]byte, args.Bytes)
	if args.From == "" {
		_, _ = rand.Read(raw) // It never fails.
		return raw, nil
	}
	other, err := supervisor.Open(args.From)
	if err != nil {
		return nil, err
	}
	path := other.Path("keys", args.Name)
	present, err := os.ReadFile(path) //nolint:gosec // The path is the other stack's own.
	if err != nil {
		return nil, fmt.Errorf("secret %s of the stack that is promoted: %w", args.Name, err)
	}
	raw, err = base64.StdEncoding.DecodeString(string(present))
	if err != nil || len(raw) != args.Bytes {
		return nil, fmt.Errorf("secret %s: %s does not hold %d bytes in base64; restore it from a backup", args.Name, path, args.Bytes)
	}
	return raw, nil
}

// Update keeps the secret: where it once came from makes no difference to it.
func (Secret) Update(_ context.Context, request infer.UpdateRequest[SecretArgs, SecretState]) (infer.UpdateResponse[SecretState], error) {
	return infer.UpdateResponse[SecretState]{Output: SecretState{SecretArgs: request.Inputs, Value: request.State.Value}}, nil
}
