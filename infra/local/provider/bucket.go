package provider

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// Bucket is a bucket of an S3 server. It is made once and never deleted: it holds the users' files.
type Bucket struct{}

// BucketArgs say where.
type BucketArgs struct {
	// Endpoint is the server, such as "http://127.0.0.1:9000".
	Endpoint string `pulumi:"endpoint"`
	Name     string `pulumi:"name" provider:"replaceOnChanges"`
	// AccessKey and SecretKey are of an account that may make it.
	AccessKey string `pulumi:"accessKey"`
	SecretKey string `pulumi:"secretKey" provider:"secret"`
}

// BucketState is the bucket.
type BucketState struct {
	BucketArgs
}

// bucketTimeout is how long the server may take.
const bucketTimeout = 20 * time.Second

// Create makes the bucket, or takes up the one that is there.
func (Bucket) Create(ctx context.Context, request infer.CreateRequest[BucketArgs]) (infer.CreateResponse[BucketState], error) {
	response := infer.CreateResponse[BucketState]{ID: request.Inputs.Name, Output: BucketState{request.Inputs}}
	if request.DryRun {
		return response, nil
	}
	return response, request.Inputs.make(ctx)
}

// Update is for a bucket whose server is elsewhere now, or that is gone.
func (Bucket) Update(ctx context.Context, request infer.UpdateRequest[BucketArgs, BucketState]) (infer.UpdateResponse[BucketState], error) {
	response := infer.UpdateResponse[BucketState]{Output: BucketState{request.Inputs}}
	if request.DryRun {
		return response, nil
	}
	return response, request.Inputs.make(ctx)
}

func (args BucketArgs) client() (*minio.Client, error) {
	endpoint, err := url.Parse(args.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: endpoint %q: %w", args.Name, args.Endpoint, err)
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds: credentials.NewStaticV4(args.AccessKey, args.SecretKey, ""), Secure: endpoint.Scheme == "https", MaxRetries: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", args.Name, err)
	}
	return client, nil
}

func (args BucketArgs) make(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bucketTimeout)
	defer cancel()
	client, err := args.client()
	if err != nil {
		return err
	}
	exists, err := client.BucketExists(ctx, args.Name)
	if err == nil && !exists {
		err = client.MakeBucket(ctx, args.Name, minio.MakeBucketOptions{})
	}
	if err != nil {
		return fmt.Errorf("bucket %s on %s: %w", args.Name, args.Endpoint, err)
	}
	return nil
}

// bucketDrift looks whether the bucket is there. A server that does not answer is not the bucket's problem, but its
// service's.
func bucketDrift(ctx context.Context, state property.Map) (string, error) {
	args, err := decode[BucketArgs](state)
	if err != nil {
		return "", err
	}
	client, err := args.client()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if exists, err := client.BucketExists(ctx, args.Name); err == nil && !exists {
		return "the bucket is gone", nil
	}
	return "", nil
}
