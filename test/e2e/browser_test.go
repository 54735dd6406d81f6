package e2e

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// browserTimeout bounds the whole run of the browser's tests.
const browserTimeout = 15 * time.Minute

// The front end's own tests (app/web/e2e) drive a real browser; here they get a real panel to drive it against.
func TestInABrowser(t *testing.T) {
	// Not beside other tests: browsers take both processors.
	s := newStack(t, "mvp")
	s.up()
	ctx, cancel := context.WithTimeout(t.Context(), browserTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "npm", "run", "--silent", "e2e")
	command.Dir = "../../app/web"
	command.Env = append(os.Environ(), "RAD_URL="+s.url)
	// npm's children are told to end, and given the time to close the browser.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 20 * time.Second
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}
