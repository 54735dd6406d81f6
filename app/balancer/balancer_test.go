package balancer_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/app/balancer"
)

// door is a real nginx before two instances, of which it was told at its start that the second one hangs.
type door struct {
	*testing.T
	options balancer.Options
	url     string
	pid     int
}

func newDoor(t *testing.T) *door {
	t.Helper()
	folder := t.TempDir()
	d := &door{T: t, options: balancer.Options{
		File: filepath.Join(folder, "backends.conf"), PIDFile: filepath.Join(folder, "nginx.pid"),
		Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
	}}
	for _, name := range []string{"first", "second"} {
		instance := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
		t.Cleanup(instance.Close)
		d.options.Backends = append(d.options.Backends, strings.TrimPrefix(instance.URL, "http://"))
	}
	d.write(d.options.File, fmt.Sprintf("server %s;\nserver %s down;\n", d.options.Backends[0], d.options.Backends[1]))
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // At once.
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	d.url = "http://" + address
	configuration := filepath.Join(folder, "nginx.conf")
	d.write(configuration, fmt.Sprintf(`daemon off;
pid %[1]s/nginx.pid;
error_log stderr error;
events { }
http {
    access_log off;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    upstream service { include %[2]s; }
    server {
        listen %[3]s;
        location / { proxy_pass http://service; }
    }
}
`, folder, d.options.File, address))
	program, err := exec.LookPath("nginx")
	if err != nil { // Who is not root may not have it in PATH.
		program = "/usr/sbin/nginx"
	}
	nginx := exec.CommandContext(context.WithoutCancel(t.Context()), program, "-e", "stderr", "-p", folder, "-c", configuration)
	nginx.Stderr = os.Stderr
	require.NoError(t, nginx.Start())
	t.Cleanup(func() {
		assert.NoError(t, nginx.Process.Signal(syscall.SIGINT))
		assert.NoError(t, nginx.Wait())
	})
	d.pid = nginx.Process.Pid
	d.eventually(func() bool { return d.ask() == "first" }, "nginx answers")
	return d
}

func (d *door) write(path, text string) {
	d.Helper()
	require.NoError(d, os.WriteFile(path, []byte(text), 0o600))
}

func (d *door) eventually(so func() bool, what string) {
	d.Helper()
	require.Eventually(d, so, 20*time.Second, 10*time.Millisecond, what)
}

// ask tells which instance answered.
func (d *door) ask() string {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(d.url) //nolint:noctx // Bounded.
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

// watch runs a new process of the balancer's health, as it were, until the test ends.
func (d *door) watch() {
	d.Helper()
	watcher, err := balancer.New(d.options)
	require.NoError(d, err)
	ctx, cancel := context.WithCancel(d.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		watcher.Run(ctx)
	}()
	d.Cleanup(func() {
		cancel()
		<-done
	})
}

func (d *door) awaitSecond() {
	d.Helper()
	d.eventually(func() bool { return d.ask() == "second" }, "the second instance gets requests")
}

func TestAnInstanceComesBackWhenWhoeverTookItOutWasKilled(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.watch()
	d.awaitSecond()
}

func TestNginxIsToldUntilItHears(t *testing.T) {
	t.Parallel()
	ended := exec.CommandContext(t.Context(), "true")
	require.NoError(t, ended.Run())
	for name, left := range map[string]string{
		"no id yet": "", "an id half written": "\n", "the id of one that was killed": strconv.Itoa(ended.Process.Pid) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			// It has read the file already.
			d.options.PIDFile += ".late"
			if left != "" {
				d.write(d.options.PIDFile, left)
			}
			probed := make(chan struct{}, 100)
			third := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { probed <- struct{}{} }))
			t.Cleanup(third.Close)
			d.options.Backends = append(d.options.Backends, strings.TrimPrefix(third.URL, "http://")+" backup")
			d.watch()
			for range 3 { // The first probes are over.
				<-probed
			}
			assert.NotEqual(t, "second", d.ask())
			d.write(d.options.PIDFile, strconv.Itoa(d.pid)+"\n")
			d.awaitSecond()
		})
	}
}
