package main

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/radpanel/radpanel/app/config"
	"github.com/radpanel/radpanel/app/file"
)

// moveInterval is how long a move of files rests when it was broken off, or is done: another instance may leave more.
const moveInterval = time.Minute

// files is the file store, and what moves there from the disk.
type files struct {
	// Shared is the file store, with what the other stack of a promotion has.
	*file.Shared

	disk *file.Disk
	// moving is nil where the disk is the store.
	moving *file.Moving
	log    *slog.Logger
	moved  prometheus.Counter
	bytes  prometheus.Counter
}

func openFiles(cfg config.Config, log *slog.Logger, registry prometheus.Registerer) (*files, error) {
	disk, err := file.OpenDisk(cfg.FilesDirectory)
	if err != nil {
		return nil, err
	}
	f := &files{Shared: &file.Shared{Store: disk}, disk: disk, log: log}
	if cfg.FileStore == config.FileStoreDisk {
		return f, nil
	}
	bucket, err := file.OpenS3(cfg)
	if err != nil {
		return nil, err
	}
	f.moving = &file.Moving{New: bucket, Old: disk}
	f.Shared = &file.Shared{Store: f.moving}
	f.moved = prometheus.NewCounter(prometheus.CounterOpts{Name: "radpanel_files_moved_total", Help: "Objects moved from the disk to the file store."})
	f.bytes = prometheus.NewCounter(prometheus.CounterOpts{Name: "radpanel_files_moved_bytes_total", Help: "Bytes moved from the disk to the file store."})
	registry.MustRegister(f.moved, f.bytes)
	return f, nil
}

func peerToken(cfg config.Config) (string, error) {
	key, err := base64.StdEncoding.DecodeString(cfg.EncryptionKey.Reveal())
	if err != nil {
		return "", errors.New("RAD_ENCRYPTION_KEY: expected base64") // Without the value.
	}
	return file.PeerToken(key), nil
}

// move moves what lies on the disk to the store, until ctx ends.
func (f *files) move(ctx context.Context) {
	if f.moving == nil {
		return
	}
	tick := time.NewTicker(moveInterval)
	defer tick.Stop()
	for {
		moved := 0
		err := f.moving.Move(ctx, func(info file.Info) {
			moved++
			f.moved.Inc()
			f.bytes.Add(float64(info.Size))
		})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			f.log.WarnContext(ctx, "files were not all moved to the file store; going on later", "moved", moved, "error", err)
		case moved > 0:
			f.log.InfoContext(ctx, "files were moved to the file store", "moved", moved)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Close closes what the disk's store holds open.
func (f *files) Close() error { return f.disk.Close() }
