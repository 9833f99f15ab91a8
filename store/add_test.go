package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"
)

// TestAdd: what is added is named by its own hash, and is in use until it is closed.
func TestAdd(t *testing.T) {
	o := open(t, Config{MaxBytes: 130, MaxFiles: 10, MaxFileBytes: 80})
	long := strings.Repeat("x", 60)
	f, err := o.Add(t.Context(), 60, iotest.OneByteReader(strings.NewReader(long)))
	if err != nil || f.Sum != sumOf(long) || f.Size != 60 || read(t, f) != long {
		t.Fatalf("%+v, %v", f, err)
	}
	again, err := o.Add(t.Context(), -1, strings.NewReader(long))
	if err != nil || again.Sum != f.Sum || o.Stats().Files != 1 {
		t.Fatalf("the same once more: %+v, %v, %+v", again, err, o.Stats())
	}
	if _, err := o.Add(t.Context(), 80, strings.NewReader(strings.Repeat("y", 80))); !errors.Is(err, ErrFull) {
		t.Errorf("there is no room, and nothing can go: %v", err)
	}
	for _, used := range []*File{f, again} {
		if err := o.Delete(f.Sum); !errors.Is(err, ErrInUse) {
			t.Errorf("in use: %v", err)
		}
		used.Close()
	}
	g, err := o.Add(t.Context(), 80, strings.NewReader(strings.Repeat("y", 80)))
	if err != nil || o.have(f.Sum)[0] {
		t.Errorf("the one that nobody uses makes room: %v", err)
	}
	g.Close()
	o.sound(t)
}

// TestAddRefused: nothing is kept of what is refused.
func TestAddRefused(t *testing.T) {
	o := open(t, Config{MaxBytes: 100, MaxFiles: 10, MaxFileBytes: 60})
	gone := errors.New("the disk went away")
	for name, c := range map[string]struct {
		size int64
		r    io.Reader
		want error
	}{
		"announced large": {61, nil, ErrTooLarge},
		"large":           {-1, endless{}, ErrTooLarge},
		"shorter":         {10, strings.NewReader("short"), ErrMismatch},
		"longer":          {3, strings.NewReader("longer"), ErrMismatch},
		"broken off":      {10, iotest.ErrReader(gone), gone},
	} {
		if f, err := o.Add(t.Context(), c.size, c.r); f != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	for name, d := range map[string]func(*disk){
		"write":  func(d *disk) { d.write = func(*os.File, []byte) (int, error) { return 0, unix.ENOSPC } },
		"sync":   func(d *disk) { d.sync = func(*os.File) error { return unix.EIO } },
		"rename": func(d *disk) { d.rename = func(int, string, string) error { return unix.ENOSPC } },
	} {
		whole := o.disk
		d(&o.disk)
		if f, err := o.Add(t.Context(), 1, strings.NewReader("x")); f != nil || !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EIO) {
			t.Errorf("a disk that refuses to %s: %+v, %v", name, f, err)
		}
		o.disk = whole
	}
	if s := o.Stats(); s.Files != 0 || s.WritingFiles != 0 || s.WritingBytes != 0 {
		t.Errorf("%+v", s)
	}
	o.sound(t)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Add(t.Context(), 1, strings.NewReader("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestNewModes: files of a store that an earlier version has made can be shown to jobs,
// too.
func TestNewModes(t *testing.T) {
	o := open(t, small())
	sum := o.puts(t, "content")[0]
	name := filepath.Join(o.dir, nameOf(sum))
	if err := errors.Join(o.Close(), os.Chmod(name, 0o400)); err != nil {
		t.Fatal(err)
	}
	next := open(t, o.config)
	if info, err := os.Stat(name); err != nil || info.Mode() != keptMode {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	next.sound(t)
}

// TestLinked: a file that has a further name elsewhere, as where a build is kept, goes
// from the store like any other, and stays there.
func TestLinked(t *testing.T) {
	o := open(t, small())
	sum := o.puts(t, "content")[0]
	elsewhere := filepath.Join(t.TempDir(), "linked")
	if err := os.Link(filepath.Join(o.dir, nameOf(sum)), elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := o.Delete(sum); err != nil {
		t.Fatal(err)
	}
	o.puts(t, "content")
	if text, err := os.ReadFile(elsewhere); err != nil || string(text) != "content" {
		t.Errorf("%q, %v", text, err)
	}
	o.sound(t)
}
