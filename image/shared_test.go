package image

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// room is what a store takes on the disk, in bytes.
func room(t *testing.T, top string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(top, func(name string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(name, &st)
		}
		n += st.Blocks * 512
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSharedBase: twenty images with the same base take its room once.
func TestSharedBase(t *testing.T) {
	o := open(t, Limits{})
	var items []item
	for i := range 200 {
		items = append(items, file(fmt.Sprint("f", i), strings.Repeat(fmt.Sprint(i, " "), 8000)))
	}
	base := archive(t, items...)
	o.brings(t, "x0:1", base, archive(t, file("own", "0")))
	one := room(t, o.dir)
	for i := range 19 {
		if a := o.brings(t, fmt.Sprintf("x%d:1", i+1), base, archive(t, file("own", fmt.Sprint(i+1)))); a.New != 1 {
			t.Errorf("%d new layers, want its own alone", a.New)
		}
	}
	twenty := room(t, o.dir)
	if twenty > 2*one {
		t.Errorf("twenty images take %d bytes, one of them %d", twenty, one)
	}
	t.Logf("one image %d KiB, twenty %d KiB", one>>10, twenty>>10)
	for i := range 20 {
		if _, err := o.Remove(Ref{Name: fmt.Sprintf("x%d:1", i)}); err != nil {
			t.Error(err)
		}
	}
	o.empty(t)
}
