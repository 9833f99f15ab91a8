package seccomp

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	lib "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// TestPolicyOnTop compares a program with the one of its bare profile: exactly
// what the policy names is different.
func TestPolicyOnTop(t *testing.T) {
	for name, c := range map[string]struct {
		allow, deny []string
		want        map[string]uint32 // calls that changed in the default profile, without arguments
	}{
		"nothing":               {nil, nil, map[string]uint32{}},
		"allow":                 {[]string{"ptrace", "keyctl"}, nil, map[string]uint32{"ptrace": actAllow, "keyctl": actAllow}},
		"allow at once":         {[]string{"sync", "clone3"}, nil, map[string]uint32{"sync": actAllow, "clone3": actAllow}},
		"allow what is allowed": {[]string{"flock", "clone"}, nil, map[string]uint32{}},
		"deny":                  {nil, []string{"flock", "getrandom"}, map[string]uint32{"flock": actReport, "getrandom": actReport}},
		"deny a condition":      {nil, []string{"personality"}, map[string]uint32{"personality": actReport}},
		"deny at once":          {nil, []string{"clone3"}, map[string]uint32{}},
		"deny wins":             {[]string{"ptrace", "bpf"}, []string{"ptrace"}, map[string]uint32{"bpf": actAllow}},
		"one architecture only": {[]string{"modify_ldt"}, nil, map[string]uint32{"modify_ldt": actAllow}},
	} {
		for _, a := range arches {
			p, plain := compiled(t, Rules{Profile: "default"}, a)
			q, with := compiled(t, Rules{Profile: "default", Allow: c.allow, Deny: c.deny}, a)
			known := numbers(t, a)
			for call, n := range known {
				d := data{nr: uint32(n), arch: a.Audit}
				want, changed := c.want[call]
				if !changed {
					want = plain.must(t, p, d)
				}
				if got := with.must(t, q, d); got != want {
					t.Errorf("%s, %s: %s is %s, want %s", name, a, call, actText(got), actText(want))
				}
			}
		}
	}
}

// TestNewer: calls that libseccomp has no name for can be allowed all the same.
// For another architecture it needs the name, and a rule that cannot be kept is
// an error, not a rule less.
func TestNewer(t *testing.T) {
	for _, a := range arches {
		known := numbers(t, a)
		for name, n := range newer {
			p, err := Compile(Rules{Profile: "default", Allow: []string{name}}, a)
			if err != nil {
				if _, none := lib.GetSyscallFromName(name); a == Native() || none == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("%s: %v", a, err)
				}
				continue
			}
			m, err := newMachine(p.BPF)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.must(t, p, data{nr: uint32(n), arch: a.Audit}); got != actAllow || known[name] != n {
				t.Errorf("%s: %s is %s", a, name, actText(got))
			}
		}
	}
}

// TestAllowKeepsConditions: to allow a call again does not widen it.
func TestAllowKeepsConditions(t *testing.T) {
	for _, a := range arches {
		for _, profile := range Profiles() {
			p, m := compiled(t, Rules{Profile: profile}, a)
			known := numbers(t, a)
			var all []string
			for name := range conditions {
				// What the profile does not allow at all would be new.
				if slices.ContainsFunc(ways(profile, name), func(way []condition) bool {
					d := data{nr: uint32(known[name]), arch: a.Audit}
					for _, c := range way {
						d.args[c.arg] = c.value
					}
					return allows(m.must(t, p, d))
				}) {
					all = append(all, name)
				}
			}
			slices.Sort(all)
			again, _ := compiled(t, Rules{Profile: profile, Allow: all}, a)
			if len(all) < 10 || !slices.Contains(all, "fcntl") || !reflect.DeepEqual(p, again) {
				t.Errorf("%s, %s: the program changed by %v", profile, a, all)
			}
		}
		p, m := compiled(t, Rules{Profile: "strict", Allow: []string{"socket"}}, a)
		n := uint32(numbers(t, a)["socket"])
		for family, want := range map[uint64]uint32{unix.AF_INET: actTold, unix.AF_VSOCK: actReport} {
			if got := m.must(t, p, data{nr: n, arch: a.Audit, args: [6]uint64{family, 1}}); got != want {
				t.Errorf("%s: strict with socket, family %d: %s", a, family, actText(got))
			}
		}
	}
}

// TestRefusals: rules that cannot be kept are refused, with what is allowed.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		rules Rules
		say   []string
	}{
		"no profile":      {Rules{}, []string{`""`, "default, strict, ci"}},
		"unknown profile": {Rules{Profile: "none"}, []string{`"none"`, "default, strict, ci"}},
		"misspelt":        {Rules{Profile: "ci", Allow: []string{"openatt"}}, []string{`"openatt"`, "openat"}},
		"misspelt deny":   {Rules{Profile: "ci", Deny: []string{"ptracee"}}, []string{`"ptracee"`, "ptrace"}},
		"empty":           {Rules{Profile: "ci", Allow: []string{""}}, []string{`""`, "read"}},
		"nothing like it": {Rules{Profile: "ci", Allow: []string{"Xyz"}}, []string{`"Xyz"`, "read"}},
		"upper case":      {Rules{Profile: "ci", Deny: []string{"Ptrace"}}, []string{`"Ptrace"`}},
		"C's end":         {Rules{Profile: "ci", Deny: []string{"ptrace\x00"}}, []string{`"ptrace\x00"`, "ptrace"}},
		"other machine":   {Rules{Profile: "ci", Allow: []string{"socketcall"}}, []string{"socketcall", "socket"}},
		"needed":          {Rules{Profile: "ci", Deny: []string{"execve"}}, []string{"execve cannot be denied"}},
	} {
		for _, a := range arches {
			_, err := Compile(c.rules, a)
			if err == nil {
				t.Errorf("%s: no error", name)
				continue
			}
			for _, part := range c.say {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %q does not say %q", name, err, part)
				}
			}
			if dumpErr := Dump(&bytes.Buffer{}, c.rules, a); dumpErr == nil || dumpErr.Error() != err.Error() {
				t.Errorf("%s: Dump says %v", name, dumpErr)
			}
		}
	}
	for _, name := range needed {
		if _, err := Compile(Rules{Profile: "default", Deny: []string{name}}, Native()); err == nil {
			t.Errorf("%s can be denied", name)
		}
	}
}

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, unix.ENOSPC
	}
	return len(p), nil
}

// TestDumpPolicy: the table shows a policy's own calls, and a full disk is an error.
func TestDumpPolicy(t *testing.T) {
	var out bytes.Buffer
	if err := Dump(&out, Rules{"default", []string{"ptrace"}, []string{"flock"}}, AMD64); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"101 ptrace                   allow  # the policy's own\n", " 73 flock                    EPERM reported\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no line %q", line)
		}
	}
	for _, after := range []int{0, 1, 2, 3} {
		if err := Dump(&failing{after}, Rules{Profile: "default"}, AMD64); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("a disk that is full after %d writes: %v", after, err)
		}
	}
}
