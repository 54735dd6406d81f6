package host

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/radpanel/radpanel/app/config"
)

// Certificate is one with its key, both in PEM.
type Certificate struct {
	Chain string
	Key   config.Secret
}

const (
	certificateFile = "certificate.pem"
	keyFile         = "key.pem"
)

// loadCertificate gives the certificate authority's certificate for the names, or, until there is one, one that the host
// has signed itself and keeps in folder, made now if need be.
func loadCertificate(issued, folder string, names []string, now time.Time) (Certificate, error) {
	if c, err := readCertificate(filepath.Join(issued, "fullchain.pem"), filepath.Join(issued, "privkey.pem"), names, now); err == nil {
		return c, nil
	}
	chain, key := filepath.Join(folder, certificateFile), filepath.Join(folder, keyFile)
	if c, err := readCertificate(chain, key, names, now); err == nil {
		return c, nil
	}
	c, err := selfSigned(names, now)
	if err != nil {
		return c, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return c, fmt.Errorf("self-signed certificate: %w", err)
	}
	return c, errors.Join(writeFile(File{Path: key, Text: c.Key.Reveal(), Mode: 0o600}), writeFile(File{Path: chain, Text: c.Chain, Mode: 0o644}))
}

// readCertificate gives the certificate if it is for the names and has not ended.
func readCertificate(chain, key string, names []string, now time.Time) (Certificate, error) {
	chainText, err := os.ReadFile(chain) //nolint:gosec // A path of the host's own.
	if err != nil {
		return Certificate{}, err
	}
	keyText, err := os.ReadFile(key) //nolint:gosec // A path of the host's own.
	if err != nil {
		return Certificate{}, err
	}
	pair, err := tls.X509KeyPair(chainText, keyText)
	if err != nil {
		return Certificate{}, fmt.Errorf("certificate %s: %w", chain, err)
	}
	for _, name := range names {
		if err := pair.Leaf.VerifyHostname(name); err != nil {
			return Certificate{}, fmt.Errorf("certificate %s: %w", chain, err)
		}
	}
	if now.After(pair.Leaf.NotAfter) {
		return Certificate{}, fmt.Errorf("certificate %s: it ended %s", chain, pair.Leaf.NotAfter)
	}
	return Certificate{Chain: string(chainText), Key: config.Secret(keyText)}, nil
}

// selfSigned makes one that no browser trusts, but that lets the web server start.
func selfSigned(names []string, now time.Time) (Certificate, error) {
	if len(names) == 0 {
		return Certificate{}, fs.ErrInvalid
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificate{}, fmt.Errorf("self-signed certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return Certificate{}, fmt.Errorf("self-signed certificate: %w", err)
	}
	template := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "RAD Panel, until a certificate is issued"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if address := net.ParseIP(name); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return Certificate{}, fmt.Errorf("self-signed certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Certificate{}, fmt.Errorf("self-signed certificate: %w", err)
	}
	return Certificate{
		Chain: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key:   config.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
	}, nil
}
