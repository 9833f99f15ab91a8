package cell_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// wantFailure checks which step failed and with which errno.
func wantFailure(t *testing.T, name string, err error, stage cell.Stage, errno unix.Errno) {
	t.Helper()
	var f *cell.Failure
	if !errors.As(err, &f) || f.Stage != stage || f.Errno != errno {
		t.Errorf("%s: %v; want stage %v, %v", name, err, stage, errno)
	}
}

// ready makes a cell and returns the error of the first step that fails.
func ready(t *testing.T, s *cell.Server, o cell.Order) error {
	t.Helper()
	c, err := s.Cell(o)
	if err != nil {
		return err
	}
	err = c.Ready()
	if err != nil {
		<-c.Dead() // it goes by itself
	}
	c.Close()
	return err
}

// Each step that fails is named, and the server goes on.
func testStages(t *testing.T, k *kit) {
	for name, filter := range map[string][]byte{"empty": {}, "odd": make([]byte, 12), "too long": make([]byte, 8*4097), "zero": make([]byte, 8)} {
		wantFailure(t, name+" filter", ready(t, k.server, k.order(input(t, filter))), cell.StageSeccomp, unix.EINVAL)
	}
	o := k.order(k.open)
	o.FirstID, o.SingleID = 1_000_000, false // not mapped in our namespace
	wantFailure(t, "foreign ids", ready(t, k.server, o), cell.StageClone, unix.EINVAL)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	o = k.order(k.open)
	o.Tasks = []*os.File{full}
	wantFailure(t, "a group that cannot be entered", ready(t, k.server, o), cell.StageCgroup, unix.ENOSPC)
	o = k.order(k.open)
	o.Group = full
	wantFailure(t, "a group that is none", ready(t, k.server, o), cell.StageClone, unix.EBADF)
	for _, limit := range []struct {
		cell.Rlimit
		errno unix.Errno
	}{{cell.Rlimit{Resource: unix.RLIMIT_NOFILE, Soft: 2, Hard: 1}, unix.EINVAL}, {cell.Rlimit{Resource: 99}, unix.EINVAL},
		{cell.Rlimit{Resource: unix.RLIMIT_NOFILE, Soft: 1, Hard: 1 << 40}, unix.EPERM}} {
		fine := cell.Rlimit{Resource: unix.RLIMIT_CORE, Soft: 1, Hard: 1}
		r := k.run(t, &cell.Program{Args: []string{"/bin/echo"}, Rlimits: []cell.Rlimit{fine, limit.Rlimit}})
		if f := r.Failure; f == nil || f.Stage != cell.StageRlimit || f.Index != 1 || f.Errno != limit.errno {
			t.Errorf("rlimit %+v: %+v, %v", limit, r, f)
		}
	}
	if err := ready(t, k.server, k.order(k.open)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A template that cannot be built is refused at once, a cell's own part when the
// first cell is made; both name the operation.
func testTemplateFails(t *testing.T, k *kit) {
	small := smallTemplate(t)
	base := small.Root[0].Target
	tmpfs := small.Root[0]
	for name, c := range map[string]struct {
		op    cell.Op
		errno unix.Errno
	}{
		"bind /no/such at " + base: {cell.Op{Kind: cell.OpBind, Source: "/no/such", Target: base}, unix.ENOENT},
		"tmpfs /no/such":           {cell.Op{Kind: cell.OpTmpfs, Target: "/no/such"}, unix.ENOENT},
		"pivot /proc/version":      {cell.Op{Kind: cell.OpPivot, Target: "/proc/version"}, unix.ENOTDIR},
		" " + base:                 {cell.Op{Kind: cell.OpScratch + 1, Target: base}, unix.EINVAL},
		"tmpfs " + base:            {cell.Op{Kind: cell.OpTmpfs, Target: base, Data: "size=x"}, unix.EINVAL},
		"mkdir " + base + "/a/b":   {cell.Op{Kind: cell.OpMkdir, Target: base + "/a/b"}, unix.ENOENT},
	} {
		s, err := cell.Start(cell.Template{Name: "broken", Root: []cell.Op{tmpfs, c.op}})
		if s != nil {
			s.Close()
		}
		wantFailure(t, name, err, cell.StageTemplate, c.errno)
		if err != nil && (!strings.Contains(err.Error(), "template broken") || !strings.Contains(err.Error(), "("+name+")")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := small
	broken.Cell = append(slices.Clone(small.Cell), cell.Op{Kind: cell.OpMkdir, Target: "/no/such"})
	err := ready(t, start(t, broken), k.order(k.open))
	wantFailure(t, "a cell's operation", err, cell.StageMount, unix.ENOENT)
	if err != nil && !strings.Contains(err.Error(), "(mkdir /no/such)") {
		t.Error(err)
	}
	broken.Cell = slices.DeleteFunc(slices.Clone(small.Cell), func(o cell.Op) bool { return o.Kind == cell.OpScratch })
	wantFailure(t, "no scratch", ready(t, start(t, broken), k.order(k.open)), cell.StageMount, unix.ENOENT)
}

// A message that the child side does not understand is answered, not obeyed.
func testProtocol(t *testing.T, k *kit) {
	const msgCell, msgRun, msgFiles = 3, 6, 12
	for _, kind := range []uint32{0, 1, 2, 4, msgRun, 1 << 31} {
		wantFailure(t, "kind", k.server.AskRaw(kind, 1, 0), cell.StageProtocol, unix.EBADMSG)
	}
	wantFailure(t, "version", k.server.AskRaw(msgCell, 2, 0), cell.StageProtocol, unix.EBADMSG)
	wantFailure(t, "no descriptors", k.server.AskRaw(msgCell, 1, 0), cell.StageProtocol, unix.EBADMSG)
	c := k.warm(t, k.server, k.open)
	if err := c.RunRaw(msgRun); err != nil {
		t.Fatal(err)
	}
	end, err := c.Await(func() {})
	if err != nil || end.Failure == nil {
		t.Fatalf("%+v, %v", end, err)
	}
	wantFailure(t, "an order without descriptors", end.Failure, cell.StageProtocol, unix.EBADMSG)
	<-c.Dead()
	wantFailure(t, "bytes behind an order", k.server.AskRaw(msgCell, 1, 8), cell.StageProtocol, unix.EBADMSG)
	wantFailure(t, "files without paths", k.server.AskRaw(msgFiles, 1, 0), cell.StageProtocol, unix.EBADMSG)
	wantFailure(t, "paths without files", k.server.AskRaw(msgFiles, 1, 8), cell.StageLayer, unix.EBADMSG)
	// Nor does one that is too long end a server.
	wantFailure(t, "a message that is too long", k.server.AskRaw(msgCell, 1, 1<<16), cell.StageProtocol, unix.EBADMSG)
	if err := ready(t, k.server, k.order(k.open)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
