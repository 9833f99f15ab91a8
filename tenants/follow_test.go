package tenants

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// await waits for something that another goroutine does; a minute is a hang.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("never: %s", what)
		}
	}
}

func followed(t *testing.T, f File) (*Registry, *testkit.Journal) {
	t.Helper()
	log := &testkit.Journal{}
	r, err := Follow(f, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, log
}

// make adds a tenant with a key, and gives that.
func (f File) make(t *testing.T, name string) (text string) {
	t.Helper()
	err := f.Edit(func(d *Document) (err error) {
		if _, err := d.Set(name, time.Now(), func(*Limits) error { return nil }); err != nil {
			return err
		}
		text, _, err = d.AddKey(name, "", DefaultScopes, time.Now(), time.Time{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestFollow(t *testing.T) {
	f := File(filepath.Join(t.TempDir(), FileName))
	r, log := followed(t, f)
	good := func(text string) func() bool {
		return func() bool { _, known := r.Authenticate(text); return known }
	}
	key := f.make(t, "a") // there was no file
	await(t, "a key that was added is good", good(key))
	other := f.make(t, "b")
	await(t, "another", good(other))
	// A file that cannot be used: what was good goes on to count, and it is told.
	text, err := os.ReadFile(string(f))
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func() error{
		"not JSON":       func() error { return os.WriteFile(string(f), []byte("{"), 0o600) },
		"empty":          func() error { return os.WriteFile(string(f), nil, 0o600) },
		"not there":      func() error { return os.Remove(string(f)) },
		"others read it": func() error { return os.Chmod(string(f), 0o640) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		await(t, name+" is seen", func() bool { return r.Broken() != nil })
		if !good(key)() {
			t.Errorf("%s: what was good is not", name)
		}
		if name != "not there" {
			if err := f.Edit(func(*Document) error { return nil }); err == nil {
				t.Errorf("%s: it was changed", name)
			}
		}
		if err := replace(string(f), text); err != nil {
			t.Fatal(err)
		}
		await(t, name+" is mended", func() bool { return r.Broken() == nil })
	}
	if n := strings.Count(log.String(), "level=ERROR"); n < 4 {
		t.Errorf("%d errors in the log:\n%s", n, log)
	}
	if strings.Contains(log.String(), key) {
		t.Error("a key is in the log")
	}
	if err := f.Edit(func(d *Document) error { _, err := d.Revoke(idOf(key), time.Now()); return err }); err != nil {
		t.Fatal(err)
	}
	await(t, "a revoked key is not good", func() bool { return !good(key)() })
	if !good(other)() {
		t.Error("nor is another")
	}
	r.Close()
	r.Close()
}

// A volume of secrets is changed by another name in the directory, to which the file is a
// link.
func TestFollowLinks(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"1", "2"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	first, second := File(filepath.Join(dir, "1", "t")), File(filepath.Join(dir, "2", "t"))
	one, two := first.make(t, "a"), second.make(t, "a")
	if err := errors.Join(os.Symlink("1", filepath.Join(dir, "data")), os.Symlink("data/t", filepath.Join(dir, "t"))); err != nil {
		t.Fatal(err)
	}
	r, _ := followed(t, File(filepath.Join(dir, "t")))
	if _, known := r.Authenticate(one); !known {
		t.Fatal("control: the first is not good")
	}
	if err := errors.Join(os.Symlink("2", filepath.Join(dir, "new")), os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "data"))); err != nil {
		t.Fatal(err)
	}
	await(t, "the second is good", func() bool { _, known := r.Authenticate(two); return known })
	if _, known := r.Authenticate(one); known {
		t.Error("the first is good still")
	}
}

func TestFollowRefused(t *testing.T) {
	dir := t.TempDir()
	f := File(filepath.Join(dir, "t"))
	if err := os.WriteFile(string(f), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Follow(f, nil); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("a start with a file that cannot be used: %v", err)
	}
	if _, err := Follow(File(filepath.Join(dir, "none", "t")), nil); err == nil {
		t.Error("a start without the directory")
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := File(filepath.Join(dir, "d")).Load(); err == nil {
		t.Error("a directory was read")
	}
	// What another user, root before all, makes in the service's directory it could not read.
	if err := File("/proc/" + FileName).Edit(func(*Document) error { return nil }); err == nil || os.Geteuid() != 0 && !strings.Contains(err.Error(), "belongs to user 0") {
		t.Errorf("in another user's directory: %v", err)
	}
	if _, err := File(filepath.Join(dir, "x")).Load(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Of many changes at once none is lost, and a file is never seen half written.
func TestEditAtOnce(t *testing.T) {
	f := File(filepath.Join(t.TempDir(), "made", FileName))
	f.make(t, "a")
	done := make(chan struct{})
	var readers, writers sync.WaitGroup
	readers.Go(func() {
		for {
			if _, err := f.Load(); err != nil {
				t.Error(err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for range 8 {
		writers.Go(func() {
			for range 5 {
				if err := f.Edit(func(d *Document) error {
					_, _, err := d.AddKey("a", "", DefaultScopes, time.Now(), time.Time{})
					return err
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	d, err := f.Load()
	if err != nil || len(d.Tenants[0].Keys) != 41 {
		t.Fatalf("%v, %d keys", err, len(d.Tenants[0].Keys))
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(string(f)), ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("%v is left: %v", left, err)
	}
	info, err := os.Stat(string(f))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	// What fails changes nothing.
	before, _ := os.ReadFile(string(f))
	for name, change := range map[string]func(*Document) error{"an error": func(d *Document) error { d.Tenants = nil; return errors.New("no") },
		"a bad document": func(d *Document) error { d.Tenants[0].Name = "/"; return nil }} {
		if err := f.Edit(change); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if after, _ := os.ReadFile(string(f)); string(after) != string(before) {
		t.Error("the file has changed")
	}
}
