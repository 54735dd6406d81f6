package file

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"

	"github.com/radpanel/radpanel/app/config"
)

// edge signs addresses of downloads for a CloudFront that reads the bucket on its own account: it checks the signature itself,
// and no S3 signature, which would be good for the bucket too, is ever in a browser.
type edge struct {
	signer *sign.URLSigner
	// origin is the front's, such as "https://panel.example.com".
	origin string
	now    func() time.Time
}

// newEdge gives nil if the configuration has no key.
func newEdge(cfg config.Config) (*edge, error) {
	if cfg.S3FrontKey == "" {
		return nil, nil //nolint:nilnil // There is no such front.
	}
	key, err := cfg.S3FrontSigner()
	if err != nil {
		return nil, fmt.Errorf("file store: %w", err)
	}
	return &edge{signer: sign.NewURLSigner(cfg.S3FrontKeyID, key), origin: strings.TrimSuffix(cfg.S3Front, "/"), now: time.Now}, nil
}

// sign gives an address by a canned policy, which holds for the whole of it: who has it can change neither the object nor what
// it is said to be, and has it for no longer than it is valid.
func (e *edge) sign(key Key, valid time.Duration, headers http.Header) (string, error) {
	address := e.origin + config.DownloadPath + key.String()
	if wanted := overrides(headers).Encode(); wanted != "" {
		// A plus sign is a space to S3 and a plus sign to signatures.
		address += "?" + strings.ReplaceAll(wanted, "+", "%20")
	}
	signed, err := e.signer.Sign(address, e.now().Add(valid))
	if err != nil {
		return "", fmt.Errorf("sign the download of %s: %w", key, err)
	}
	return signed, nil
}

// overrides are the headers that S3 is to answer with in place of its own, as it wants to be asked for them.
func overrides(headers http.Header) url.Values {
	wanted := url.Values{}
	for _, name := range []string{"content-type", "content-disposition", "cache-control"} {
		if value := headers.Get(name); value != "" {
			wanted.Set("response-"+name, value)
		}
	}
	return wanted
}
