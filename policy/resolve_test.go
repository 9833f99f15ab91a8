package policy

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestResolveDefaults(t *testing.T) {
	p := sound()
	p.Root.Dirs = []DirRule{{"/opt", "why"}}
	p.Seccomp.Allow = []SyscallRule{{[]string{"ptrace", "tee"}, "a"}, {[]string{"mlockall"}, "b"}}
	p.Seccomp.Deny = []SyscallRule{{[]string{"flock"}, "c"}}
	p.RequireSubuid.Required = true
	g, err := Resolve(Request{}, p)
	if err != nil {
		t.Fatal(err)
	}
	limits := Limits{1000, 2000, 64 * mib, 16, kib, mib, 100, 32, mib, mib, 1}
	want := &Grant{Policy: "sound", Limits: limits, BuildLimits: limits,
		Root:    Root{Kind: RootHost, Dirs: []string{"/opt"}},
		Seccomp: Seccomp{"default", []string{"ptrace", "tee", "mlockall"}, []string{"flock"}},
		Caps:    Caps{4, 4, 4, 4, 4, 4, 4}, RequireSubuid: true}
	if !reflect.DeepEqual(g, want) {
		t.Errorf("got  %+v\nwant %+v", g, want)
	}
}

// TestResolveDenies wants the fields refused, in order.
func TestResolveDenies(t *testing.T) {
	for name, c := range map[string]struct {
		q    Request
		want string
	}{
		"too much memory":    {Request{Limits: LimitRequest{MemoryBytes: ptr[int64](1 << 40)}}, "limits.memory_bytes"},
		"one above":          {Request{Limits: LimitRequest{Pids: ptr[int64](33)}}, "limits.pids"},
		"zero":               {Request{Limits: LimitRequest{WallMillis: ptr[int64](0)}}, "limits.wall_ms"},
		"negative":           {Request{Limits: LimitRequest{OutputBytes: ptr[int64](-1)}}, "limits.output_bytes"},
		"below the floor":    {Request{Limits: LimitRequest{OpenFiles: ptr[int64](7)}}, "limits.open_files"},
		"cpus":               {Request{Limits: LimitRequest{CPUs: ptr(2.01)}}, "limits.cpus"},
		"cpus not a number":  {Request{Limits: LimitRequest{CPUs: ptr(math.NaN())}}, "limits.cpus"},
		"build":              {Request{HasBuild: true, BuildLimits: LimitRequest{CPUMillis: ptr[int64](2001)}}, "build.limits.cpu_ms"},
		"limits of no build": {Request{BuildLimits: LimitRequest{CPUMillis: ptr[int64](1)}}, "build.limits.cpu_ms"},
		"files":              {Request{Files: 5}, "files"},
		"negative files":     {Request{Files: -1}, "files"},
		"stdin":              {Request{StdinBytes: 5}, "stdin"},
		"outputs":            {Request{Outputs: make([]string, 5)}, "outputs"},
		"env":                {Request{Env: make([]string, 5)}, "env"},
		"file bytes":         {Request{FileBytes: mib + 1}, "files"},
		"file bytes, build":  {Request{FileBytes: mib + 1, HasBuild: true}, "files files"},
		"writable root":      {Request{WritableRoot: true}, "writable_root"},
		"root dirs":          {Request{RootDirs: []string{"/opt"}}, "root_dirs"},
		"root dirs, bad": {Request{RootDirs: []string{"/", "opt", "/proc/1", "/srv", "/srv"}},
			"root_dirs root_dirs[0] root_dirs[1] root_dirs[2] root_dirs[4]"},
		"everything": {Request{Limits: LimitRequest{Pids: ptr[int64](0), CPUs: ptr(9.0)}, Files: 9, WritableRoot: true},
			"limits.pids limits.cpus writable_root files"},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := Resolve(c.q, sound())
			var denied *DeniedError
			if g != nil || !errors.As(err, &denied) || !errors.Is(err, ErrDenied) {
				t.Fatalf("grant %v, error %v", g, err)
			}
			var got []string
			for _, d := range denied.Denials {
				got = append(got, d.Field)
				if d.Asked == "" || d.Allowed == "" || d.Hint == "" || !strings.Contains(err.Error(), d.Field) {
					t.Errorf("a part of the denial is missing: %+v in %v", d, err)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("fields %v, want %s", got, c.want)
			}
		})
	}
}

