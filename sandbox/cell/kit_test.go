package cell_test

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
	"cordon/seccomp"
)

// kit is what the live tests share: a fork server of a small root and two filters.
type kit struct {
	single bool // every cell has the service user's id
	server *cell.Server
	open   *os.File // a filter that allows everything: what is refused behind it is refused by another lock
	strict *os.File // the default profile
	rules  *seccomp.Program
	probe  []byte // testdata/probe.c
	nextID atomic.Int64
}

// allowAll is BPF_RET | BPF_K with SECCOMP_RET_ALLOW.
var allowAll = []byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f}

func newKit(t testing.TB, single bool) *kit {
	t.Helper()
	k := &kit{single: single}
	k.nextID.Store(1)
	k.open = input(t, allowAll)
	var err error
	if k.rules, err = seccomp.Compile(seccomp.Rules{Profile: "default"}, seccomp.Native()); err != nil {
		t.Fatal(err)
	}
	k.strict = input(t, k.rules.BPF)
	if k.probe, err = os.ReadFile(cell.Gcc(t, "probe", "-static", "testdata/probe.c")); err != nil {
		t.Fatal(err)
	}
	k.server = start(t, smallTemplate(t))
	return k
}

func input(t testing.TB, b []byte) *os.File {
	t.Helper()
	f, err := cell.Input(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func start(t testing.TB, template cell.Template) *cell.Server {
	t.Helper()
	s, err := cell.Start(template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

const (
	lower   = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	private = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
)

// smallTemplate is a root with this machine's programs and nothing else.
func smallTemplate(t testing.TB) cell.Template {
	t.Helper()
	base := t.TempDir()
	root := []cell.Op{{Kind: cell.OpTmpfs, Target: base, Data: "mode=0755,size=1m", Flags: private}}
	for _, d := range []string{"/proc", "/dev", "/work", "/tmp", "/etc", cell.LayerPath} {
		root = append(root, cell.Op{Kind: cell.OpMkdir, Target: base + d, Mode: 0o755})
	}
	root = append(root,
		cell.Op{Kind: cell.OpFile, Target: base + "/dev/null", Mode: 0o644},
		cell.Op{Kind: cell.OpBind, Source: "/dev/null", Target: base + "/dev/null", Flags: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC},
		cell.Op{Kind: cell.OpFile, Target: base + "/etc/made", Mode: 0o644, Data: "by the template\n"})
	for _, d := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		if to, err := os.Readlink(d); err == nil {
			root = append(root, cell.Op{Kind: cell.OpSymlink, Source: to, Target: base + d})
		} else if _, err := os.Stat(d); err == nil {
			root = append(root, cell.Op{Kind: cell.OpMkdir, Target: base + d, Mode: 0o755},
				cell.Op{Kind: cell.OpBind, Source: d, Target: base + d, Mode: 1, Flags: lower})
		}
	}
	root = append(root,
		cell.Op{Kind: cell.OpBind, Source: "/proc", Target: base + "/proc", Mode: 1, Flags: private | unix.MOUNT_ATTR_NOEXEC},
		cell.Op{Kind: cell.OpAttr, Target: base, Flags: lower},
		cell.Op{Kind: cell.OpPivot, Target: base})
	return cell.Template{Name: "small", Root: root, Cell: smallCell()}
}

// smallCell is what each cell of the small root adds.
func smallCell() []cell.Op {
	return []cell.Op{
		{Kind: cell.OpTmpfs, Target: "/tmp", Data: "size=4m,nr_inodes=64,mode=0711", Flags: private},
		{Kind: cell.OpMkdir, Target: "/tmp/work", Mode: 0o755},
		{Kind: cell.OpMkdir, Target: "/tmp/tmp", Mode: 0o1777},
		{Kind: cell.OpChown, Target: "/tmp/work", Mode: 1000},
		{Kind: cell.OpScratch, Target: "/tmp"},
		{Kind: cell.OpBind, Source: "/tmp/work", Target: "/work", Flags: private},
		{Kind: cell.OpBind, Source: "/tmp/tmp", Target: "/tmp", Flags: private},
		{Kind: cell.OpProc, Target: "/proc", Flags: lower | unix.MOUNT_ATTR_NOEXEC},
	}
}

// order asks for a cell with ids of its own.
func (k *kit) order(filter *os.File) cell.Order {
	o := cell.Order{Filter: filter, SingleID: k.single}
	if !k.single {
		o.FirstID = int(k.nextID.Add(2)) - 2
	}
	return o
}

// warm makes a cell that waits for its job.
func (k *kit) warm(t testing.TB, s *cell.Server, filter *os.File) *cell.Cell {
	t.Helper()
	return k.warmed(t, s, k.order(filter))
}

func (k *kit) warmed(t testing.TB, s *cell.Server, o cell.Order) *cell.Cell {
	t.Helper()
	c, err := s.Cell(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Ready(); err != nil {
		t.Fatal(err)
	}
	return c
}

// job is a program that runs in a cell.
type job struct {
	cell        *cell.Cell
	out, errs   bytes.Buffer
	lines       chan string // of stdout, as they come
	outR, errsR *os.File
	read        chan struct{}
}

// begin starts a program in a warm cell.
func begin(t testing.TB, c *cell.Cell, p *cell.Program, stdin string) *job {
	t.Helper()
	j := &job{cell: c, lines: make(chan string, 64), read: make(chan struct{}, 2)}
	var outW, errsW *os.File
	var err error
	if j.outR, outW, err = os.Pipe(); err != nil {
		t.Fatal(err)
	}
	if j.errsR, errsW, err = os.Pipe(); err != nil {
		t.Fatal(err)
	}
	in := input(t, []byte(stdin))
	if p.Env == nil {
		p.Env = []string{"PATH=/usr/bin:/bin"}
	}
	if err := c.Run(p, cell.Stdio{In: in, Out: outW, Err: errsW}); err != nil {
		t.Fatal(err)
	}
	outW.Close()
	errsW.Close()
	go func() { j.tee(); j.read <- struct{}{} }()
	go func() { _, _ = io.Copy(&j.errs, j.errsR); j.errsR.Close(); j.read <- struct{}{} }()
	return j
}

func (j *job) tee() {
	defer j.outR.Close()
	defer close(j.lines)
	var part [4096]byte
	for {
		n, err := j.outR.Read(part[:])
		j.out.Write(part[:n])
		if n > 0 {
			select {
			case j.lines <- string(part[:n]):
			default: // nobody waits for so many
			}
		}
		if err != nil {
			return
		}
	}
}

// result is how a job ended.
type result struct {
	cell.End
	out, errs string
	ended     int // how often the end of the main process was told
}

// end waits until no process of the cell is left.
func (j *job) end(t testing.TB) result {
	t.Helper()
	var r result
	var err error
	if r.End, err = j.cell.Await(func() { r.ended++ }); err != nil {
		t.Fatal(err)
	}
	<-j.cell.Dead()
	<-j.read
	<-j.read
	r.out, r.errs = j.out.String(), j.errs.String()
	return r
}

// run runs a program in a fresh cell behind the open filter.
func (k *kit) run(t testing.TB, p *cell.Program) result {
	t.Helper()
	return begin(t, k.warm(t, k.server, k.open), p, "").end(t)
}

// shell runs a script.
func (k *kit) shell(t testing.TB, script string) result {
	t.Helper()
	return k.run(t, &cell.Program{Args: []string{"/bin/sh", "-c", script}})
}

// facts runs the probe and returns what it told, by name.
func (k *kit) facts(t testing.TB, s *cell.Server, p cell.Program) map[string]string {
	t.Helper()
	p.Entries = append(p.Entries, cell.Entry{Path: "probe", Mode: 0o755, Data: k.probe})
	r := begin(t, k.warm(t, s, k.open), &p, "").end(t)
	if !r.Ended || r.Status != 0 {
		t.Fatalf("probe: %+v", r)
	}
	return table(r.out, " ")
}

// table reads lines of name, separator, value.
func table(text, separator string) map[string]string {
	facts := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), separator)
		facts[name] = strings.TrimSpace(value)
	}
	return facts
}
