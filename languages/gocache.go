package languages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// goID is the language that has a prepared compiler cache. Go ships no compiled
// standard library: with an empty cache even a ten-line program compiles the
// packages it imports first, which costs ten seconds of CPU and 36 MB of
// scratch. With the prepared cache it costs 0.2 s.
const goID = "go"

// goStamp is the file in a finished cache that tells what it was made by.
const goStamp = "cordon-stamp"

// GoCacheInRoot is where a root shows the directory that PrepareGo filled.
const GoCacheInRoot = "/var/cache/cordon/go"

// UseGoCache tells that every cell's root shows a directory filled by PrepareGo
// at this path (GoCacheInRoot), read-only. Plans made afterwards use it.
func (s *Set) UseGoCache(pathInRoot string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.goCache = pathInRoot
}

// PrepareGo fills dir with a Go build cache that holds the standard library,
// readable by everyone. It does nothing when dir already holds the cache of this
// Go. It takes half a minute of CPU and 170 MB of disk the first time. Without a
// Go that jobs can see the error is ErrMissing, and builds work as well, only
// slowly, without the cache.
//
// Call it before a root that shows dir is made: an old cache is replaced as a
// whole. Only one process may prepare the same dir at a time.
func PrepareGo(ctx context.Context, dir string) error {
	s, err := Load()
	if err != nil {
		return err
	}
	return prepareGo(ctx, dir, s.byName[goID], "std")
}

func prepareGo(ctx context.Context, dir string, l *language, packages ...string) error {
	f := newFinder()
	name, err := f.tool(l.Tools[0])
	if err != nil {
		return fmt.Errorf("%w: go: %w", ErrMissing, err)
	}
	tool, err := f.resolve(name)
	if err != nil {
		return fmt.Errorf("%w: go: %w", ErrMissing, err)
	}
	// Beside dir, so that a rename is enough in the end.
	scratch, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".new-")
	if err != nil {
		return fmt.Errorf("prepare Go: %w", err)
	}
	defer os.RemoveAll(scratch)
	// What goes into the cache's keys, besides the sources in GOROOT.
	stamp, err := goCommand(ctx, tool, scratch, "env", "GOVERSION", "GOROOT", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "CGO_ENABLED")
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(filepath.Join(dir, goStamp)); err == nil && bytes.Equal(old, stamp) {
		return nil
	}
	if _, err := goCommand(ctx, tool, scratch, append([]string{"build"}, packages...)...); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(scratch, "cache", goStamp), stamp, 0o644); err != nil {
		return fmt.Errorf("prepare Go: %w", err)
	}
	if err := openForReading(filepath.Join(scratch, "cache")); err != nil {
		return fmt.Errorf("prepare Go: %w", err)
	}
	if err := os.Rename(dir, filepath.Join(scratch, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("prepare Go: %w", err)
	}
	if err := os.Rename(filepath.Join(scratch, "cache"), dir); err != nil {
		return fmt.Errorf("prepare Go: %w", err)
	}
	return nil
}

// goCommand runs the go command as a job's build does, with its cache at
// scratch/cache and everything else it writes beside that. The settings that
// are part of the cache's keys have to be those of data/go.yaml.
func goCommand(ctx context.Context, tool, scratch string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir = scratch
	// Without HOME the go command keeps no telemetry and leaves no process behind
	// that would do so.
	cmd.Env = []string{
		"PATH=" + Path, "LANG=C.UTF-8",
		"GOCACHE=" + filepath.Join(scratch, "cache"), "GOPATH=" + filepath.Join(scratch, "gopath"), "GOTMPDIR=" + scratch,
		"GOENV=off", "GOTOOLCHAIN=local", "GOPROXY=off", "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("prepare Go: go %s: %w: %s", strings.Join(args, " "), err, firstLine(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// openForReading lets every ID read below dir: jobs have other IDs than the
// owner, and the umask may be strict.
func openForReading(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
}
