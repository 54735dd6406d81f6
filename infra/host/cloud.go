package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/infra/machine"
)

// Cloud is what the host asks: by the credentials of its role, for its parameters and its release. It signs three kinds of
// requests, which the clients of the services would take minutes to compile for.
type Cloud struct {
	host        machine.CloudHost
	credentials aws.CredentialsProvider
	client      *http.Client
}

// NewCloud gives the cloud as the host sees it.
func NewCloud(host machine.CloudHost) *Cloud {
	return &Cloud{
		host:        host,
		credentials: aws.NewCredentialsCache(ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = imds.New(imds.Options{}) })),
		client:      &http.Client{},
	}
}

const (
	// callTimeout bounds a call, fetchTimeout the transfer of a release.
	callTimeout  = 20 * time.Second
	fetchTimeout = 15 * time.Minute
	// parametersAtOnce is how many GetParameters takes (Systems Manager API, GetParameters).
	parametersAtOnce = 10
)

// Parameters gives the values of parameters by name; those that are not there are left out.
func (c *Cloud) Parameters(ctx context.Context, names ...string) (map[string]config.Secret, error) {
	all, err := c.parameters(ctx, true, names)
	values := map[string]config.Secret{}
	for name, p := range all {
		values[name] = config.Secret(p.Value)
	}
	return values, err
}

// Versions tells, of each parameter that is there, its version: it has another value if it has another version. What is
// secret is not decrypted, which AWS charges for by the request.
func (c *Cloud) Versions(ctx context.Context, names ...string) (map[string]string, error) {
	all, err := c.parameters(ctx, false, names)
	versions := map[string]string{}
	for name, p := range all {
		// One that was removed and made again counts from 1 again.
		versions[name] = fmt.Sprintf("%d of %s", p.Version, p.LastModifiedDate)
	}
	return versions, err
}

// parameter is what Systems Manager says of one.
type parameter struct {
	Name, Value      string
	Version          int64
	LastModifiedDate json.Number
}

func (c *Cloud) parameters(ctx context.Context, decrypt bool, names []string) (map[string]parameter, error) {
	all := map[string]parameter{}
	for len(names) > 0 {
		some := names[:min(len(names), parametersAtOnce)]
		names = names[len(some):]
		var answer struct{ Parameters []parameter }
		origin := c.host.Endpoints.Parameters
		if origin == "" {
			origin = "https://ssm." + c.host.Region + ".amazonaws.com"
		}
		if err := c.call(ctx, origin, "ssm", "AmazonSSM.GetParameters", map[string]any{"Names": some, "WithDecryption": decrypt}, &answer); err != nil {
			return nil, fmt.Errorf("parameters %s: %w", strings.Join(some, ", "), err)
		}
		for _, p := range answer.Parameters {
			all[p.Name] = p
		}
	}
	return all, nil
}

// Fetch writes an object to w, and makes sure that it is the one that is meant.
func (c *Cloud) Fetch(ctx context.Context, object machine.ReleaseObject, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	address := "https://" + object.Bucket + ".s3." + c.host.Region + ".amazonaws.com/" + object.Key
	if c.host.Endpoints.Objects != "" {
		address = c.host.Endpoints.Objects + "/" + object.Bucket + "/" + object.Key
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("release %s: %w", address, err)
	}
	const unsigned = "UNSIGNED-PAYLOAD"
	request.Header.Set("X-Amz-Content-Sha256", unsigned)
	response, err := c.send(request, "s3", unsigned)
	if err != nil {
		return fmt.Errorf("release %s: %w", address, err)
	}
	defer func() { _ = response.Body.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, hash), response.Body); err != nil {
		return fmt.Errorf("release %s: %w", address, err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != object.SHA256 {
		return fmt.Errorf("release %s: its SHA-256 is %s: expected %s, as the host's settings say: upload it again", address, got, object.SHA256)
	}
	return nil
}

// call makes a call of the protocol that AWS names JSON 1.1.
func (c *Cloud) call(ctx context.Context, origin, service, action string, input, output any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(input)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, origin+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", action)
	digest := sha256.Sum256(body)
	response, err := c.send(request, service, hex.EncodeToString(digest[:]))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(output); err != nil {
		return fmt.Errorf("%s: answer of %s: %w", action, origin, err)
	}
	return nil
}

// send signs a request and gives the answer, if it is a good one.
func (c *Cloud) send(request *http.Request, service, digest string) (*http.Response, error) {
	ctx := request.Context()
	credentials, err := c.credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("credentials of the host's role, from the metadata service: %w", err)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if err := signer.SignHTTP(ctx, credentials, request, digest, service, c.host.Region, time.Now()); err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, 1024))
	return nil, errors.Join(fmt.Errorf("%s answered %s: %s", request.URL.Host, response.Status, bytes.TrimSpace(text)), err, response.Body.Close())
}
