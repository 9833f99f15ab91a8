package sandbox

import (
	"errors"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/policy"
	"cordon/sandbox/cell"
)

func TestMergeEnv(t *testing.T) {
	for _, test := range []struct {
		lists [][]string
		want  []string
	}{
		{nil, nil},
		{[][]string{{"A=1", "B=2"}}, []string{"A=1", "B=2"}},
		{[][]string{{"A=1", "B=2"}, {"A=3"}}, []string{"A=3", "B=2"}}, // in its old place
		{[][]string{{"A=1"}, {"B=2"}, {"B=3", "C=4"}}, []string{"A=1", "B=3", "C=4"}},
		{[][]string{{"A=1", "A=2"}}, []string{"A=2"}},
		{[][]string{{"A=x=y"}, {"A="}}, []string{"A="}},
		{[][]string{{"AB=1"}, {"A=2"}}, []string{"AB=1", "A=2"}},
	} {
		if got := mergeEnv(test.lists...); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.lists, got, test.want)
		}
	}
}

func FuzzMergeEnv(f *testing.F) {
	f.Add("A=1\nB=2", "A=3")
	f.Fuzz(func(t *testing.T, first, second string) {
		a, b := strings.Split(first, "\n"), strings.Split(second, "\n")
		got := mergeEnv(a, b)
		last := map[string]string{}
		for _, kv := range slices.Concat(a, b) {
			name, _, _ := strings.Cut(kv, "=")
			last[name] = kv
		}
		if len(got) != len(last) {
			t.Fatalf("%q: %d names, want %d", got, len(got), len(last))
		}
		for _, kv := range got {
			name, _, _ := strings.Cut(kv, "=")
			if last[name] != kv {
				t.Fatalf("%q in %q, want %q", kv, got, last[name])
			}
		}
	})
}

func TestCheckPath(t *testing.T) {
	long := strings.Repeat("d/", 2046)
	for _, p := range []string{"a", "a/b", ".a", "..a", "a..", "...", "a b\n*", "\xff", strings.Repeat("x", 255), long + "abc"} {
		if err := CheckPath(p); err != nil {
			t.Errorf("%.40q (%d bytes): %v", p, len(p), err)
		}
	}
	for _, p := range []string{"", "/", "/a", ".", "..", "../a", "a/..", "a/../b", "a/./b", "./a", "a//b", "a/", "a\x00b",
		strings.Repeat("x", 256), "a/" + strings.Repeat("x", 256), long + "abcd"} {
		if err := CheckPath(p); !errors.Is(err, ErrInvalidJob) {
			t.Errorf("%.40q (%d bytes): %v, want ErrInvalidJob", p, len(p), err)
		}
	}
}

// What CheckPath takes stays below the directory it is joined to.
func FuzzCheckPath(f *testing.F) {
	for _, p := range []string{"a", "../a", "a/../../b", "/a", "a//b", ".", "a\x00"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if CheckPath(p) != nil {
			return
		}
		if path.Clean(p) != p || path.IsAbs(p) || !strings.HasPrefix(path.Join("/work", p), "/work/") || len(p) > maxPath || strings.ContainsRune(p, 0) {
			t.Fatalf("%q was taken", p)
		}
	})
}

