package policy

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func lookup(docs ...*Policy) func(*Policy, string) *Policy {
	return func(_ *Policy, name string) *Policy {
		for _, d := range docs {
			if d.Name == name {
				return d
			}
		}
		return nil
	}
}

// child extends the sound policy and writes nothing itself.
func child() *Policy { return &Policy{Name: "child", Description: "A child.", Extends: "sound"} }

func TestFlattenTakesOverEverything(t *testing.T) {
	got, err := Flatten(child(), lookup(sound()))
	if err != nil {
		t.Fatal(err)
	}
	want := sound()
	want.Name, want.Description = "child", "A child."
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if problems := Check(got, nil); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}

// TestFlattenOverrides writes each part in the child and wants it, and it alone,
// changed.
func TestFlattenOverrides(t *testing.T) {
	rules := func(names ...string) []SyscallRule { return []SyscallRule{{names, "why"}} }
	for name, c := range map[string]struct{ parent, child, want func(*Policy) }{
		"limit default": {nil,
			func(p *Policy) { p.Limits.Pids = &Rule[int64]{Default: ptr[int64](3), Reason: "few"} },
			func(p *Policy) { p.Limits.Pids = &Rule[int64]{ptr[int64](3), ptr[int64](32), "few"} }},
		"limit max": {nil,
			func(p *Policy) { p.BuildLimits.CPUs = &Rule[float64]{Max: ptr(8.0), Reason: "many"} },
			func(p *Policy) { p.BuildLimits.CPUs = &Rule[float64]{ptr(1.0), ptr(8.0), "many"} }},
		"root kind drops directories": {
			func(p *Policy) { p.Root.Dirs = []DirRule{{"/opt", "why"}} },
			func(p *Policy) { p.Root.Kind, p.Root.Reason = RootDirs, "own" },
			func(p *Policy) { p.Root.Kind, p.Root.Reason, p.Root.Dirs = RootDirs, "own", nil }},
		"root directories replaced": {
			func(p *Policy) { p.Root.Dirs = []DirRule{{"/opt", "why"}} },
			func(p *Policy) { p.Root.Dirs = []DirRule{{"/srv", "why"}} },
			func(p *Policy) { p.Root.Dirs = []DirRule{{"/srv", "why"}} }},
		"root directories kept": {
			func(p *Policy) { p.Root.Dirs = []DirRule{{"/opt", "why"}} }, func(*Policy) {},
			func(p *Policy) { p.Root.Dirs = []DirRule{{"/opt", "why"}} }},
		"writable": {nil,
			func(p *Policy) { p.Root.Writable = &WritableRule{true, true, "yes"} },
			func(p *Policy) { p.Root.Writable = &WritableRule{true, true, "yes"} }},
		"choice": {nil,
			func(p *Policy) { p.Root.JobMayChooseDirs = &ChoiceRule{true, "yes"} },
			func(p *Policy) { p.Root.JobMayChooseDirs = &ChoiceRule{true, "yes"} }},
		"profile": {nil,
			func(p *Policy) { p.Seccomp.Profile, p.Seccomp.Reason = "ci", "yes" },
			func(p *Policy) { p.Seccomp.Profile, p.Seccomp.Reason = "ci", "yes" }},
		"syscalls add up": {
			func(p *Policy) { p.Seccomp.Allow, p.Seccomp.Deny = rules("ptrace"), rules("flock") },
			func(p *Policy) { p.Seccomp.Allow, p.Seccomp.Deny = rules("mlockall"), rules("tee") },
			func(p *Policy) {
				p.Seccomp.Allow = append(rules("ptrace"), rules("mlockall")...)
				p.Seccomp.Deny = append(rules("flock"), rules("tee")...)
			}},
		"child denies what parent allows": {
			func(p *Policy) { p.Seccomp.Allow = rules("ptrace", "mlockall") },
			func(p *Policy) { p.Seccomp.Deny = rules("ptrace") },
			func(p *Policy) { p.Seccomp.Allow, p.Seccomp.Deny = rules("mlockall"), rules("ptrace") }},
		"child states a denial again": {
			func(p *Policy) { p.Seccomp.Deny = rules("tee") },
			func(p *Policy) { p.Seccomp.Deny = []SyscallRule{{[]string{"tee"}, "nearer"}} },
			func(p *Policy) { p.Seccomp.Deny = []SyscallRule{{[]string{"tee"}, "nearer"}} }},
		"cap": {nil,
			func(p *Policy) { p.Caps.Files = &CapRule{9, "yes"} },
			func(p *Policy) { p.Caps.Files = &CapRule{9, "yes"} }},
		"subuid": {nil,
			func(p *Policy) { p.RequireSubuid = &SubuidRule{true, "yes"} },
			func(p *Policy) { p.RequireSubuid = &SubuidRule{true, "yes"} }},
	} {
		t.Run(name, func(t *testing.T) {
			parent, kid, want := sound(), child(), sound()
			if c.parent != nil {
				c.parent(parent)
			}
			c.child(kid)
			want.Name, want.Description = "child", "A child."
			c.want(want)
			before := []string{asJSON(t, parent), asJSON(t, kid)}
			got, err := Flatten(kid, lookup(parent))
			if err != nil {
				t.Fatal(err)
			}
			if g, w := asJSON(t, got), asJSON(t, want); g != w {
				t.Errorf("got  %s\nwant %s", g, w)
			}
			scribble(got)
			if after := []string{asJSON(t, parent), asJSON(t, kid)}; !reflect.DeepEqual(before, after) {
				t.Errorf("the whole policy shares memory with the documents")
			}
		})
	}
}

