package local

import (
	"fmt"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/local/supervisor"
)

// objects is the S3 server with the bucket of the files.
type objects struct {
	pulumi.ResourceState

	port      pulumi.IntOutput
	secretKey pulumi.StringOutput
	ready     *bucket
}

// The folders of the S3 server.
const (
	objectsFolder  = "objects"
	metadataFolder = "metadata"
)

// newObjects registers the S3 server, if the tier has one; else it gives nil.
func newObjects(ctx *pulumi.Context, parent *Stack, site site) (*objects, error) {
	if !site.hasObjects() {
		return nil, nil //nolint:nilnil // Said above.
	}
	o := &objects{}
	if err := ctx.RegisterComponentResource("radpanel:local:Objects", objectsService, o, pulumi.Parent(parent)); err != nil {
		return nil, fmt.Errorf("component %s: %w", objectsService, err)
	}
	var err error
	if o.secretKey, err = newSecret(ctx, o, site, "objects-secret-key", passwordBytes); err != nil {
		return nil, err
	}
	made, err := register(ctx, "Port", "objects-port", portInputs{Wanted: pulumi.Int(0)}, new(port), pulumi.Parent(o))
	if err != nil {
		return nil, err
	}
	o.port = made.Port
	released, folder, err := newRelease(ctx, o, site, objectsService, filepath.Join(site.options.ReleaseFolder, objectsProgram))
	if err != nil {
		return nil, err
	}
	address := pulumi.Sprintf("127.0.0.1:%d", o.port)
	server, err := register(ctx, "Service", objectsService, serviceInputs{
		Directory: pulumi.String(site.folder.Directory()),
		Name:      pulumi.String(objectsService),
		Account:   pulumi.String(string(supervisor.Objects)),
		Command: pulumi.StringArray{
			pulumi.String(filepath.Join(folder, objectsProgram)), pulumi.String("--port"), address, pulumi.String("--quiet"),
			pulumi.String("--health"), pulumi.String(objectsHealthPath), pulumi.String("posix"),
			pulumi.String("--sidecar"), pulumi.String(filepath.Join(site.folder.Folder(objectsService), metadataFolder)),
			pulumi.String("--dir-perms"), pulumi.String("0700"), pulumi.String("--file-perms"), pulumi.String("0600"),
			pulumi.String(filepath.Join(site.folder.Folder(objectsService), objectsFolder)),
		},
		Environment:       pulumi.StringMap{"ROOT_ACCESS_KEY": pulumi.String(objectsUser)},
		SecretEnvironment: pulumi.StringMap{"ROOT_SECRET_KEY": o.secretKey},
		Folders:           pulumi.StringMap{objectsFolder: pulumi.String("0700"), metadataFolder: pulumi.String("0700")},
		StopSignal:        pulumi.String("TERM"),
		StopSeconds:       pulumi.Int(20),
		Ready: probeInputs{
			Kind: pulumi.String(string(supervisor.HTTP)), Address: address, Path: pulumi.String(objectsHealthPath), Seconds: pulumi.Int(20),
		},
		Secrets: pulumi.StringArray{o.secretKey},
	}, new(service), pulumi.Parent(o), pulumi.DependsOn([]pulumi.Resource{site.host, released}))
	if err != nil {
		return nil, err
	}
	o.ready, err = register(ctx, "Bucket", "files", bucketInputs{
		Endpoint: pulumi.Sprintf("http://127.0.0.1:%d", o.port), Name: pulumi.String(bucketName),
		AccessKey: pulumi.String(objectsUser), SecretKey: o.secretKey,
	}, new(bucket), pulumi.Parent(o), pulumi.DependsOn([]pulumi.Resource{server}), pulumi.Protect(true), pulumi.RetainOnDelete(true))
	if err != nil {
		return nil, err
	}
	return o, registerOutputs(ctx, o, pulumi.Map{"port": o.port})
}

// objectsHealthPath is answered by the S3 server without a signature.
const objectsHealthPath = "/health"