func TestEntries(t *testing.T) {
	data := []byte("x")
	got, err := entries([]File{
		{Path: "link", Mode: os.ModeSymlink | 0o777, Target: "/etc/passwd"},
		{Path: "a", Data: data},
		{Path: "d", Mode: os.ModeDir | 0o700},
		{Path: "d/x", Mode: 0o755},
		{Path: "d", Mode: os.ModeDir | 0o750}, // making a directory twice is none the worse
	}, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := []cell.Entry{{Path: "a", Mode: 0o644, Data: data}, {Path: "d", Mode: 0o700, Kind: cell.Dir}, {Path: "d/x", Mode: 0o755},
		{Path: "d", Mode: 0o750, Kind: cell.Dir}, {Path: "link", Mode: 0o777, Kind: cell.Symlink, Target: "/etc/passwd"}}
	if !slices.EqualFunc(got, want, func(a, b cell.Entry) bool {
		return a.Path == b.Path && a.Mode == b.Mode && a.Kind == b.Kind && a.Target == b.Target && string(a.Data) == string(b.Data)
	}) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// Set-id and sticky bits never reach the cell.
func TestEntriesModes(t *testing.T) {
	got, err := entries([]File{{Path: "a", Mode: os.ModeSetuid | os.ModeSetgid | os.ModeSticky | 0o755}}, 1)
	if err != nil || len(got) != 1 || got[0].Mode != 0o755 || got[0].Kind != cell.Regular {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEntriesInodes(t *testing.T) {
	files := []File{{Path: "a/b/c"}, {Path: "a/b/d"}, {Path: "e"}} // a, a/b, a/b/c, a/b/d, e
	if _, err := entries(files, 5); err != nil {
		t.Error(err)
	}
	if _, err := entries(files, 4); !errors.Is(err, ErrInvalidJob) || !strings.Contains(err.Error(), "disk_files") {
		t.Errorf("%v, want ErrInvalidJob naming disk_files", err)
	}
}

func TestRequest(t *testing.T) {
	j := &Job{Build: []string{"make"}, Env: []string{"A=1", "B=x=y"}, Stdin: text(string(make([]byte, 7))), Outputs: []string{"*"}, WritableRoot: true,
		RootDirs: []string{"/x"}, Files: []File{{Data: nil}, {Data: make([]byte, 1)}, {Data: make([]byte, 4096)}, {Data: make([]byte, 4097)}}}
	q := j.Request()
	if !q.HasBuild || q.Files != 4 || q.FileBytes != 4096*4 || q.StdinBytes != 7 || !slices.Equal(q.Env, []string{"A", "B"}) ||
		!slices.Equal(q.Outputs, j.Outputs) || !q.WritableRoot || !slices.Equal(q.RootDirs, j.RootDirs) {
		t.Errorf("%+v", q)
	}
}

func TestRlimits(t *testing.T) {
	l := policy.Limits{CPUMillis: 1001, OpenFiles: 16, FileBytes: 4096, StackBytes: 1 << 20}
	want := map[int][2]uint64{
		unix.RLIMIT_NOFILE: {16, 16}, unix.RLIMIT_FSIZE: {4096, 4096}, unix.RLIMIT_STACK: {1 << 20, 1 << 20},
		unix.RLIMIT_CORE:    {1, 1},   // not 0: a piped core handler runs for 0 as well
		unix.RLIMIT_CPU:     {12, 13}, // behind the group's account, never before it
		unix.RLIMIT_MEMLOCK: {64 << 10, 64 << 10}, unix.RLIMIT_MSGQUEUE: {}, unix.RLIMIT_RTPRIO: {}, unix.RLIMIT_SIGPENDING: {1024, 1024},
	}
	got := rlimits(l, 1)
	if len(got) != len(want) {
		t.Errorf("%d rlimits, want %d", len(got), len(want))
	}
	for _, r := range got {
		if w, ok := want[r.Resource]; !ok || w != [2]uint64{r.Soft, r.Hard} {
			t.Errorf("rlimit %d: %d, %d; want %v", r.Resource, r.Soft, r.Hard, w)
		}
	}
	for _, c := range []struct {
		hard    uint64
		pattern string
		want    uint64
		refused bool
	}{{1, "core", 1, false}, {1 << 40, "|/usr/bin/handler %p", 1, false}, {0, "core\n", 0, false}, {0, "|/usr/bin/handler %p\n", 0, true}} {
		if got, err := coreLimit(c.hard, c.pattern); got != c.want || (err != nil) != c.refused {
			t.Errorf("RLIMIT_CORE with hard limit %d and pattern %q: %d, %v", c.hard, c.pattern, got, err)
		}
	}
	for millis, seconds := range map[int64]uint64{1: 11, 1000: 11, 1001: 12, 2000: 12} {
		for _, r := range rlimits(policy.Limits{CPUMillis: millis}, 1) {
			if r.Resource == unix.RLIMIT_CPU && (r.Soft != seconds || int64(r.Soft)*1000 <= millis) {
				t.Errorf("%d ms: RLIMIT_CPU %d s, want %d", millis, r.Soft, seconds)
			}
		}
	}
}

// Every limit of the policy is in force and told, with what holds it, and the
// kernel has what was granted.
func TestEveryLimitIsTold(t *testing.T) {
	l := newLab(t)
	job := shell("ulimit -n; ulimit -s; ulimit -f; ulimit -c; df -B1 --output=size,itotal /work | tail -1")
	job.Limits = policy.LimitRequest{OpenFiles: ptr[int64](33), StackBytes: ptr[int64](1 << 20), FileBytes: ptr[int64](1 << 20),
		DiskBytes: ptr[int64](1 << 20), DiskFiles: ptr[int64](100)}
	r := l.run(t, job)
	told := map[string]AppliedLimit{}
	for _, a := range r.Limits {
		if _, ok := told[a.Name]; ok || a.EnforcedBy == "" {
			t.Errorf("%s is told twice, or held by nothing: %+v", a.Name, a)
		}
		told[a.Name] = a
	}
	for _, f := range policy.Fields() {
		if _, ok := told[f.Name]; !ok {
			t.Errorf("nothing is told of %s", f.Name)
		}
	}
	for _, a := range told {
		if a.Asked != 0 {
			t.Errorf("%+v, without a scale", a)
		}
	}
	if len(told) != len(policy.Fields()) || r.CPUScale != 0 || told["disk_files"].Value != 100 || told["open_files"].Value != 33 {
		t.Errorf("%+v", r.Limits)
	}
	f := strings.Fields(string(r.Stdout))
	// dash counts -s in KiB and -f, -c in blocks of 512 bytes. The scratch and its
	// three directories are inodes of the cell's own.
	if want := []string{"33", "1024", "2048", "0", "1048576", "104"}; !slices.Equal(f, want) {
		t.Errorf("%q, want %q", f, want)
	}
}