// scribble writes over everything a policy points to.
func scribble(p *Policy) {
	for _, l := range []*LimitRules{&p.Limits, &p.BuildLimits} {
		*l.Pids.Default, *l.Pids.Max, l.Pids.Reason = 7, 7, "scribble"
		*l.CPUs.Default, *l.CPUs.Max = 7, 7
	}
	for i := range p.Root.Dirs {
		p.Root.Dirs[i].Path = "scribble"
	}
	p.Root.Writable.Reason, p.Root.JobMayChooseDirs.Reason = "scribble", "scribble"
	for _, rules := range [][]SyscallRule{p.Seccomp.Allow, p.Seccomp.Deny} {
		for i := range rules {
			rules[i].Syscalls[0], rules[i].Reason = "scribble", "scribble"
		}
	}
	p.Caps.Files.Max, p.RequireSubuid.Reason = 7, "scribble"
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFlattenRefuses(t *testing.T) {
	named := func(name, extends string) *Policy { return &Policy{Name: name, Description: "d", Extends: extends} }
	var chain []*Policy
	for c := 'a'; c < 'a'+maxDepth+1; c++ {
		chain = append(chain, named(string(c), string(c+1)))
	}
	chain[len(chain)-1].Extends = ""
	denies, allows := sound(), child()
	denies.Seccomp.Deny = []SyscallRule{{[]string{"ptrace"}, "why"}}
	allows.Seccomp.Allow = []SyscallRule{{[]string{"tee", "ptrace"}, "why"}}
	for name, c := range map[string]struct {
		docs  []*Policy
		field string
		want  string
	}{
		"missing parent": {[]*Policy{named("a", "b")}, "extends", "does not exist"},
		"self":           {[]*Policy{named("a", "a")}, "extends", "a circle: a → a"},
		"circle":         {[]*Policy{named("a", "b"), named("b", "c"), named("c", "b")}, "extends", "a circle: a → b → c → b"},
		"too deep":       {chain, "extends", "more than 8"},
		"denied above":   {[]*Policy{allows, denies}, "seccomp.allow[0].syscalls[1]", "ptrace"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Flatten(c.docs[0], lookup(c.docs...))
			var invalid *InvalidError
			if !errors.As(err, &invalid) || !errors.Is(err, ErrInvalid) {
				t.Fatalf("error %v", err)
			}
			if p := invalid.Problems[0]; p.Field != c.field || !strings.Contains(p.Given, c.want) {
				t.Errorf("problem %+v, want field %s and %q", p, c.field, c.want)
			}
		})
	}
	if _, err := Flatten(chain[1], lookup(chain...)); err != nil {
		t.Errorf("a chain of %d: %v", maxDepth, err)
	}
}
