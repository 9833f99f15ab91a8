package builds

import (
	"container/list"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Config says where builds are kept, and how many bytes of them. A build that
// somebody uses is kept whatever the bound: what jobs may use at once is bounded by
// their own limits.
type Config struct {
	Dir      string
	MaxBytes int64
}

// Cache keeps builds. T is the account of a build, which is given to everybody who
// gets it. Its methods may be called concurrently.
type Cache[T any] struct {
	config Config
	dir    *os.File

	mu      sync.Mutex
	entries map[string]*entry[T]
	unused  *list.List // of kept entries that nobody uses, least recently used first
	gone    []string   // directories to be removed, by who holds no lock
	stats   Stats
}

// Stats are the numbers a monitor wants.
type Stats struct {
	Builds  int64 // kept, used or not
	Bytes   int64
	Hits    int64 // since the start
	Misses  int64
	Evicted int64
}

type entry[T any] struct {
	key    string
	name   string // of the directory: a cell can read it, and shall learn nothing by it
	done   chan struct{}
	kept   bool // valid after done: it can be used
	build  Build[T]
	users  int
	unused *list.Element
}

// Build is a finished build, in use until Release.
type Build[T any] struct {
	Dir     *os.File // the directory with what was left
	Names   []string // of what lies directly in it
	Bytes   int64
	Account T
	Cached  bool // somebody else's: it was not built for this call

	release func()
}

// Release gives the build back. Dir is not valid any more.
func (b *Build[T]) Release() { b.release() }

// Left is what a build has left in its directory.
type Left[T any] struct {
	Account T
	Bytes   int64
	Keep    bool // others may have it
}

// Open makes the directory, empty.
func Open[T any](c Config) (*Cache[T], error) {
	if err := os.RemoveAll(c.Dir); err != nil {
		return nil, fmt.Errorf("builds: %w", err)
	}
	// Jobs come in by a mount of a build alone, and need no right here.
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("builds: %w", err)
	}
	dir, err := os.Open(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("builds: %w", err)
	}
	return &Cache[T]{config: c, dir: dir, entries: map[string]*entry[T]{}, unused: list.New()}, nil
}

// Get gives the build with this key, or makes it: build gets an empty directory. Calls
// with one key wait for the first of them; where that has left nothing to be kept,
// the next one makes it itself. An empty key is nobody else's. The build is returned
// also when it is not to be kept, and is gone then with its Release.
func (c *Cache[T]) Get(ctx context.Context, key string, build func(dir *os.File) (Left[T], error)) (*Build[T], error) {
	defer c.sweep()
	for {
		e, mine := c.claim(key)
		if mine {
			return c.make(e, build)
		}
		select {
		case <-e.done:
			if b, err := c.use(e); b != nil || err != nil {
				return b, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// claim finds an entry, or enters one that the caller has to make.
func (c *Cache[T]) claim(key string) (e *entry[T], mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key != "" && c.entries[key] != nil {
		return c.entries[key], false
	}
	c.stats.Misses++
	e = &entry[T]{key: key, name: strings.ToLower(rand.Text()), done: make(chan struct{})}
	if key != "" {
		c.entries[key] = e
	}
	return e, true
}

// use takes a finished entry; nil when it was not kept, or is gone meanwhile. Who uses
// it has a descriptor of its own: those that nobody uses have none.
func (c *Cache[T]) use(e *entry[T]) (*Build[T], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !e.kept || c.entries[e.key] != e {
		return nil, nil
	}
	dir, err := os.Open(filepath.Join(c.config.Dir, e.name))
	if err != nil {
		return nil, err
	}
	c.stats.Hits++
	if e.unused != nil {
		c.unused.Remove(e.unused)
		e.unused = nil
	}
	e.users++
	b := e.build
	b.Dir, b.Cached = dir, true
	b.release = c.releasing(e, dir)
	return &b, nil
}

func (c *Cache[T]) releasing(e *entry[T], dir *os.File) func() {
	return sync.OnceFunc(func() {
		dir.Close()
		c.drop(e)
		c.sweep()
	})
}

// make runs a build in a directory of its own.
func (c *Cache[T]) make(e *entry[T], build func(*os.File) (Left[T], error)) (*Build[T], error) {
	b, left, err := c.run(e, build)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(e.done)
	if err != nil {
		c.forget(e)
		c.gone = append(c.gone, e.name)
		return nil, err
	}
	e.build, e.kept, e.users = b, left.Keep && e.key != "" && b.Bytes <= c.config.MaxBytes, 1
	c.stats.Builds++
	c.stats.Bytes += b.Bytes
	if !e.kept {
		c.forget(e)
	} else {
		c.evict() // for one that stays: what is only in use makes nobody go
	}
	b.release = c.releasing(e, b.Dir)
	return &b, nil
}

func (c *Cache[T]) run(e *entry[T], build func(*os.File) (Left[T], error)) (b Build[T], left Left[T], err error) {
	// Everybody may look: to a cell's job the service's user is nobody.
	if err := unix.Mkdirat(int(c.dir.Fd()), e.name, 0o755); err != nil {
		return b, left, &os.PathError{Op: "mkdir", Path: filepath.Join(c.config.Dir, e.name), Err: err}
	}
	dir, err := os.Open(filepath.Join(c.config.Dir, e.name))
	if err != nil {
		return b, left, err
	}
	if left, err = build(dir); err == nil {
		b = Build[T]{Dir: dir, Bytes: left.Bytes, Account: left.Account}
		b.Names, err = dir.Readdirnames(-1)
	}
	if err != nil {
		dir.Close()
	}
	return b, left, err
}

// drop gives one use back.
func (c *Cache[T]) drop(e *entry[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.users--; e.users > 0 {
		return
	}
	if c.entries[e.key] == e && e.kept {
		e.unused = c.unused.PushBack(e)
		c.evict()
		return
	}
	c.destroy(e)
}

// evict removes the builds that nobody has used for the longest.
func (c *Cache[T]) evict() {
	for c.stats.Bytes > c.config.MaxBytes && c.unused.Len() > 0 {
		e := c.unused.Remove(c.unused.Front()).(*entry[T])
		e.unused = nil
		c.stats.Evicted++
		c.forget(e)
		c.destroy(e)
	}
}

func (c *Cache[T]) forget(e *entry[T]) {
	if c.entries[e.key] == e {
		delete(c.entries, e.key)
	}
}

// destroy removes a build that nobody uses and nobody can find.
func (c *Cache[T]) destroy(e *entry[T]) {
	c.stats.Builds--
	c.stats.Bytes -= e.build.Bytes
	c.gone = append(c.gone, e.name)
}

// sweep removes directories. One that cannot be removed goes with the next start.
func (c *Cache[T]) sweep() {
	c.mu.Lock()
	gone := c.gone
	c.gone = nil
	c.mu.Unlock()
	for _, name := range gone {
		_ = os.RemoveAll(filepath.Join(c.config.Dir, name))
	}
}

// Stats reads the numbers.
func (c *Cache[T]) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Close removes everything. Nobody may use a build any more.
func (c *Cache[T]) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.unused.Len() > 0 {
		e := c.unused.Remove(c.unused.Front()).(*entry[T])
		c.forget(e)
		c.destroy(e)
	}
	return errors.Join(c.dir.Close(), os.RemoveAll(c.config.Dir))
}
