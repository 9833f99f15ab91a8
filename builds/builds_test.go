package builds

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func open(t *testing.T, most int64) *Cache[string] {
	t.Helper()
	c, err := Open[string](Config{Dir: filepath.Join(t.TempDir(), "builds"), MaxBytes: most})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(c.config.Dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory is left: %v", err)
		}
	})
	return c
}

// leaves is a build that writes a file with its text.
func leaves(text string, bytes int64, keep bool) func(*os.File) (Left[string], error) {
	return func(dir *os.File) (Left[string], error) {
		err := os.WriteFile(filepath.Join(dir.Name(), "main"), []byte(text), 0o600)
		return Left[string]{Account: text, Bytes: bytes, Keep: keep}, err
	}
}

func get(t *testing.T, c *Cache[string], key string, build func(*os.File) (Left[string], error)) *Build[string] {
	t.Helper()
	b, err := c.Get(t.Context(), key, build)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(b.Dir.Name(), "main"))
	if err != nil || string(text) != b.Account || len(b.Names) != 1 || b.Names[0] != "main" {
		t.Fatalf("%s: %q, %v; %+v", key, text, err, b)
	}
	return b
}

func directories(t *testing.T, c *Cache[string]) int {
	t.Helper()
	entries, err := os.ReadDir(c.config.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestBuiltOnce(t *testing.T) {
	c := open(t, 100)
	first := get(t, c, "a", leaves("one", 10, true))
	second := get(t, c, "a", leaves("two", 10, true))
	if first.Cached || !second.Cached || second.Account != "one" {
		t.Errorf("%+v, %+v", first, second)
	}
	first.Release()
	first.Release() // once is all that counts
	second.Release()
	if b := get(t, c, "a", leaves("three", 10, true)); b.Account != "one" {
		t.Errorf("%+v", b)
	} else {
		b.Release()
	}
	if s := c.Stats(); s != (Stats{Builds: 1, Bytes: 10, Hits: 2, Misses: 1}) {
		t.Errorf("%+v", s)
	}
}

// What is not to be kept, has no key, is larger than all that may be kept, or failed
// is gone with its use.
func TestNotKept(t *testing.T) {
	c := open(t, 100)
	for i, build := range []func(*os.File) (Left[string], error){leaves("x", 10, false), leaves("x", 101, true), leaves("x", 10, true)} {
		key := "a"
		if i == 2 {
			key = ""
		}
		b := get(t, c, key, build)
		if again := get(t, c, key, leaves("y", 10, false)); again.Account != "y" {
			t.Errorf("%d: %+v", i, again)
		} else {
			again.Release()
		}
		b.Release()
		if n := directories(t, c); n != 0 {
			t.Errorf("%d: %d directories are left", i, n)
		}
	}
	want := errors.New("no compiler")
	if _, err := c.Get(t.Context(), "a", func(*os.File) (Left[string], error) { return Left[string]{}, want }); !errors.Is(err, want) {
		t.Error(err)
	}
	if n, s := directories(t, c), c.Stats(); n != 0 || s.Builds != 0 || s.Bytes != 0 {
		t.Errorf("%d directories, %+v", n, s)
	}
}

// The one that nobody has used for the longest goes; one in use never does.
func TestEvicted(t *testing.T) {
	c := open(t, 30)
	used := get(t, c, "used", leaves("used", 10, true))
	for _, key := range []string{"a", "b", "a", "c"} {
		get(t, c, key, leaves(key, 10, true)).Release()
	}
	for key, cached := range map[string]bool{"used": true, "a": true, "c": true} {
		b := get(t, c, key, leaves("again", 0, false))
		if b.Cached != cached {
			t.Errorf("%s: cached %t", key, b.Cached)
		}
		b.Release()
	}
	if s := c.Stats(); s.Evicted != 1 || s.Bytes != 30 {
		t.Errorf("%+v", s)
	}
	large := get(t, c, "large", leaves("large", 30, true))
	if _, err := os.Stat(filepath.Join(used.Dir.Name(), "main")); err != nil {
		t.Errorf("one in use was removed: %v", err)
	}
	used.Release()
	large.Release()
	if s := c.Stats(); s.Bytes > 30 || int64(directories(t, c)) != s.Builds {
		t.Errorf("%+v, %d directories", s, directories(t, c))
	}
}

// Who waits for another's build has it, or makes it when the other's came to nothing;
// who does not want to wait any more goes.
func TestOneBuildsForAll(t *testing.T) {
	c := open(t, 100)
	begun, end := make(chan struct{}), make(chan error)
	var wait sync.WaitGroup
	wait.Go(func() {
		_, err := c.Get(t.Context(), "a", func(*os.File) (Left[string], error) {
			close(begun)
			return Left[string]{}, <-end
		})
		if err == nil {
			t.Error("the build failed, and no error")
		}
	})
	<-begun
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(gone, "a", leaves("", 0, true)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var made, got atomic.Int64
	for range 8 {
		wait.Go(func() {
			b, err := c.Get(t.Context(), "a", func(dir *os.File) (Left[string], error) {
				made.Add(1)
				return leaves("late", 10, true)(dir)
			})
			if err != nil || b.Account != "late" {
				t.Errorf("%+v, %v", b, err)
				return
			}
			got.Add(1)
			b.Release()
		})
	}
	time.Sleep(10 * time.Millisecond) // so that most of them wait
	end <- errors.New("killed")
	wait.Wait()
	if made.Load() != 1 || got.Load() != 8 {
		t.Errorf("%d builds for %d", made.Load(), got.Load())
	}
}

// Many at once, of few keys, in too little room: what is given is there until it is
// given back, and in the end the numbers are those of the disk.
func TestManyAtOnce(t *testing.T) {
	c := open(t, 40)
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 1))
			for range 200 {
				key := fmt.Sprint(random.IntN(12))
				b, err := c.Get(t.Context(), key, leaves(key, 10, random.IntN(5) > 0))
				if err != nil {
					t.Error(err)
					return
				}
				if text, err := os.ReadFile(filepath.Join(b.Dir.Name(), "main")); err != nil || string(text) != key {
					t.Errorf("%s: %q, %v", key, text, err)
				}
				b.Release()
			}
		})
	}
	wait.Wait()
	if s := c.Stats(); s.Bytes > 40 || s.Bytes != 10*s.Builds || int64(directories(t, c)) != s.Builds {
		t.Errorf("%+v, %d directories", s, directories(t, c))
	}
}
