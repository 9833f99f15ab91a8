package seccomp

import (
	"fmt"
	"slices"
	"testing"
)

// TestReplay runs the program of every profile, as libseccomp makes it and as it
// is installed, on all calls, and holds the action against the reviewed table. A
// call that the table allows or denies whatever its arguments must not even be
// looked at there. Then no instruction may be left that was never reached, and no
// branch that only ever went one way. (In libseccomp's own, branches by number go
// one way where it compares once too often.)
func TestReplay(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		rows := table(t, profile, a)
		p, installed := compiled(t, Rules{Profile: profile}, a)
		for name, m := range map[string]*machine{"libseccomp's": generated(t, Rules{Profile: profile}, a), "installed": installed} {
			all := calls(rows, a, m)
			for _, c := range all {
				if got := m.must(t, p, c.data); got != c.want {
					t.Errorf("%s: %s (%s): got %s, want %s", name, c, rows[int(c.nr)].name, actText(got), actText(c.want))
				}
				if more := m.loads &^ (c.args | 1<<0 | 1<<1); more != 0 {
					t.Errorf("%s: %s (%s): looks at the words %b as well", name, c, rows[int(c.nr)].name, more)
				}
			}
			covered(t, name, m, m == installed)
			t.Logf("%s: %d calls, %d instructions", name, len(all), len(m.code))
		}
	})
}

func covered(t *testing.T, name string, m *machine, installed bool) {
	for pc, in := range m.code {
		// libseccomp ends every program with a second copy of the answer to a
		// foreign architecture, to which nothing jumps.
		last := !installed && pc == len(m.seen)-1 && in == instruction{code: opReturn, k: actReport}
		if !m.seen[pc] && !last {
			t.Errorf("%s: instruction %d of %d is never reached: %+v", name, pc, len(m.code), in)
		}
		sides := m.taken[pc]
		if installed {
			sides = m.sides[pc]
		}
		if sides[0] != sides[1] {
			t.Errorf("%s: instruction %d of %d only ever goes one way: %+v, %v", name, pc, len(m.code), in, sides)
		}
	}
}

// TestAnswers holds what the daemon answers to a reported call against the same
// tables: the errno is one of the row's, and the name is the row's.
func TestAnswers(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		p, m := compiled(t, Rules{Profile: profile}, a)
		for n, r := range table(t, profile, a) {
			for _, args := range append(r.arguments(), [6]uint64{1}, [6]uint64{16}) {
				if m.must(t, p, data{nr: uint32(n), arch: a.Audit, args: args}) != actReport {
					continue
				}
				got := p.answer(a.Audit, n, args)
				if !slices.Contains(r.errnos, got.errno) || got.fatal || firstWord(got.name) != r.name {
					t.Errorf("%d %s %x: %+v, want one of %v", n, r.name, args, got, r.errnos)
				}
			}
		}
	})
}

func firstWord(s string) string {
	var word string
	fmt.Sscan(s, &word)
	return word
}

func allows(act uint32) bool { return act == actAllow || act == actTold }

// TestNotAllAlike: a profile is what its name promises against the others.
func TestNotAllAlike(t *testing.T) {
	for _, a := range arches {
		allowed := map[string]int{}
		for _, profile := range Profiles() {
			for _, r := range table(t, profile, a) {
				if allows(r.act) {
					allowed[profile]++
				}
			}
			ci := table(t, "ci", a)
			for n, r := range table(t, "strict", a) {
				if allows(r.act) && ci[n].act != r.act {
					t.Errorf("%s: strict allows %s, ci does not", a, r.name)
				}
				for _, way := range r.ways {
					if !slices.ContainsFunc(ci[n].ways, func(other []condition) bool { return slices.Equal(way, other) }) {
						t.Errorf("%s: strict allows %s with %v, ci does not", a, r.name, way)
					}
				}
			}
		}
		if !(allowed["strict"] < allowed["default"] && allowed["default"] < allowed["ci"]) {
			t.Errorf("%s: %v", a, allowed)
		}
	}
}
