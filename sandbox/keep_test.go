package sandbox

import (
	"context"
	"fmt"
	"io"
	"testing"
)

// keeper keeps what it is given in memory.
type keeper struct {
	kept map[string]string
	room int64
	most int64
}

func (k *keeper) Keep(_ context.Context, size int64, r io.Reader) (string, error) {
	if size > k.most {
		return "", fmt.Errorf("%w: %d", ErrTooLong, size)
	}
	if size > k.room {
		return "", fmt.Errorf("%w: %d", ErrNoRoom, size)
	}
	data, err := io.ReadAll(r)
	if err != nil || int64(len(data)) != size {
		return "", fmt.Errorf("%d bytes of %d: %w", len(data), size, err)
	}
	k.room -= size
	sum := sumOf(string(data))
	k.kept[sum] = string(data)
	return sum, nil
}

// Outputs that are kept are named by their hash; what cannot be is told, and why. They
// may be larger than what a Result may hold, but not than what the job may write.
func TestKeepOutputs(t *testing.T) {
	l := newLab(t)
	f := share(t, "given\n")
	g := granted(t, l, "default")
	k := &keeper{kept: map[string]string{}, room: 3 * g.Caps.OutputFile, most: 2 * g.Caps.OutputFile}
	job := shell(fmt.Sprintf("echo text >a; head -c %d /dev/zero >big; truncate -s 1G holes; head -c %d /dev/zero >c; head -c %d /dev/zero >e; ln -s a link; echo x >z",
		g.Caps.OutputFile+1, 2*g.Caps.OutputFile+1, 2*g.Caps.OutputFile))
	job.Files = []File{shownFile("given", f)}
	job.Outputs, job.Keep = []string{"a", "big", "given", "holes", "c", "e", "link", "absent", "z"}, k
	job.Limits.DiskBytes, job.Limits.MemoryBytes, job.Limits.FileBytes = ptr(8*g.Caps.OutputFile), ptr(16*g.Caps.OutputFile), ptr[int64](1<<30)
	r := l.run(t, job)
	if r.Verdict != OK {
		t.Fatalf("%s (%s) %s", r.Verdict, r.Message, r.Stderr)
	}
	want := []OutputFile{{Path: "a", Size: 5, SHA256: sumOf("text\n")}, {Path: "big", Size: g.Caps.OutputFile + 1, SHA256: sumOf(string(make([]byte, g.Caps.OutputFile+1)))},
		{Path: "given", Size: 6, SHA256: f.sum}, {Path: "holes", Size: 1 << 30, Error: tooLarge}, {Path: "c", Size: 2*g.Caps.OutputFile + 1, Error: tooLarge},
		{Path: "e", Size: 2 * g.Caps.OutputFile, Error: storeFull}, {Path: "link", Error: notRegular}, {Path: "absent", Error: notFound}, {Path: "z", Size: 2, SHA256: sumOf("x\n")}}
	for i := range max(len(want), len(r.Files)) {
		if i >= len(r.Files) || i >= len(want) || fmt.Sprint(r.Files[i]) != fmt.Sprint(want[i]) {
			t.Fatalf("%d: %.200v\nwant %.200v", i, r.Files, want)
		}
	}
	if len(k.kept) != 3 || k.kept[sumOf("text\n")] != "text\n" {
		t.Errorf("%d kept", len(k.kept))
	}
	// All together are bounded by what the job may write, though a link costs nothing.
	k.room, k.most = 1<<40, 1<<40
	job = shell("head -c 600000 /dev/zero >a; ln a b; ln a c")
	job.Outputs, job.Keep, job.Limits.DiskBytes = []string{"?"}, k, ptr[int64](1<<20)
	r = l.run(t, job)
	if len(r.Files) != 3 || r.Files[0].SHA256 == "" || r.Files[1].Error != tooLarge || r.Files[2].Error != tooLarge {
		t.Errorf("%+v", r.Files)
	}
}
