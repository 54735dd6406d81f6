package hostboot

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/infra/machine"
)

const (
	acmeName      = "acme.test"
	acmeAddress   = cloudAddress + ":14000"
	acmeConsole   = cloudAddress + ":15000"
	dnsAddress    = "127.0.0.1:8053"
	dnsConsole    = "127.0.0.1:8055"
	hostAddress   = "169.254.169.1" // where the authority finds every name
	certificateOf = 10 * 24 * time.Hour
)

// startACME runs Let's Encrypt's certificate authority for tests, and the DNS that it asks, and gives the address of its
// directory. Its certificates end so soon that each is due to be renewed from the beginning.
func (c *cloud) startACME() string {
	c.t.Helper()
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": acmeAddress, "managementListenAddress": acmeConsole, "certificate": c.certificate, "privateKey": c.key,
		"httpPort": 80, "tlsPort": 443, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "of a test", "validityPeriod": int(certificateOf.Seconds())}},
	}})
	require.NoError(c.t, err)
	file := filepath.Join(c.folder, "pebble.json")
	require.NoError(c.t, os.WriteFile(file, config, 0o600))
	c.background("pebble-challtestsrv", "-defaultIPv4", hostAddress, "-defaultIPv6", "", "-dnsserver", dnsAddress, "-management", dnsConsole,
		"-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
	c.background("pebble", "-config", file, "-dnsserver", dnsAddress)
	return "https://" + acmeName + ":14000/dir"
}

// background runs a program of ours in the cloud's network until the test ends.
func (c *cloud) background(name string, arguments ...string) {
	c.t.Helper()
	program, err := filepath.Abs("../../bin/" + name)
	require.NoError(c.t, err)
	command := exec.CommandContext(context.Background(), "ip", append([]string{"netns", "exec", c.network.name, program}, arguments...)...)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "PEBBLE_VA_NOSLEEP=1"}
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	ended := start(c.t, command, syscall.SIGKILL)
	c.t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
		if c.t.Failed() {
			c.t.Logf("%s:\n%s", name, said.String()[max(0, said.Len()-4000):])
		}
	})
}

// authorityRoots gives those by which the authority's certificates are trusted.
func (b *booted) authorityRoots() *x509.CertPool {
	b.Helper()
	transport := b.cloud.network.transport(nil)
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	defer transport.CloseIdleConnections()
	roots := x509.NewCertPool()
	require.EventuallyWithT(b, func(collect *assert.CollectT) {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "https://"+acmeConsole+"/roots/0", nil)
		require.NoError(collect, err)
		response, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(request)
		require.NoError(collect, err)
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		require.NoError(collect, err)
		require.True(collect, roots.AppendCertsFromPEM(text), "%s", text)
	}, time.Minute, 100*time.Millisecond)
	return roots
}

// shown gives the certificate that the web server shows, if a browser that knows the authority trusts it.
func (b *booted) shown(roots *x509.CertPool) (*x509.Certificate, error) {
	transport := b.network.transport(map[string]string{panelName + ":443": "127.0.0.1:443"})
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+panelName+machine.NginxServiceHealthPath, nil)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %s", response.Status)
	}
	return response.TLS.PeerCertificates[0], nil
}

// getsCertificates waits until the web server shows a certificate of the authority, and then one that has taken its place,
// without a request that is lost.
func (b *booted) getsCertificates() {
	b.Helper()
	roots := b.authorityRoots()
	var first *x509.Certificate
	b.awaits(5*time.Minute, "a certificate of the authority", func() (err error) {
		first, err = b.shown(roots)
		return err
	})
	assert.Equal(b, []string{panelName}, first.DNSNames)
	stop, asked := make(chan struct{}), 0
	var lost []error
	var group sync.WaitGroup
	group.Go(func() { // Each on a connection of its own.
		for {
			select {
			case <-stop:
				return
			default:
			}
			asked++
			if _, err := b.shown(roots); err != nil {
				lost = append(lost, err)
			}
		}
	})
	out, err := b.container.try(b.Context(), "systemctl", "start", "radpanel-certificate.service")
	require.NoError(b, err, "%s", out)
	b.awaits(3*time.Minute, "the renewed certificate", func() error {
		second, err := b.shown(roots)
		if err == nil && second.SerialNumber.Cmp(first.SerialNumber) == 0 {
			err = errors.New("the first is still shown")
		}
		return err
	})
	close(stop)
	group.Wait()
	assert.Empty(b, lost, "of %d requests", asked)
	b.Logf("renewed under %d requests, of which none was lost", asked)
}
