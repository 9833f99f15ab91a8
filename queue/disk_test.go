package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const smallDisk = "CORDON_TEST_SMALL_DISK" // set in the process that has a disk of its own

// TestDiskFull has a small disk, in a mount namespace of its own. Full, it takes no more
// jobs; when it has no byte left, what has ended waits in memory until there is room, and
// nothing that was acknowledged is lost.
func TestDiskFull(t *testing.T) {
	dir := os.Getenv(smallDisk)
	if dir == "" {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiskFull$", "-test.v")
		c.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatal(err)
	}
	c, h := newClock(), inProcess{filepath.Join(dir, "queue"), slog.New(slog.DiscardHandler)}
	q := open(t, h, c, nil)
	taken := 0
	for {
		_, _, err := q.Submit(t.Context(), Submission{ID: fmt.Sprintf("job%03d", taken), Request: make([]byte, 100_000), Priority: Normal, TTL: time.Hour})
		if errors.Is(err, ErrNoSpace) {
			t.Logf("after %d jobs: %v", taken, err)
			break
		}
		if err != nil || taken > 1000 {
			t.Fatal(taken, err)
		}
		taken++
	}
	one := q.claim("job000") // there is room for that
	fill(t, filepath.Join(dir, "ballast"))
	ended := make(chan error)
	go func() { ended <- one.Finish(End{Done, make([]byte, 200_000)}) }()
	select {
	case err := <-ended:
		t.Fatalf("written onto a full disk: %v", err)
	case <-time.After(2 * time.Second):
	}
	if _, _, err := q.Submit(t.Context(), Submission{ID: "late", Priority: Normal, TTL: time.Hour}); !errors.Is(err, ErrNoSpace) && !errors.Is(err, ErrUnavailable) {
		t.Errorf("a job onto a full disk: %v", err)
	}
	if r, _ := q.Get(t.Context(), "job001"); r.State != Queued {
		t.Errorf("%+v", r)
	}
	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		t.Fatal(err)
	}
	// There is room for the end of a job, and when that is there, for jobs.
	for range 40 {
		free(t, q)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the result is not written, though there is room")
	}
	q.wants("job000", Done, 1)
	if len(q.result("job000")) != 200_000 {
		t.Error("the result is not whole")
	}
	q.close()
	q = open(t, h, c, nil)
	q.wants("job000", Done, 1)
	for i := 1; i < taken; i++ {
		r, err := q.Get(t.Context(), fmt.Sprintf("job%03d", i))
		if err != nil || r.State != Queued && r.State != Cancelled {
			t.Errorf("%d: %+v, %v", i, r, err)
		}
	}
	q.submit("late", nil)
}

// free cancels a job, as an operator would whose disk is full.
func free(t *testing.T, q *opened) {
	t.Helper()
	page, _ := q.List(Queued, "", 1)
	if len(page) == 0 {
		return
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		_, err := q.Cancel(context.Background(), page[0].ID)
		if err == nil {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatal(err)
		}
	}
}

// fill leaves no byte.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
