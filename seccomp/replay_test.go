package seccomp

import (
	"fmt"
	"slices"
	"testing"
)

// Names of architectures in seccomp_data.arch that a kernel of ours can run or a
// filter could be fooled with (linux/audit.h): i386, arm, x86-64, arm64, mips,
// ppc64le, riscv64, s390x, and no architecture at all.
var audits = []uint32{0x40000003, 0x40000028, 0xc000003e, 0xc00000b7, 0x8, 0xc0000015, 0xc00000f3, 0x80000016, 0, 0xffffffff}

// TestReplay runs the program of every profile on every number and every list
// of arguments that could matter, and holds the action against the reviewed
// table. Then no instruction may be left that was never reached.
func TestReplay(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		p, m := compiled(t, Rules{Profile: profile}, a)
		rows, runs := table(t, profile, a), 0
		check := func(d data, want uint32) {
			runs++
			if got := m.must(t, d); got != want {
				t.Errorf("%s (%s): got %s, want %s", d, rows[int(d.nr)].name, actText(got), actText(want))
			}
		}
		for n := range 1024 {
			r, known := rows[n]
			if !known {
				r = row{number: n, act: actReport}
			}
			for _, args := range r.arguments() {
				check(data{uint32(n), a.Audit, 0x7f00_1234_5678, args}, r.decide(args))
			}
			for _, audit := range audits {
				if audit != a.Audit {
					check(data{nr: uint32(n), arch: audit}, actReport)
				}
			}
			check(data{nr: uint32(n) | 0x40000000, arch: a.Audit}, actReport) // x32
		}
		for _, nr := range []uint32{0x3fffffff, 0x7fffffff, 0x80000000, 0xbfffffff, 0xc0000000, 0xfffffffe, 0xffffffff} {
			check(data{nr: nr, arch: a.Audit}, actReport)
		}
		for pc, seen := range m.seen {
			// libseccomp ends every program with a second copy of the answer to a
			// foreign architecture, to which nothing jumps.
			last := pc == len(m.seen)-1 && m.code[pc] == instruction{code: opReturn, k: actReport}
			if !seen && !last {
				t.Errorf("instruction %d of %d is never reached: %+v", pc, p.Instructions(), m.code[pc])
			}
		}
		t.Logf("%d calls, %d instructions", runs, p.Instructions())
	})
}

// TestAnswers holds what the daemon answers to a reported call against the same
// tables: the errno is one of the row's, and the name is the row's.
func TestAnswers(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		p, m := compiled(t, Rules{Profile: profile}, a)
		for n, r := range table(t, profile, a) {
			for _, args := range append(r.arguments(), [6]uint64{1}, [6]uint64{16}) {
				if m.must(t, data{nr: uint32(n), arch: a.Audit, args: args}) != actReport {
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

// TestNotAllAlike: a profile is what its name promises against the others.
func TestNotAllAlike(t *testing.T) {
	for _, a := range arches {
		allowed := map[string]int{}
		for _, profile := range Profiles() {
			for _, r := range table(t, profile, a) {
				if r.act == actAllow {
					allowed[profile]++
				}
			}
			ci := table(t, "ci", a)
			for n, r := range table(t, "strict", a) {
				if r.act == actAllow && ci[n].act != actAllow {
					t.Errorf("%s: strict allows %s, ci does not", a, r.name)
				}
			}
		}
		if !(allowed["strict"] < allowed["default"] && allowed["default"] < allowed["ci"]) {
			t.Errorf("%s: %v", a, allowed)
		}
	}
}
