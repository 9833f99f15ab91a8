package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDiskRefuses: whatever the disk refuses, and when, is told with its errno, and
// nothing is left of the file, neither on the disk nor in the account.
func TestDiskRefuses(t *testing.T) {
	content := letters('c', 3*pieceBytes)
	for _, errno := range []unix.Errno{unix.ENOSPC, unix.EDQUOT, unix.EIO} {
		for name, fail := range map[string]func(*disk){
			"first write": func(d *disk) { d.write = func(*os.File, []byte) (int, error) { return 0, errno } },
			"later write": func(d *disk) {
				n := 0
				d.write = func(f *os.File, b []byte) (int, error) {
					if n++; n < 3 {
						return f.Write(b)
					}
					half, err := f.Write(b[:len(b)/2])
					return half, errors.Join(err, &fs.PathError{Op: "write", Path: f.Name(), Err: errno})
				}
			},
			"sync":   func(d *disk) { d.sync = func(*os.File) error { return errno } },
			"rename": func(d *disk) { d.rename = func(int, string, string) error { return errno } },
		} {
			o := open(t, small())
			o.puts(t, "before")
			fail(&o.disk)
			created, err := o.Put(t.Context(), sumOf(content), int64(len(content)), strings.NewReader(content))
			if created || !errors.Is(err, errno) || !strings.Contains(err.Error(), "the disk refused") {
				t.Errorf("%s, %v: %v, %v", name, errno, created, err)
			}
			o.sound(t)
			o.disk = theDisk
			o.puts(t, content)
			if s := o.Stats(); s.Files != 2 || s.Evicted != 0 {
				t.Errorf("%s: %+v", name, s)
			}
			o.sound(t)
		}
	}
}

// TestUnlinkRefused: what cannot be removed is still there, and still counts.
func TestUnlinkRefused(t *testing.T) {
	o := open(t, Config{MaxBytes: 21, MaxFiles: 10, MaxFileBytes: 20, TTL: 1})
	sum := o.puts(t, letters('a', 20))[0]
	o.disk.unlink = func(int, string) error { return unix.EIO }
	if err := o.Delete(sum); !errors.Is(err, unix.EIO) {
		t.Errorf("Delete: %v", err)
	}
	o.Sweep()
	if s := o.Stats(); s.Files != 1 || s.Bytes != 20 || s.Expired != 0 || !strings.Contains(o.log.String(), "could not be removed") {
		t.Errorf("%+v %s", s, o.log)
	}
	if _, err := o.Put(t.Context(), sumOf("bb"), 2, strings.NewReader("bb")); !errors.Is(err, unix.EIO) || errors.Is(err, ErrFull) {
		t.Errorf("Put without room: %v", err)
	}
	if _, err := o.Put(t.Context(), sumOf("b"), 1, strings.NewReader("c")); !errors.Is(err, unix.EIO) || !errors.Is(err, ErrMismatch) {
		t.Errorf("Put of wrong bytes: %v", err)
	}
	// Unfinished files that stay go on being counted.
	if s := o.Stats(); s.WritingFiles != 2 || s.WritingBytes != 1 {
		t.Errorf("%+v", s)
	}
	if !o.have(sum)[0] {
		t.Error("it cannot be had any more")
	}
	o.disk = theDisk
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	next := open(t, o.config)
	next.sound(t)
}

// TestOrderOfSteps: bytes are on the disk before they have a name. (A machine that loses
// its power cannot be had here; that this order holds then is the file system's promise.)
func TestOrderOfSteps(t *testing.T) {
	o := open(t, small())
	if err := os.Mkdir(filepath.Join(o.dir, bucket(sumOf(letters('x', pieceBytes+1)))), 0o700); err != nil { // else it takes two renames
		t.Fatal(err)
	}
	var steps []string
	o.disk.write = func(f *os.File, b []byte) (int, error) {
		steps = append(steps, "write")
		return f.Write(b)
	}
	o.disk.sync = func(f *os.File) error {
		info, err := f.Stat()
		steps = append(steps, fmt.Sprint("sync ", info.Size()))
		return errors.Join(err, theDisk.sync(f))
	}
	o.disk.rename = func(root int, from, to string) error {
		steps = append(steps, "rename")
		return theDisk.rename(root, from, to)
	}
	o.puts(t, letters('x', pieceBytes+1))
	if want := []string{"write", "write", fmt.Sprint("sync ", pieceBytes+1), "rename"}; !slices.Equal(steps, want) {
		t.Errorf("%q, want %q", steps, want)
	}
}

// child starts a function of this program as a process of its own.
func child(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program)
	c.Env = append(os.Environ(), childVar+"="+name+"="+dir)
	return c
}

// TestFileSizeLimit: the kernel ends a write in the middle.
func TestFileSizeLimit(t *testing.T) {
	if out, err := child(t, "small files", t.TempDir()).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

const fileLimit = 200_000

func smallFiles(dir string) error {
	signal.Ignore(unix.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: fileLimit, Max: fileLimit}); err != nil {
		return err
	}
	return refusesAndGoesOn(dir, unix.EFBIG, letters('l', 300_000), letters('s', fileLimit))
}

// TestFullDisk: a real file system without room, in a user and mount namespace where
// this program may mount one.
func TestFullDisk(t *testing.T) {
	c := child(t, "full disk", t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func fullDisk(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	return refusesAndGoesOn(dir, unix.ENOSPC, letters('l', 2<<20), letters('s', 512<<10))
}

// refusesAndGoesOn puts what the disk does not take, then what it does.
func refusesAndGoesOn(dir string, want error, large, small string) error {
	s, err := Open(Config{Dir: dir, MaxBytes: 1 << 30, MaxFiles: 100, MaxFileBytes: 1 << 30})
	if err != nil {
		return err
	}
	if _, err := s.Put(context.Background(), sumOf(large), -1, strings.NewReader(large)); !errors.Is(err, want) {
		return fmt.Errorf("a large file: %w, want %w", err, want)
	}
	if left, err := filepath.Glob(filepath.Join(dir, incomingDir, "*")); err != nil || len(left) > 0 {
		return fmt.Errorf("left: %v, %w", left, err)
	}
	for i := range 2 { // the second time it is there
		if created, err := s.Put(context.Background(), sumOf(small), -1, strings.NewReader(small)); err != nil || created != (i == 0) {
			return fmt.Errorf("a small file: %v, %w", created, err)
		}
	}
	if stats := s.Stats(); stats != (Stats{Files: 1, Bytes: int64(len(small))}) {
		return fmt.Errorf("%+v", stats)
	}
	return s.Close()
}
