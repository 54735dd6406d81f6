package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/radpanel/radpanel/infra/local/supervisor"
)

// Release is a program, or a folder of files, that services of the stack use: copied by its digest, so that building
// anew where it came from disturbs nothing that runs.
type Release struct{}

// ReleaseArgs say what is released.
type ReleaseArgs struct {
	// Directory is the stack's folder.
	Directory string `pulumi:"directory" provider:"replaceOnChanges"`
	// Kind is what it is a release of, such as "panel".
	Kind string `pulumi:"kind" provider:"replaceOnChanges"`
	// Source is the file or folder to copy.
	Source string `pulumi:"source"`
	// Digest is that of the source; see Digest.
	Digest string `pulumi:"digest"`
}

// ReleaseState is the copy.
type ReleaseState struct {
	ReleaseArgs
	// Path is where it is.
	Path string `pulumi:"path"`
}

// ReleasePath is where the copy of a release with a digest goes.
func ReleasePath(directory, kind, digest string) string {
	return filepath.Join(directory, "releases", kind, digest[:16])
}

// Create copies the release.
func (Release) Create(ctx context.Context, request infer.CreateRequest[ReleaseArgs]) (infer.CreateResponse[ReleaseState], error) {
	state, err := release(ctx, request.Inputs, request.DryRun)
	return infer.CreateResponse[ReleaseState]{ID: request.Inputs.Kind, Output: state}, err
}

// Update copies another release. The one that is in use stays, to go back to.
func (Release) Update(ctx context.Context, request infer.UpdateRequest[ReleaseArgs, ReleaseState]) (infer.UpdateResponse[ReleaseState], error) {
	state, err := release(ctx, request.Inputs, request.DryRun)
	return infer.UpdateResponse[ReleaseState]{Output: state}, err
}

func release(ctx context.Context, args ReleaseArgs, dryRun bool) (ReleaseState, error) {
	state := ReleaseState{ReleaseArgs: args}
	if len(args.Digest) != hex.EncodedLen(sha256.Size) {
		return state, fmt.Errorf("release of %s: digest %q: expected a SHA-256 in hexadecimal", args.Kind, args.Digest)
	}
	state.Path = ReleasePath(args.Directory, args.Kind, args.Digest)
	if dryRun {
		return state, nil
	}
	stack, err := supervisor.Open(args.Directory)
	if err != nil {
		return state, err
	}
	// Others may enter, for the services run as accounts of their own, but not look around.
	for _, folder := range []string{stack.Path("releases"), filepath.Dir(state.Path)} {
		if err := supervisor.MakeFolder(folder, 0o711, supervisor.Caller()); err != nil {
			return state, err
		}
	}
	if err := install(ctx, args, state.Path); err != nil {
		return state, err
	}
	return state, pruneReleases(stack, state.Path)
}

// install copies a release unless it is there already, whole or not at all.
func install(ctx context.Context, args ReleaseArgs, target string) error {
	if present, err := Digest(target); err == nil && present == args.Digest {
		return nil
	}
	temporary, err := os.MkdirTemp(filepath.Dir(target), ".release-")
	if err != nil {
		return supervisor.DiskError(target, err)
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	copied := filepath.Join(temporary, "copy")
	if err := copyTree(ctx, args.Source, copied); err != nil {
		return supervisor.DiskError(target, fmt.Errorf("release of %s: %w", args.Kind, err))
	}
	digest, err := Digest(copied)
	if err != nil {
		return err
	}
	if digest != args.Digest {
		return fmt.Errorf("release of %s: %s changed while it was copied; run up again", args.Kind, args.Source)
	}
	if err := os.RemoveAll(target); err != nil { // It was damaged.
		return fmt.Errorf("release of %s: %w", args.Kind, err)
	}
	return supervisor.DiskError(target, os.Rename(copied, target))
}

// nameIn gives the name of a file in the copy of a tree. A tree that is a single file becomes a folder with that file.
func nameIn(tree, file string) (string, error) {
	if tree == file {
		if info, err := os.Stat(file); err == nil && !info.IsDir() {
			return filepath.Base(file), nil
		}
	}
	relative, err := filepath.Rel(tree, file)
	if err != nil {
		return "", fmt.Errorf("release: %w", err)
	}
	return relative, nil
}

// copyTree copies a file or a folder of plain files into a new folder. Modes are set so that every account may read, and run programs.
func copyTree(ctx context.Context, from, to string) error {
	if info, err := os.Stat(from); err == nil && !info.IsDir() {
		if err := makePublic(to); err != nil {
			return err
		}
	}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		relative, err := nameIn(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			return makePublic(target)
		case info.Mode().IsRegular():
			return copyFile(path, target, info)
		default:
			return fmt.Errorf("%s: expected a plain file", path)
		}
	})
}

// makePublic makes a folder that everybody may read, whatever the caller's umask: released files are public.
func makePublic(folder string) error {
	const everybody = 0o755
	return errors.Join(os.Mkdir(folder, everybody), os.Chmod(folder, everybody))
}

func copyFile(from, to string, info fs.FileInfo) (err error) {
	source, err := os.Open(from) //nolint:gosec // The program names it.
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // The path is the stack's own.
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if _, err := io.Copy(target, source); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	// The time goes along: a file that did not change keeps its ETag.
	return errors.Join(target.Chmod(mode), target.Sync(), os.Chtimes(to, info.ModTime(), info.ModTime()))
}

// pruneReleases removes the releases that no service uses, but for the new one.
func pruneReleases(stack supervisor.Stack, keep string) error {
	entries, err := os.ReadDir(filepath.Dir(keep))
	if err != nil {
		return fmt.Errorf("old releases: %w", err)
	}
	for _, entry := range entries {
		path := filepath.Join(filepath.Dir(keep), entry.Name())
		if path == keep {
			continue
		}
		used, err := stack.Mentions(path)
		if err != nil {
			return err
		}
		if !used {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("old releases: %w", err)
			}
		}
	}
	return nil
}

// Digest gives a SHA-256, in hexadecimal, over the names and contents of all files of a folder, or of a single file.
func Digest(path string) (string, error) {
	all := sha256.New()
	err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := nameIn(path, file)
		if err != nil {
			return err
		}
		content, err := os.Open(file) //nolint:gosec // The program names it.
		if err != nil {
			return err
		}
		defer func() { _ = content.Close() }()
		one := sha256.New()
		if _, err := io.Copy(one, content); err != nil {
			return err
		}
		_, err = fmt.Fprintf(all, "%q %x\n", relative, one.Sum(nil))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

func releaseDrift(_ context.Context, state property.Map) (string, error) {
	known, err := decode[ReleaseState](state)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(known.Path); errors.Is(err, fs.ErrNotExist) {
		return "its copy is gone", nil
	}
	return "", nil
}
