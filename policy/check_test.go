package policy

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// TestCheck breaks one thing of a sound policy at a time and wants exactly the
// fields named, each with given, allowed and fix.
func TestCheck(t *testing.T) {
	rule := func(f func(*Rule[int64])) func(*Policy) { return func(p *Policy) { f(p.Limits.CPUMillis) } }
	for name, c := range map[string]struct {
		change func(*Policy)
		want   []string
	}{
		"name missing":         {func(p *Policy) { p.Name = "" }, []string{"name"}},
		"name upper case":      {func(p *Policy) { p.Name = "Judge" }, []string{"name"}},
		"name with slash":      {func(p *Policy) { p.Name = "a/b" }, []string{"name"}},
		"name too long":        {func(p *Policy) { p.Name = strings.Repeat("a", 33) }, []string{"name"}},
		"description missing":  {func(p *Policy) { p.Description = " " }, []string{"description"}},
		"description escape":   {func(p *Policy) { p.Description = "a\x1b[2J" }, []string{"description"}},
		"extends shape":        {func(p *Policy) { p.Extends = "../x" }, []string{"extends"}},
		"limit missing":        {func(p *Policy) { p.Limits.WallMillis = nil }, []string{"limits.wall_ms.default", "limits.wall_ms.max"}},
		"build limit missing":  {func(p *Policy) { p.BuildLimits.Pids = nil }, []string{"build_limits.pids.default", "build_limits.pids.max"}},
		"limit without reason": {rule(func(r *Rule[int64]) { r.Reason = "\n" }), []string{"limits.cpu_ms.reason"}},
		"limit without max":    {rule(func(r *Rule[int64]) { r.Max = nil }), []string{"limits.cpu_ms.max"}},
		"limit empty": {rule(func(r *Rule[int64]) { r.Max, r.Default = nil, nil }),
			[]string{"limits.cpu_ms", "limits.cpu_ms.default", "limits.cpu_ms.max"}},
		"default above max": {rule(func(r *Rule[int64]) { r.Default = ptr[int64](2001) }), []string{"limits.cpu_ms.default"}},
		"default zero":      {rule(func(r *Rule[int64]) { r.Default = ptr[int64](0) }), []string{"limits.cpu_ms.default"}},
		"max too large": {rule(func(r *Rule[int64]) { r.Max = ptr[int64](math.MaxInt64) }),
			[]string{"limits.cpu_ms.max"}},
		"cpus not a number": {func(p *Policy) { p.Limits.CPUs.Max = ptr(math.NaN()) }, []string{"limits.cpus.max"}},
		"cpus too small":    {func(p *Policy) { p.Limits.CPUs.Default = ptr(0.009) }, []string{"limits.cpus.default"}},
		"root kind unknown": {func(p *Policy) { p.Root.Kind = "image" }, []string{"root.kind"}},
		"root kind missing": {func(p *Policy) { p.Root.Kind = "" }, []string{"root.reason", "root.kind"}},
		"root reason":       {func(p *Policy) { p.Root.Reason = "" }, []string{"root.reason"}},
		"dirs without any":  {func(p *Policy) { p.Root.Kind = RootDirs }, []string{"root.dirs"}},
		"dir relative":      {func(p *Policy) { p.Root.Dirs = []DirRule{{"opt", "why"}} }, []string{"root.dirs[0].path"}},
		"dir not clean":     {func(p *Policy) { p.Root.Dirs = []DirRule{{"/opt/../home", "why"}} }, []string{"root.dirs[0].path"}},
		"dir root":          {func(p *Policy) { p.Root.Dirs = []DirRule{{"/", "why"}} }, []string{"root.dirs[0].path"}},
		"dir private":       {func(p *Policy) { p.Root.Dirs = []DirRule{{"/home/a", "why"}} }, []string{"root.dirs[0].path"}},
		"dir kernel": {func(p *Policy) { p.Root.Kind = RootDirs; p.Root.Dirs = []DirRule{{"/proc", "why"}} },
			[]string{"root.dirs[0].path"}},
		"dir colon":        {func(p *Policy) { p.Root.Dirs = []DirRule{{"/opt/a:b", "why"}} }, []string{"root.dirs[0].path"}},
		"dir reason":       {func(p *Policy) { p.Root.Dirs = []DirRule{{"/opt", ""}} }, []string{"root.dirs[0].reason"}},
		"dir twice":        {func(p *Policy) { p.Root.Dirs = []DirRule{{"/opt", "a"}, {"/opt", "b"}} }, []string{"root.dirs[1].path"}},
		"dirs too many":    {func(p *Policy) { p.Root.Dirs = manyDirs(33) }, []string{"root.dirs"}},
		"writable missing": {func(p *Policy) { p.Root.Writable = nil }, []string{"root.writable"}},
		"writable reason":  {func(p *Policy) { p.Root.Writable.Reason = "" }, []string{"root.writable.reason"}},
		"writable default": {func(p *Policy) { p.Root.Writable.Default = true }, []string{"root.writable.default"}},
		"choice missing":   {func(p *Policy) { p.Root.JobMayChooseDirs = nil }, []string{"root.job_may_choose_dirs"}},
		"choice reason":    {func(p *Policy) { p.Root.JobMayChooseDirs.Reason = "" }, []string{"root.job_may_choose_dirs.reason"}},
		"profile unknown":  {func(p *Policy) { p.Seccomp.Profile = "none" }, []string{"seccomp.profile"}},
		"profile missing":  {func(p *Policy) { p.Seccomp = SeccompRules{} }, []string{"seccomp.profile"}},
		"profile reason":   {func(p *Policy) { p.Seccomp.Reason = "" }, []string{"seccomp.reason"}},
		"syscall shape": {func(p *Policy) { p.Seccomp.Allow = []SyscallRule{{[]string{"open at", "9p"}, "why"}} },
			[]string{"seccomp.allow[0].syscalls[0]", "seccomp.allow[0].syscalls[1]"}},
		"syscall unknown": {func(p *Policy) { p.Seccomp.Deny = []SyscallRule{{[]string{"openat", "frobnicate"}, "why"}} },
			[]string{"seccomp.deny[0].syscalls[1]"}},
		"syscall twice": {func(p *Policy) {
			p.Seccomp.Allow = []SyscallRule{{[]string{"openat"}, "why"}}
			p.Seccomp.Deny = []SyscallRule{{[]string{"openat"}, "why"}}
		}, []string{"seccomp.deny[0].syscalls[0]"}},
		"syscalls none":   {func(p *Policy) { p.Seccomp.Allow = []SyscallRule{{nil, "why"}} }, []string{"seccomp.allow[0].syscalls"}},
		"syscalls reason": {func(p *Policy) { p.Seccomp.Allow = []SyscallRule{{[]string{"openat"}, ""}} }, []string{"seccomp.allow[0].reason"}},
		"cap missing":     {func(p *Policy) { p.Caps.EnvVars = nil }, []string{"caps.env_vars"}},
		"cap negative":    {func(p *Policy) { p.Caps.Files.Max = -1 }, []string{"caps.files.max"}},
		"cap too large":   {func(p *Policy) { p.Caps.StdinBytes.Max = gib + 1 }, []string{"caps.stdin_bytes.max"}},
		"cap reason":      {func(p *Policy) { p.Caps.Outputs.Reason = "" }, []string{"caps.outputs.reason"}},
		"subuid missing":  {func(p *Policy) { p.RequireSubuid = nil }, []string{"require_subuid"}},
		"subuid reason":   {func(p *Policy) { p.RequireSubuid.Reason = "" }, []string{"require_subuid.reason"}},
		"all at once": {func(p *Policy) { p.Name = "X"; p.Caps.Files.Max = -1; p.Limits.CPUs.Reason = "" },
			[]string{"name", "limits.cpus.reason", "caps.files.max"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := sound()
			c.change(p)
			problems := Check(p, func(s string) bool { return s != "frobnicate" })
			var got []string
			for _, pr := range problems {
				got = append(got, pr.Field)
				if pr.Given == "" || pr.Allowed == "" || pr.Fix == "" {
					t.Errorf("a part of the problem is missing: %+v", pr)
				}
			}
			if strings.Join(got, " ") != strings.Join(c.want, " ") {
				t.Fatalf("fields %v, want %v\n%v", got, c.want, problems)
			}
			if _, err := Resolve(Request{}, p); name != "syscall unknown" && !errors.Is(err, ErrInvalid) {
				t.Errorf("Resolve took the broken policy: %v", err)
			}
		})
	}
}

