package tenants

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// Follow reads a file, and follows it from then on: the kernel tells of every change in its
// directory. A file that is not there has no tenants. One that cannot be read is an error
// here; later, the last one that could be read goes on to count, and that is told.
func Follow(f File, log *slog.Logger) (*Registry, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("tenants: no changes could be seen: %w; look at the sysctl fs.inotify.max_user_instances", err)
	}
	w := &follower{file: f, log: log, registry: NewRegistry(), watcher: watcher}
	// What changes between the two is told of.
	if err := watcher.Add(filepath.Dir(string(f))); err != nil {
		return nil, errors.Join(fmt.Errorf("tenants: %s: %w", f, err), watcher.Close())
	}
	if err := w.read(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("tenants: %w", err), watcher.Close())
	}
	var inside sync.WaitGroup
	inside.Go(w.follow)
	w.registry.stop = sync.OnceFunc(func() {
		if err := watcher.Close(); err != nil {
			log.Warn("the file of tenants is followed no longer, and that did not end well", "error", err)
		}
		inside.Wait()
	})
	return w.registry, nil
}

type follower struct {
	file     File
	log      *slog.Logger
	registry *Registry
	watcher  *fsnotify.Watcher
	last     stamp // of the file that was read
	seen     bool  // there was a file
}

func (w *follower) follow() {
	for {
		select {
		case _, open := <-w.watcher.Events:
			if !open {
				return
			}
		case err, open := <-w.watcher.Errors: // some were lost, say
			if !open {
				return
			}
			w.log.Warn("changes of the file of tenants may have been missed; it is read anew", "error", err)
			w.last = stamp{}
		}
		w.look()
	}
}

// look reads the file if it is another. What is told are changes of the directory: the file
// may be a link to what another name there leads to.
func (w *follower) look() {
	if len(w.watcher.WatchList()) == 0 {
		if err := w.watcher.Add(filepath.Dir(string(w.file))); err != nil {
			w.broken(fmt.Errorf("its directory is gone, and no change of it will be seen: %w; start the service anew", err))
			return
		}
	}
	var stat unix.Stat_t
	err := unix.Stat(string(w.file), &stat)
	if err != nil {
		if !w.seen && errors.Is(err, unix.ENOENT) { // there never was one
			return
		}
		w.last = stamp{}
		w.broken(&fs.PathError{Op: "stat", Path: string(w.file), Err: err})
		return
	}
	if stampOf(&stat) == w.last {
		return
	}
	if err := w.read(); err != nil {
		w.broken(err)
		return
	}
	w.log.Info("the file of tenants was read", "file", string(w.file), "tenants", len(w.registry.Names()), "keys", w.registry.Keys())
}

func (w *follower) read() error {
	d, at, err := w.file.load()
	w.last = at
	if err != nil {
		return err
	}
	w.seen = true
	w.registry.Use(d)
	return nil
}

// broken keeps what was good, and says so once for each reason.
func (w *follower) broken(err error) {
	before := w.registry.Broken()
	w.registry.breaks(err)
	if before == nil || before.Error() != err.Error() {
		w.log.Error("the file of tenants cannot be used: keys and limits stay as they were before it changed, also those that were revoked in it", "file", string(w.file), "error", err)
	}
}
