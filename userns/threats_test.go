package userns

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A descriptor that the daemon was started with, and that an exec would pass on,
// is passed on to nothing that the daemon starts.
func TestKeepDescriptors(t *testing.T) {
	fd, err := unix.Dup(2) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	passed := func() int {
		out, err := exec.CommandContext(t.Context(), "ls", "/proc/self/fd").Output()
		if err != nil {
			t.Fatal(err)
		}
		return len(strings.Fields(string(out)))
	}
	before := passed()
	if err := keepDescriptors(); err != nil {
		t.Fatal(err)
	}
	if after := passed(); before < 5 || after != 4 { // 0, 1, 2 and what ls reads
		t.Errorf("a program has %d descriptors, before it had %d; want 4 and more than 4", after, before)
	}
	// It is there still, for this process itself.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		t.Error(err)
	}
}
