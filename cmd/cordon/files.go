package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"cordon/store"
)

const (
	filesDir     = "files"         // below the state directory
	buildsDir    = "builds"        // likewise
	fileMax      = 256 << 20       // bytes of one file
	filesMax     = 1 << 16         // files, for small ones cost more than their bytes
	filesSweeper = 5 * time.Minute // between two looks for files that nobody has used for long
)

// filesBytes is how much may be kept; 0: nothing.
func (c *config) filesBytes() (int64, error) {
	var s size
	if err := s.Set(c.FilesBytes); err != nil {
		return 0, fmt.Errorf("files-bytes: %q given, a size such as 512M is wanted, or 0 to keep no files", c.FilesBytes)
	}
	return int64(s), nil
}

// buildsBytes is how much of what builds leave is kept.
func (c *config) buildsBytes() (int64, error) {
	var s size
	if err := s.Set(c.BuildsBytes); err != nil {
		return 0, fmt.Errorf("builds-bytes: %q given, a size such as 512M is wanted, or 0 to keep none", c.BuildsBytes)
	}
	return int64(s), nil
}

func (c *config) filesTTL() (time.Duration, error) {
	d, err := time.ParseDuration(c.FilesTTL)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("files-ttl: %q given, a duration such as 24h is wanted, or 0 for no end", c.FilesTTL)
	}
	return d, nil
}

func (c *config) checkFiles() error {
	if _, err := c.filesBytes(); err != nil {
		return err
	}
	if _, err := c.snippetsAt(); err != nil {
		return err
	}
	_, err := c.filesTTL()
	return err
}

// openFiles opens the store of the service, or none.
func openFiles(c *config, logger *slog.Logger) (*store.Store, error) {
	bytes, err := c.filesBytes()
	if err != nil || bytes == 0 {
		return nil, err
	}
	ttl, err := c.filesTTL()
	if err != nil {
		return nil, err
	}
	files, err := store.Open(store.Config{Dir: filepath.Join(c.State, filesDir), MaxBytes: bytes, MaxFiles: filesMax, MaxFileBytes: fileMax, TTL: ttl, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("files: %w; --files-bytes 0 does without", err)
	}
	return files, nil
}

// sweepFiles removes what nobody has used for long, until ctx is done.
func sweepFiles(ctx context.Context, files *store.Store) {
	ticker := time.NewTicker(filesSweeper)
	defer ticker.Stop()
	for {
		files.Sweep()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
