package hostboot

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/host/ship/shiptest"
)

const (
	cloudAddress      = "169.254.169.254" // where every EC2 instance asks for its metadata
	metadataAddress   = cloudAddress + ":80"
	parametersAddress = cloudAddress + ":4000"
	objectsAddress    = cloudAddress + ":4443"
	watchAddress      = cloudAddress + ":4002" // CloudWatch
	topicsAddress     = cloudAddress + ":4003" // SNS
	gatewayAddress    = "127.0.0.1:4001"
	// objectsName is in /etc/hosts: pgBackRest wants a certificate for a name.
	objectsName = "objects.test"
	accessKey   = "AKIDTEST"
	secretKey   = "a-secret-of-the-role"
	token       = "token-of-the-role+/="
	region      = "eu-central-1"
)

// cloud is what a host asks in a cloud: the metadata service, which wants its second version, the parameters, and a real
// S3 server. It lives in a network of the
// test's own, of which nothing else is to be reached.
type cloud struct {
	t         testing.TB
	network   *network
	folder    string
	authority []byte // PEM
	// certificate and key are files, of what the cloud serves by TLS.
	certificate, key string

	objects    *minio.Client
	watch      *shiptest.CloudWatch
	topics     *topics
	mutex      sync.Mutex
	parameters map[string]string
	versions   map[string]int
	// decrypted counts the secrets that were.
	decrypted int
}

func newCloud(t testing.TB, n *network) *cloud {
	t.Helper()
	c := &cloud{t: t, network: n, folder: t.TempDir(), parameters: map[string]string{}, versions: map[string]int{}}
	c.serve(metadataAddress, http.HandlerFunc(c.metadata))
	c.serve(parametersAddress, http.HandlerFunc(c.systemsManager))
	c.watch = &shiptest.CloudWatch{
		Region: region, Groups: []string{logGroup},
		Credentials: aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey, SessionToken: token},
	}
	c.serve(watchAddress, c.watch)
	c.topics = &topics{}
	c.serve(topicsAddress, c.topics)
	c.startObjects()
	return c
}

func (c *cloud) serve(address string, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	listener := c.network.listen(address)
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	c.t.Cleanup(func() { _ = server.Close(); <-done })
}

// metadata answers as EC2's does, with the credentials of the host's role.
func (c *cloud) metadata(w http.ResponseWriter, r *http.Request) {
	const session = "session-of-the-test"
	const role = "panel-host"
	switch path := strings.TrimSuffix(r.URL.Path, "/"); {
	case r.Method == http.MethodPut && path == "/latest/api/token" && r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") != "":
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"))
		_, _ = w.Write([]byte(session))
	case r.Header.Get("X-Aws-Ec2-Metadata-Token") != session:
		http.Error(w, "the second version of the service is required", http.StatusUnauthorized)
	case path == "/latest/meta-data/iam/security-credentials":
		_, _ = w.Write([]byte(role))
	case path == "/latest/meta-data/iam/security-credentials/"+role:
		_ = json.NewEncoder(w).Encode(map[string]string{
			"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": accessKey, "SecretAccessKey": secretKey, "Token": token,
			"LastUpdated": time.Now().UTC().Format(time.RFC3339), "Expiration": time.Now().Add(6 * time.Hour).UTC().Format(time.RFC3339),
		})
	default:
		http.NotFound(w, r)
	}
}

