package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestInheritedACL: a default ACL above the store is not for files of images.
func TestInheritedACL(t *testing.T) {
	top := t.TempDir()
	// version 2; user::rwx, user:1:rwx, group::rwx, mask::rwx, other::rwx
	acl := []byte{2, 0, 0, 0}
	for _, e := range [][2]int{{1, -1}, {2, 0}, {4, -1}, {16, -1}, {32, -1}} {
		acl = append(acl, byte(e[0]), 0, 7, 0, byte(e[1]), byte(e[1]>>8), byte(e[1]>>16), byte(e[1]>>24))
	}
	if err := unix.Setxattr(top, "system.posix_acl_default", acl, 0); err != nil {
		t.Fatalf("a default ACL: %v", err)
	}
	o := openIn(t, top, Limits{})
	a := o.brings(t, "x:1", archive(t, file("d/a", "x"), dir("e")))
	o.verified(t, a.Image)
}

// TestStuckWork: leftovers that cannot be removed do not keep the rest from being pruned.
func TestStuckWork(t *testing.T) {
	o := open(t, Limits{})
	a := o.brings(t, "x:1", archive(t, file("a", "x")))
	if err := unix.Unlinkat(o.root, imageName(a.ID), 0); err != nil {
		t.Fatal(err)
	}
	// A directory that is another's mount cannot be removed: here, /proc's own.
	stuck := filepath.Join(o.top, "images", workDir, "stuck", "in")
	if err := os.MkdirAll(stuck, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", stuck, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	gone, err := o.Prune()
	if e := unix.Unmount(stuck, 0); e != nil {
		t.Fatal(e)
	}
	if err == nil || !strings.Contains(err.Error(), "stuck") && !strings.Contains(err.Error(), "cannot be removed") {
		t.Error(err)
	}
	if gone == nil || len(gone.Layers) != 1 {
		t.Errorf("%+v", gone)
	}
	if gone, err = o.Prune(); err != nil || gone.Stale != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
}
