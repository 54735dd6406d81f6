package machine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"

	"github.com/radpanel/radpanel/app/config"
)

// WindowKeys are what the host of a database shows to the host of another stack's while the panel is promoted between the
// two, and the authority by which each knows the other. All in PEM.
type WindowKeys struct {
	Certificate string
	Key         config.Secret
	Authority   string
}

// NewWindowKeys gives those of the host at an address. They follow from the secret that only these hosts have, so there is
// nothing to hand over, and nothing to keep: whoever has the secret gets the same, at any time.
func NewWindowKeys(secret config.Secret, address netip.Addr) (WindowKeys, error) {
	fail := func(err error) (WindowKeys, error) {
		return WindowKeys{}, fmt.Errorf("certificate of a promotion: %w", err)
	}
	authorityKey, err := derivedKey(secret, "authority")
	if err != nil {
		return fail(err)
	}
	key, err := derivedKey(secret, "server "+address.String())
	if err != nil {
		return fail(err)
	}
	// They end with the secret, not by the clock.
	from, until := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC)
	issuer := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "RAD Panel, a promotion"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	issued, err := x509.CreateCertificate(nil, issuer, issuer, authorityKey.Public(), authorityKey) // No source of chance: RFC 6979.
	if err != nil {
		return fail(err)
	}
	if issuer, err = x509.ParseCertificate(issued); err != nil {
		return fail(err)
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: address.String()}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{address.AsSlice()},
	}
	shown, err := x509.CreateCertificate(nil, server, issuer, key.Public(), authorityKey)
	if err != nil {
		return fail(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fail(err)
	}
	encode := func(kind string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	return WindowKeys{
		Certificate: encode("CERTIFICATE", shown), Key: config.Secret(encode("PRIVATE KEY", raw)), Authority: encode("CERTIFICATE", issued),
	}, nil
}

// derivedKey gives the key for a purpose.
func derivedKey(secret config.Secret, purpose string) (*ecdsa.PrivateKey, error) {
	var errs []error
	for try := range 4 { // One in four thousand million is no number of the curve's.
		raw, err := hkdf.Key(sha256.New, []byte(secret.Reveal()), nil, fmt.Sprintf("radpanel promotion, %s, %d", purpose, try), 32)
		if err != nil {
			return nil, err
		}
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
		if err == nil {
			return key, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