// TestResolveFits: a job's files need inodes as well as bytes, in each scratch
// they are placed in.
func TestResolveFits(t *testing.T) {
	p := sound()
	p.Caps.Files.Max = 50
	few := LimitRequest{DiskFiles: ptr[int64](20)}
	for _, c := range []struct {
		q    Request
		want int // denials
	}{{Request{Limits: few, Files: 20}, 0}, {Request{Limits: few, Files: 21}, 1}, {Request{Files: 21}, 0},
		{Request{BuildLimits: few, HasBuild: true, Files: 21}, 1}, {Request{Limits: few, BuildLimits: few, HasBuild: true, Files: 21}, 2}} {
		_, err := Resolve(c.q, p)
		var denied *DeniedError
		n := 0
		if errors.As(err, &denied) {
			n = len(denied.Denials)
		}
		if n != c.want || c.want == 0 && err != nil {
			t.Errorf("%+v: %v, want %d denials", c.q, err, c.want)
		}
	}
}

func TestResolveRoot(t *testing.T) {
	p := sound()
	p.Root.Writable = &WritableRule{Allowed: true, Reason: "why"}
	p.Root.JobMayChooseDirs.Allowed = true
	g, err := Resolve(Request{WritableRoot: true, RootDirs: []string{"/srv/top", "/home/a/base"}}, p)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Root{Kind: RootDirs, Dirs: []string{"/srv/top", "/home/a/base"}, Writable: true}); !reflect.DeepEqual(g.Root, want) {
		t.Errorf("root %+v, want %+v", g.Root, want)
	}
	p.Root.Writable.Default = true
	if g, err = Resolve(Request{}, p); err != nil || !g.Root.Writable {
		t.Errorf("writable by default: %+v, %v", g, err)
	}
}

func TestResolveRefusesParts(t *testing.T) {
	for name, p := range map[string]*Policy{"extends": child(), "empty": {}} {
		if g, err := Resolve(Request{}, p); g != nil || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: grant %v, error %v", name, g, err)
		}
	}
}

func TestExplain(t *testing.T) {
	q := Request{HasBuild: true, Limits: LimitRequest{Pids: ptr[int64](8), CPUMillis: ptr[int64](9999)}}
	rows, err := Explain(sound(), q)
	if !errors.Is(err, ErrDenied) {
		t.Fatalf("error %v", err)
	}
	found := map[string]Row{}
	for _, r := range rows {
		found[r.Field] = r
		if r.Reason != "why" {
			t.Errorf("%s: reason %q", r.Field, r.Reason)
		}
	}
	for _, want := range []Row{
		{"limits.pids", "8", "32", SourceAsked, "why"},
		{"limits.cpu_ms", "9999", "2000 (2 s)", SourceRefused, "why"},
		{"build.limits.wall_ms", "2000 (2 s)", "4000 (4 s)", SourceDefault, "why"},
		{"root.writable", "false", "false", SourceDefault, "why"},
		{"seccomp.profile", "default", "", SourcePolicy, "why"},
		{"require_subuid", "false", "", SourcePolicy, "why"},
	} {
		if found[want.Field] != want {
			t.Errorf("row %+v, want %+v", found[want.Field], want)
		}
	}
	if n := 2*len(fields) + len(capFields) + 4; len(rows) != n {
		t.Errorf("%d rows, want %d", len(rows), n)
	}
	if _, err := Explain(sound(), Request{}); err != nil {
		t.Errorf("a granted request: %v", err)
	}
}

func TestSet(t *testing.T) {
	for _, f := range fields {
		var q LimitRequest
		if err := q.Set(f.Name, "12"); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if v, ok := f.asked(&q); !ok || v != 12 {
			t.Errorf("%s: set to %v, %v", f.Name, v, ok)
		}
	}
	var q LimitRequest
	for _, bad := range [][2]string{{"cpu_ms", "2s"}, {"cpu_ms", "1.5"}, {"cpus", "x"}, {"memory", "1"}, {"pids", ""}, {"pids", "99999999999999999999"}} {
		if err := q.Set(bad[0], bad[1]); err == nil || !strings.Contains(err.Error(), bad[0]) {
			t.Errorf("Set(%q, %q) = %v", bad[0], bad[1], err)
		}
	}
	if q != (LimitRequest{}) {
		t.Errorf("a refused value was kept: %s", fmt.Sprint(q))
	}
}
