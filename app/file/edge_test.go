package file_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/file"
)

// checkEdge does what CloudFront does with a request to a behaviour that trusts a key: "Create a signed URL using a canned
// policy" of its guide. It gives the address without what CloudFront takes for itself, or why there is no answer.
func checkEdge(public crypto.PublicKey, id, address string, now time.Time) (string, error) {
	base, query, _ := strings.Cut(address, "?")
	var own []string
	taken := map[string]string{}
	for parameter := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		switch name {
		case "Expires", "Signature", "Key-Pair-Id":
			taken[name] = value
		default:
			own = append(own, parameter)
		}
	}
	resource := base
	if len(own) > 0 {
		resource += "?" + strings.Join(own, "&")
	}
	if taken["Key-Pair-Id"] != id {
		return "", fmt.Errorf("unknown key %q", taken["Key-Pair-Id"])
	}
	expires, err := strconv.ParseInt(taken["Expires"], 10, 64)
	if err != nil || !now.Before(time.Unix(expires, 0)) {
		return "", fmt.Errorf("it has expired at %q", taken["Expires"])
	}
	signature, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(taken["Signature"]))
	if err != nil {
		return "", err
	}
	policy := fmt.Sprintf(`{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}`, resource, expires)
	digest := sha1.Sum([]byte(policy))
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(key, digest[:], signature) {
			return resource, nil
		}
	case *rsa.PublicKey:
		if rsa.VerifyPKCS1v15(key, crypto.SHA1, digest[:], signature) == nil {
			return resource, nil
		}
	}
	return "", fmt.Errorf("the signature is not that of %s", policy)
}

func edgeConfig(t *testing.T, key crypto.Signer) config.Config {
	t.Helper()
	packed, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return config.Config{
		S3Region: "eu-central-1", S3Bucket: "files-1234567", S3AccessKey: "access", S3SecretKey: "secret",
		S3Front: "https://panel.example.com", S3FrontKeyID: "K36X4X2EO997HM",
		S3FrontKey: config.Secret(base64.StdEncoding.EncodeToString(packed)),
	}
}

func TestAnEdgeThatSignsItselfIsAskedForDownloads(t *testing.T) {
	t.Parallel()
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	classic, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, key := range map[string]crypto.Signer{"ECDSA": elliptical, "RSA": classic} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, err := file.OpenS3(edgeConfig(t, key))
			require.NoError(t, err)
			object := newKey(t, 0x7f)
			wanted := http.Header{
				"Content-Type": {"text/plain"}, "Cache-Control": {"private, no-store"},
				"Content-Disposition": {`attachment; filename="50% + 1 'größer' & more?.txt"`},
			}
			now := time.Now()
			address, err := store.SignDownload(t.Context(), object, time.Minute, wanted)
			require.NoError(t, err)

			asked, err := checkEdge(key.Public(), "K36X4X2EO997HM", address, now)
			require.NoError(t, err)
			parsed, err := url.Parse(asked)
			require.NoError(t, err)
			assert.Equal(t, "https://panel.example.com"+config.DownloadPath+object.String(), parsed.Scheme+"://"+parsed.Host+parsed.Path)
			for header := range wanted {
				assert.Equal(t, wanted.Get(header), parsed.Query().Get("response-"+strings.ToLower(header)))
			}
			assert.NotContains(t, asked, "+", "S3 and signatures differ on what it means")
			assert.NotContains(t, asked, "'", "browsers would write it otherwise than it was signed")
			assert.NotContains(t, address, "X-Amz-", "nothing of it is good for the bucket")

			_, err = checkEdge(key.Public(), "K36X4X2EO997HM", address, now.Add(time.Minute+time.Second))
			require.ErrorContains(t, err, "expired")
			for _, forged := range []string{
				strings.Replace(address, object.String(), newKey(t, 0x7f).String(), 1),
				strings.Replace(address, "text%2Fplain", "text%2Fhtml", 1),
				strings.Replace(address, "attachment", "inline", 1),
				strings.Replace(address, "Expires=", "Expires=9", 1),
				strings.Replace(address, "?", "?response-content-language=x&", 1),
			} {
				require.NotEqual(t, address, forged)
				_, err := checkEdge(key.Public(), "K36X4X2EO997HM", forged, now)
				require.ErrorContains(t, err, "the signature is not that of")
			}
		})
	}
}

// The edge reads; writes are signed for the bucket, which the edge passes on.
func TestUploadsAreSignedForTheBucketWhateverTheEdgeSigns(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	store, err := file.OpenS3(edgeConfig(t, key))
	require.NoError(t, err)
	object := newKey(t, 0x7f)
	address, _, err := store.SignUpload(t.Context(), object, 5, time.Minute)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(address, "https://panel.example.com/"+object.String()+"?X-Amz-"), address)
}

func TestAKeyThatIsNoneIsRefusedWithoutBeingShown(t *testing.T) {
	t.Parallel()
	cfg := config.Config{S3Bucket: "files", S3Front: "https://panel.example.com", S3FrontKeyID: "K1", S3FrontKey: "dG9wc2VjcmV0"}
	_, err := file.OpenS3(cfg)
	require.ErrorContains(t, err, "RAD_S3_FRONT_KEY: expected a private key in PKCS #8")
	assert.NotContains(t, err.Error(), cfg.S3FrontKey.Reveal())
}
