package seccomp

import (
	"strconv"
	"strings"
	"testing"
)

// TestWhy: each call that is denied and counted has a reason, and those in the table are calls.
func TestWhy(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range denials {
		for _, name := range d.names {
			if seen[name] {
				t.Errorf("%s stands twice", name)
			}
			seen[name] = true
			if !Known(name) && name != "clone3" && name != "nfsservctl" && name != "_sysctl" && name != "stime" && name != "uselib" {
				t.Errorf("%s is no call", name)
			}
		}
	}
	p, err := Compile(Rules{Profile: "default", Deny: []string{"flock"}}, Native())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"ptrace": "debuggers", "bpf": "programs into the kernel", "flock": "the policy takes it away", "clone": "flags without CLONE_NEWNS",
		"socket": "with certain arguments only", "no_such_call": "not on the list of what profile default allows"} {
		if got := p.Why(name); !strings.Contains(got, want) || strings.Contains(got, "\n") || len(got) > 400 {
			t.Errorf("%s: %q", name, got)
		}
	}
	strict, err := Compile(Rules{Profile: "strict"}, Native())
	if err != nil {
		t.Fatal(err)
	}
	if got := strict.Why("socket"); !strings.Contains(got, "opens sockets") {
		t.Errorf("%q", got)
	}
}

// TestFilterSummary: the numbers are those of the description.
func TestFilterSummary(t *testing.T) {
	for _, profile := range Profiles() {
		p, err := Compile(Rules{Profile: profile}, Native())
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := Describe(&text, Rules{Profile: profile}, Native()); err != nil {
			t.Fatal(err)
		}
		s := p.Summary()
		for line, n := range map[string]int{"allowed, with any argument: ": s.Allowed, "allowed on a condition: ": s.Conditional,
			"answered at once by the kernel, not counted: ": s.Answered, "denied, counted in the result: ": s.Denied} {
			if want := line + strconv.Itoa(n) + "\n"; !strings.Contains(text.String(), want) {
				t.Errorf("%s: no %q", profile, want)
			}
		}
	}
}
