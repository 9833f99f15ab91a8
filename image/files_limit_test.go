package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFewDescriptors: where a process may have no more of them, nothing half is kept, and
// nobody says that it is the image's fault.
func TestFewDescriptors(t *testing.T) {
	o := open(t, Limits{})
	l := newLayout(t)
	var layers [][]byte
	for i := range 40 {
		layers = append(layers, archive(t, file(fmt.Sprintf("%sf%d", strings.Repeat("d/", 5), i), "x"), dir("m").with(func(h *tar.Header) { h.Mode = 0 })))
	}
	l.image("x:1", layers...)
	from := l.write()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	few := was
	few.Cur = 48
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	_, err := o.Import(context.Background(), from, nil, ImportOptions{})
	if e := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); e != nil {
		t.Fatal(e)
	}
	var r *RejectedError
	if !errors.Is(err, unix.EMFILE) || errors.As(err, &r) {
		t.Error(err)
	}
	o.empty(t)
	o.verified(t, o.imports(t, from).Image)
}