// systemsManager gives the parameters to whoever signs as the role.
func (c *cloud) systemsManager(w http.ResponseWriter, r *http.Request) {
	if !signedByRole(r, "ssm") {
		http.Error(w, `{"__type":"AccessDeniedException"}`, http.StatusBadRequest)
		return
	}
	var input struct {
		Name           string
		Names          []string
		WithDecryption bool
	}
	if err := json.NewDecoder(r.Body).Decode(&input); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	type parameter struct {
		Name, Value      string
		Version          int
		LastModifiedDate float64
	}
	give := func(name string) (parameter, bool) {
		value, ok := c.parameters[name]
		if strings.Contains(name, "/secrets/") {
			if !input.WithDecryption {
				value = "encrypted"
			} else {
				c.decrypted++
			}
		}
		return parameter{name, value, c.versions[name], 1.775e9}, ok
	}
	switch r.Header.Get("X-Amz-Target") {
	case "AmazonSSM.GetParameter":
		found, ok := give(input.Name)
		if !ok {
			http.Error(w, `{"__type":"ParameterNotFound"}`, http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": found})
	case "AmazonSSM.GetParameters":
		found := []parameter{}
		for _, name := range input.Names {
			if one, ok := give(name); ok {
				found = append(found, one)
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameters": found})
	default:
		http.Error(w, `{"__type":"UnknownOperationException"}`, http.StatusBadRequest)
	}
}

// signedByRole tells whether the host's role signed a request to a service.
func signedByRole(r *http.Request, service string) bool {
	authorization := r.Header.Get("Authorization")
	return strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential="+accessKey+"/") &&
		strings.Contains(authorization, "/"+region+"/"+service+"/aws4_request") &&
		strings.Contains(authorization, "x-amz-security-token") && r.Header.Get("X-Amz-Security-Token") == token
}

func (c *cloud) setParameter(name, value string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.parameters[name] = value
	c.versions[name]++
}

// readSecrets counts the secrets that hosts have had decrypted.
func (c *cloud) readSecrets() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.decrypted
}

// startObjects runs the S3 server, by TLS, as Amazon's is.
func (c *cloud) startObjects() {
	c.t.Helper()
	certificate, key := c.certify(objectsName, acmeName)
	data, metadata := filepath.Join(c.folder, "objects"), filepath.Join(c.folder, "metadata")
	for _, folder := range []string{data, metadata} {
		require.NoError(c.t, os.Mkdir(folder, 0o700))
	}
	program, err := filepath.Abs("../../bin/versitygw")
	require.NoError(c.t, err)
	server := exec.CommandContext(context.Background(), "ip", "netns", "exec", c.network.name, program, "--port", gatewayAddress, "--quiet", "--health", "/health",
		"--region", region, "posix", "--sidecar", metadata, data)
	server.Env = []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	var said bytes.Buffer
	server.Stdout, server.Stderr = &said, &said
	ended := start(c.t, server, syscall.SIGKILL)
	c.t.Cleanup(func() {
		_ = server.Process.Kill()
		<-ended
		if c.t.Failed() {
			c.t.Logf("the S3 server:\n%s", said.String())
		}
	})
	c.objects, err = minio.New(gatewayAddress, &minio.Options{
		Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: region, Transport: c.network.transport(nil),
	})
	require.NoError(c.t, err)
	require.EventuallyWithT(c.t, func(collect *assert.CollectT) {
		ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.objects.ListBuckets(ctx)
		assert.NoError(collect, err)
	}, 30*time.Second, 50*time.Millisecond, "the S3 server does not start")
	c.serveObjects(certificate, key)
	c.certificate, c.key = certificate, key
	for _, bucket := range []string{releaseBucket, backupBucket, filesBucket, agentBucket} {
		require.NoError(c.t, c.objects.MakeBucket(c.t.Context(), bucket, minio.MakeBucketOptions{Region: region}))
	}
}

// serveObjects lets in who comes by TLS and signs with the role's token, which the S3 server itself has no notion of.
func (c *cloud) serveObjects(certificate, key string) {
	c.t.Helper()
	pair, err := tls.LoadX509KeyPair(certificate, key)
	require.NoError(c.t, err)
	proxy := &httputil.ReverseProxy{
		Transport: c.network.transport(nil),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", gatewayAddress, gatewayAddress
			r.Out.Header.Del("X-Amz-Security-Token")
			r.Out.Header.Del("Authorization")
			r.Out.Header.Del("X-Forwarded-For")
			if r.Out.Header.Get("X-Amz-Content-Sha256") == "" { // Of what anybody may read, nothing was signed.
				r.Out.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
			}
			*r.Out = *signer.SignV4(*r.Out, accessKey, secretKey, "", region)
		},
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization := r.Header.Get("Authorization")
		if authorization == "" && r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/"+agentBucket+"/") {
			proxy.ServeHTTP(w, r) // Amazon's own bucket, which anybody may read.
			return
		}
		if r.Header.Get("X-Amz-Security-Token") != token || !strings.Contains(authorization, "x-amz-security-token") ||
			!strings.Contains(authorization, "/"+region+"/s3/aws4_request") {
			http.Error(w, "the role's token is missing, or not signed", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	listener := tls.NewListener(c.network.listen(objectsAddress), &tls.Config{Certificates: []tls.Certificate{pair}})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	c.t.Cleanup(func() { _ = server.Close(); <-done })
}

// certify makes an authority, and a certificate of it for names, and gives the files.
func (c *cloud) certify(names ...string) (certificate, key string) {
	c.t.Helper()
	issuer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(c.t, err)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "The authority of a test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &issuer.PublicKey, issuer)
	require.NoError(c.t, err)
	c.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(c.t, err)
	der, err = x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, DNSNames: append([]string{"*." + names[0]}, names...),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, authority, &own.PublicKey, issuer)
	require.NoError(c.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(own)
	require.NoError(c.t, err)
	certificate, key = filepath.Join(c.folder, "certificate.pem"), filepath.Join(c.folder, "key.pem")
	require.NoError(c.t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(c.t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return certificate, key
}

// put uploads a file.
func (c *cloud) put(bucket, key, file string) {
	c.t.Helper()
	_, err := c.objects.FPutObject(c.t.Context(), bucket, key, file, minio.PutObjectOptions{})
	assert.NoError(c.t, err)
}
