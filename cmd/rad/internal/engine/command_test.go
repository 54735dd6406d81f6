package engine

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radpanel/radpanel/cmd/rad/internal/filelock"
	"github.com/radpanel/radpanel/cmd/rad/internal/pulumicli"
)

// fake gives a command that runs a shell script instead of pulumi.
func fake(t *testing.T, body string) *command {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pulumi")
	// Written by a child: a file that this process has open for writing while another test forks cannot be run.
	write := exec.CommandContext(t.Context(), "sh", "-c", `cat > "$1" && chmod 700 "$1"`, "sh", path)
	write.Stdin = strings.NewReader("#!/bin/sh\n" + body + "\n")
	require.NoError(t, write.Run())
	return &command{cli: pulumicli.CLI{Path: path}}
}

// watcher is a writer that tells once a word was written.
type watcher struct {
	word string
	seen chan struct{}
	text strings.Builder
}

func (w *watcher) Write(content []byte) (int, error) {
	before := strings.Contains(w.text.String(), w.word)
	w.text.Write(content)
	if !before && strings.Contains(w.text.String(), w.word) {
		close(w.seen)
	}
	return len(content), nil
}

func TestRunGivesOutputAndExitCode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body, stdout, stderr string
		code                       int
	}{
		{"well", "echo out; echo err >&2", "out\n", "err\n", 0},
		{"failure", "echo why >&2; exit 255", "", "why\n", 255},
		{"arguments", `echo "$@"`, "--non-interactive up --yes\n", "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code, err := fake(t, test.body).Run(t.Context(), t.TempDir(), nil, nil, nil, nil, "up", "--yes")
			assert.Equal(t, test.stdout, stdout)
			assert.Equal(t, test.stderr, stderr)
			assert.Equal(t, test.code, code)
			assert.Equal(t, test.code != 0, err != nil)
		})
	}
}

func TestRunKeepsTheUsersPulumiVariablesFromTheEngine(t *testing.T) {
	t.Parallel()
	kept := inherited([]string{"PATH=/bin", "PULUMI_CONFIG_PASSPHRASE=other", "PULUMI_BACKEND_URL=s3://other", "HOME=/root", "XPULUMI_=1"})
	assert.Equal(t, []string{"PATH=/bin", "HOME=/root", "XPULUMI_=1"}, kept)

	stdout, _, _, err := fake(t, "env").Run(t.Context(), t.TempDir(), nil, nil, nil, []string{"PULUMI_BACKEND_URL=file:///mine"}, "up")
	require.NoError(t, err)
	assert.Contains(t, stdout, "PULUMI_BACKEND_URL=file:///mine\n")
}

func TestRunAnswersWhatRadKnowsWithoutStartingPulumi(t *testing.T) {
	t.Parallel()
	never := fake(t, "exit 1")
	for _, arguments := range [][]string{{"stack", "select", "--stack", "x"}, {"stack", "output", "--json"}, {"stack", "history", "--json"}} {
		_, _, code, err := never.Run(t.Context(), "", nil, nil, nil, nil, arguments...)
		require.NoError(t, err, arguments)
		assert.Zero(t, code)
	}
	for _, arguments := range [][]string{{"stack", "init", "x"}, {"stack", "rm", "x"}, {"up"}} {
		_, _, _, err := never.Run(t.Context(), "", nil, nil, nil, nil, arguments...)
		require.Error(t, err, arguments)
	}
}

func TestAnEndedContextAsksPulumiOnceAndWaitsForIt(t *testing.T) {
	t.Parallel()
	c := fake(t, `trap 'echo asked; sleep 0.2; echo ended; exit 3' INT; echo ready; while :; do sleep 0.05; done`)
	ready := &watcher{word: "ready", seen: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-ready.seen
		cancel()
	}()
	stdout, _, code, err := c.Run(ctx, t.TempDir(), nil, []io.Writer{ready}, nil, nil, "up")
	require.Error(t, err)
	assert.Equal(t, 3, code)
	assert.Equal(t, "ready\nasked\nended\n", stdout)
}

func TestForceEndsAPulumiThatDoesNotListen(t *testing.T) {
	t.Parallel()
	c := fake(t, `trap 'echo asked' INT; echo ready; while :; do sleep 0.05; done`)
	force := make(chan struct{})
	c.force = force
	ready := &watcher{word: "ready", seen: make(chan struct{})}
	asked := &watcher{word: "asked", seen: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-ready.seen
		cancel()
		<-asked.seen
		close(force)
	}()
	start := time.Now()
	_, _, code, err := c.Run(ctx, t.TempDir(), nil, []io.Writer{ready, asked}, nil, nil, "up")
	require.Error(t, err)
	assert.Equal(t, -1, code)
	assert.Less(t, time.Since(start), 30*time.Second)
}

func TestPulumiIsOutOfReachOfTheTerminalsSignals(t *testing.T) {
	t.Parallel()
	stdout, _, _, err := fake(t, `cut -d" " -f5 /proc/$$/stat`).Run(t.Context(), t.TempDir(), nil, nil, nil, nil, "up")
	require.NoError(t, err)
	assert.NotEqual(t, strconv.Itoa(syscall.Getpgrp()), strings.TrimSpace(stdout), "the terminal signals a whole process group")
}

func TestRunHoldsTheLockThroughItsChild(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stack.lock")
	lock, err := filelock.Acquire(path, "test")
	require.NoError(t, err)
	c := fake(t, "echo ready; exec sleep 60")
	c.lock = lock.File()
	ready := &watcher{word: "ready", seen: make(chan struct{})}
	force := make(chan struct{})
	c.force = force
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, _, _ = c.Run(ctx, t.TempDir(), nil, []io.Writer{ready}, nil, nil, "up")
	}()
	<-ready.seen
	require.NoError(t, lock.Release())
	_, err = filelock.Acquire(path, "other")
	var held *filelock.HeldError
	assert.ErrorAs(t, err, &held, "the child holds it: %v", err)
	cancel()
	<-ended
	again, err := filelock.Acquire(path, "other")
	require.NoError(t, err)
	require.NoError(t, again.Release())
}
