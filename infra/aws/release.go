package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ReleaseFile is what `make release` builds for the hosts: the service for Linux on arm64, and its front end.
const ReleaseFile = "radpanel-linux-arm64.tar.gz"

// ReleaseFolderVariable names the environment variable that says in which folder the release is. Empty: dist in the
// project's folder.
const ReleaseFolderVariable = "RAD_RELEASE_FOLDER"

// releasePrefix begins the names of releases in their bucket.
const releasePrefix = "releases/"

// releaseArgs are what a release is made from.
type releaseArgs struct {
	// File is the path of the archive.
	File   string
	Bucket *bucket
}

// release is a version of the service, in a bucket under its own digest. A new one is put beside the old one, and then
// the settings of each host name it: hosts fetch it, compare the digest and go over to it, none of them replaced.
type release struct {
	pulumi.ResourceState

	object *s3.BucketObjectv2
	digest string
}

func newRelease(ctx *pulumi.Context, args releaseArgs, options ...pulumi.ResourceOption) (*release, error) {
	r := &release{}
	if err := ctx.RegisterComponentResource("radpanel:aws:Release", "release", r, options...); err != nil {
		return nil, err
	}
	var err error
	if r.digest, err = digestOf(args.File); err != nil {
		return nil, err
	}
	r.object, err = s3.NewBucketObjectv2(ctx, "release", &s3.BucketObjectv2Args{
		Bucket: args.Bucket.bucket.ID(), Key: pulumi.String(releasePrefix + r.digest + ".tar.gz"), Source: pulumi.NewFileAsset(args.File),
		SourceHash: pulumi.String(r.digest), ContentType: pulumi.String("application/gzip"),
		// The release before stays: it is what a host goes back to.
	}, pulumi.Parent(r), pulumi.RetainOnDelete(true), pulumi.DependsOn(args.Bucket.settled))
	if err != nil {
		return nil, err
	}
	return r, ctx.RegisterResourceOutputs(r, pulumi.Map{"sha256": pulumi.String(r.digest)})
}

// releaseFile gives the path of the release, as the environment or the project's folder has it.
func releaseFile(folder, project string) string {
	if folder == "" {
		folder = filepath.Join(project, "dist")
	}
	return filepath.Join(folder, ReleaseFile)
}

// digestOf gives a file's SHA-256 in hexadecimal.
func digestOf(path string) (digest string, err error) {
	file, err := os.Open(path) //nolint:gosec // The operator names the folder.
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("release: %s is missing: build it with `make release`, or set %s to the folder that holds it",
			path, ReleaseFolderVariable)
	}
	if err != nil {
		return "", fmt.Errorf("release: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("release: read %s: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