func manyDirs(n int) []DirRule {
	dirs := make([]DirRule, n)
	for i := range dirs {
		dirs[i] = DirRule{"/opt/" + strings.Repeat("x", i+1), "why"}
	}
	return dirs
}

// TestFields holds the table itself: bounds in order and exact in float64, and
// names that stand once.
func TestFields(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Fields() {
		if !(f.Floor > 0 && f.Floor < f.Ceiling && f.Ceiling < 1<<53) {
			t.Errorf("%s: floor %v and ceiling %v", f.Name, f.Floor, f.Ceiling)
		}
		if seen[f.Name] || f.Meaning == "" || f.Why == "" {
			t.Errorf("%s: stands twice or has no text", f.Name)
		}
		seen[f.Name] = true
	}
}

func TestQuantity(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{{268435456, "bytes", "268435456 (256 MiB)"}, {1.5 * gib, "bytes", "1610612736 (1.5 GiB)"}, {1000, "bytes", "1000"},
		{0, "bytes", "0"}, {15000, "ms", "15000 (15 s)"}, {90000, "ms", "90000 (1.5 min)"}, {day, "ms", "86400000 (1 d)"},
		{7, "", "7"}, {0.25, "", "0.25"}, {-5, "ms", "-5"}, {tib, "bytes", "1099511627776 (1 TiB)"}} {
		if got := Quantity(c.v, c.unit); got != c.want {
			t.Errorf("Quantity(%v, %q) = %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}
