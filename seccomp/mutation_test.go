package seccomp

import (
	"maps"
	"slices"
	"testing"
)

// mutants are ways to get one instruction wrong.
func mutants(in instruction) map[string]instruction {
	out := map[string]instruction{}
	change := func(name string, f func(*instruction)) {
		m := in
		f(&m)
		if m != in {
			out[name] = m
		}
	}
	switch in.code {
	case 0x20:
		change("next word", func(m *instruction) { m.k ^= 4 })
		change("next argument", func(m *instruction) { m.k = (m.k + 8) % 64 })
	case 0x54:
		change("mask with a bit more", func(m *instruction) { m.k |= m.k + 1 })
		change("mask with a bit less", func(m *instruction) { m.k &= m.k - 1 })
	case 0x06:
		change("allow", func(m *instruction) { m.k = actAllow })
		change("report", func(m *instruction) { m.k = actReport })
		change("errno", func(m *instruction) { m.k = actErrno | (m.k+1)&0xff })
	case 0x05:
		change("jump further", func(m *instruction) { m.k++ })
	default:
		change("the other way round", func(m *instruction) { m.jt, m.jf = m.jf, m.jt })
		change("value and one", func(m *instruction) { m.k++ })
		change("value less one", func(m *instruction) { m.k-- })
		change("highest bit", func(m *instruction) { m.k ^= 1 << 31 })
		change("jump further", func(m *instruction) { m.jt++ })
		change("pass further", func(m *instruction) { m.jf++ })
		change("equal becomes at least", func(m *instruction) { m.code = m.code&^0xf0 | 0x30 })
		change("equal becomes above", func(m *instruction) { m.code = m.code&^0xf0 | 0x20 })
	}
	return out
}

// reaching gives for each instruction the calls that come by.
func reaching(t *testing.T, p *Program, m *machine, all []call) [][]int {
	by := make([][]int, len(m.code))
	for i, c := range all {
		clear(m.seen)
		if got := m.must(t, p, c.data); got != c.want {
			t.Fatalf("%s: got %s, want %s", c, actText(got), actText(c.want))
		}
		for pc, seen := range m.seen {
			if seen {
				by[pc] = append(by[pc], i)
			}
		}
	}
	return by
}

// caught: some call gets another answer than the table's, or none.
func caught(p *Program, m *machine, all []call, by []int) bool {
	return slices.ContainsFunc(by, func(i int) bool {
		got, err := m.decide(p, all[i].data)
		return err != nil || got != all[i].want || m.loads&^(all[i].args|1<<0|1<<1) != 0
	})
}

// TestMutation proves that TestReplay can fail: programs with one wrong
// instruction are told from the right one. The few that are not decide the same:
// an instruction is left out that only says once more what is known there. A wrong
// answer, a wrong mask, or a branch the other way round never decides the same.
func TestMutation(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		p, m := compiled(t, Rules{Profile: profile}, a)
		all := calls(table(t, profile, a), a, m)
		by := reaching(t, p, m, all)
		tried, alike := 0, 0
		for pc, right := range m.code {
			if len(by[pc]) == 0 {
				continue // TestReplay says that none is
			}
			mutated := mutants(right)
			for _, name := range slices.Sorted(maps.Keys(mutated)) {
				m.code[pc] = mutated[name]
				tried++
				if caught(p, m, all, by[pc]) {
					continue
				}
				alike++
				if slices.Contains(grave, name) {
					t.Errorf("instruction %d, %+v: %s: nothing notices", pc, right, name)
				}
			}
			m.code[pc] = right
		}
		t.Logf("%d wrong programs, %d of them decide the same", tried, alike)
		if tried < 4*len(m.code) || alike > tried/100 {
			t.Errorf("%d of %d wrong programs were not noticed", alike, tried)
		}
	})
}

// grave are mutants that never decide the same.
var grave = []string{"allow", "report", "errno", "mask with a bit more", "mask with a bit less", "the other way round"}

// ruleSet is what TestRuleMutation compares with.
type ruleSet struct {
	profile string
	rows    map[int]row
	known   map[string]int
}

// noticed compiles the rules as they are now, and says whether the calls of one
// name get another answer than the reviewed table's.
func (s ruleSet) noticed(t *testing.T, name string) bool {
	t.Helper()
	p, m := compiled(t, Rules{Profile: s.profile}, AMD64)
	n, ok := s.known[name]
	if !ok {
		t.Errorf("%s is no call", name)
	}
	return slices.ContainsFunc(s.rows[n].arguments(), func(args [6]uint64) bool {
		return m.must(t, p, data{nr: uint32(n), arch: AMD64.Audit, args: args}) != s.rows[n].decide(args)
	})
}

// TestRuleMutation changes the rules one at a time: each that is lost, and each
// condition that is lost, is noticed.
func TestRuleMutation(t *testing.T) {
	s := ruleSet{"ci", table(t, "ci", AMD64), numbers(t, AMD64)}
	if s.noticed(t, "socket") {
		t.Fatal("wrong before any change")
	}
	for i := range allowGroups {
		right := allowGroups[i].names
		for k, name := range right {
			allowGroups[i].names = slices.Delete(slices.Clone(right), k, k+1)
			if !s.noticed(t, name) {
				t.Errorf("%s was taken away, and nothing notices", name)
			}
		}
		allowGroups[i].names = right
	}
	for _, name := range slices.Sorted(maps.Keys(atOnce)) {
		errno := atOnce[name]
		delete(atOnce, name)
		if !s.noticed(t, name) {
			t.Errorf("%s is no longer answered at once, and nothing notices", name)
		}
		atOnce[name] = errno
	}
	for name, right := range refusals {
		for i := range right {
			refusals[name] = slices.Delete(slices.Clone(right), i, i+1)
			if !s.noticed(t, name) {
				t.Errorf("%s: answer %d was taken away, and nothing notices", name, i)
			}
		}
		refusals[name] = right
	}
	all := tellers
	for i, name := range all {
		if tellers = slices.Delete(slices.Clone(all), i, i+1); !s.noticed(t, name) {
			t.Errorf("%s is allowed without a report, and nothing notices", name)
		}
	}
	tellers = all
	s.conditions(t, conditions)
	for profile, fewer := range narrowed {
		s := ruleSet{profile, table(t, profile, AMD64), s.known}
		s.conditions(t, fewer)
		for name, right := range fewer {
			if delete(fewer, name); !s.noticed(t, name) {
				t.Errorf("%s allows %s in as many ways as the others, and nothing notices", profile, name)
			}
			fewer[name] = right
		}
	}
}

// conditions changes those of one table.
func (s ruleSet) conditions(t *testing.T, in map[string][][]condition) {
	for name, right := range in {
		for i := range right {
			if in[name] = slices.Delete(slices.Clone(right), i, i+1); !s.noticed(t, name) {
				t.Errorf("%s: way %d was taken away, and nothing notices", name, i)
			}
			for k := range right[i] {
				way := slices.Clone(right[i])
				way[k].mask, way[k].value = 0, 0
				in[name] = slices.Clone(right)
				in[name][i] = way
				if !s.noticed(t, name) {
					t.Errorf("%s: way %d no longer looks at argument %d, and nothing notices", name, i, way[k].arg)
				}
			}
		}
		in[name] = right
	}
}
