package seccomp

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// The kernel checks, translates and tries out a program each time that it is
// installed, once for each cell, and that takes the longer the more instructions
// there are. libseccomp asks for each number by itself; but most calls that are
// treated alike have numbers in a row. So its program is read as a graph of
// decisions, the numbers are sorted into ranges, and the program is written anew:
// a tree of comparisons with the ranges' first numbers, and below it what
// libseccomp has made for the arguments, once for all calls that share it.

// step is one instruction that knows what comes after it, instead of how far to
// jump. Steps that do the same are one.
type step struct {
	op      uint16
	k       uint32
	yes, no *step // yes is also what follows a load or a mask
}

const (
	opLoad   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opMask   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opReturn = unix.BPF_RET | unix.BPF_K
	opGo     = unix.BPF_JMP | unix.BPF_JA
	opEqual  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opAbove  = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opFrom   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opBits   = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K

	atNumber, atArch = 0, 4 // in struct seccomp_data
)

// graph holds the steps, each once.
type graph map[step]*step

// add gives the step, or one that does the same with less.
func (g graph) add(s step) *step {
	fresh := func(s *step) bool { return s.op == opLoad || s.op == opReturn } // what is loaded does not matter there
	switch {
	case s.op == opLoad && fresh(s.yes), s.op == opMask && s.k == low, s.yes != nil && s.yes == s.no:
		return s.yes
	case s.op == opMask && s.k == 0 && s.yes.op == opEqual && s.yes.k == 0 && fresh(s.yes.yes):
		return s.yes.yes // the upper half of an int: masked to nothing, and compared with that
	}
	if g[s] == nil {
		g[s] = &s
	}
	return g[s]
}

// shrink gives a program that decides as the given one does.
func shrink(code []byte, a Arch) ([]byte, error) {
	g := graph{}
	root, limits, err := g.read(code)
	if err != nil {
		return nil, err
	}
	if root.op != opLoad || root.k != atArch || root.yes.op != opEqual || root.yes.k != a.Audit || root.yes.no.op != opReturn {
		return nil, strange("does not begin with the architecture")
	}
	if root.yes.yes.op != opLoad || root.yes.yes.k != atNumber {
		return nil, strange("does not go on with the number")
	}
	var starts []uint32
	var what []*step
	for _, number := range limits {
		s, err := root.yes.yes.at(number)
		if err != nil {
			return nil, err
		}
		if len(what) == 0 || s != what[len(what)-1] {
			starts, what = append(starts, number), append(what, s)
		}
	}
	numbers := g.add(step{opLoad, atNumber, g.tree(starts, what), nil})
	w := writer{at: map[*step]int{}}
	w.write(g.add(step{opLoad, atArch, g.add(step{opEqual, a.Audit, numbers, root.yes.no}), nil}))
	return w.code(), nil
}

// strange is a program that is not as libseccomp has made them so far.
func strange(format string, args ...any) error {
	return fmt.Errorf("seccomp: the program that libseccomp made "+format+"; build with libseccomp 2.5 or 2.6, whose programs are known", args...)
}

// read gives the first step, and all numbers at which a comparison can turn out
// otherwise than for the number before. All jumps lead forward, so it begins at
// the end.
func (g graph) read(code []byte) (*step, []uint32, error) {
	n := len(code) / 8
	steps := make([]*step, n+1) // of nothing beyond the end
	limits := []uint32{0}
	for pc := n - 1; pc >= 0; pc-- {
		b := code[8*pc:]
		s := step{op: binary.LittleEndian.Uint16(b), k: binary.LittleEndian.Uint32(b[4:])}
		yes, no := uint64(0), uint64(0)
		switch s.op {
		case opEqual, opAbove, opFrom, opBits:
			yes, no = uint64(b[2]), uint64(b[3])
			limits = append(limits, s.k, s.k+1) // beyond the last number comes 0, which is there already
		case opGo:
			yes = uint64(s.k)
		case opLoad, opMask, opReturn:
		default:
			return nil, nil, strange("has the unknown code 0x%x as instruction %d", s.op, pc)
		}
		if s.op == opReturn {
			steps[pc] = g.add(s)
			continue
		}
		if yes, no = yes+uint64(pc)+1, no+uint64(pc)+1; max(yes, no) >= uint64(n) {
			return nil, nil, strange("is left by instruction %d", pc)
		}
		switch s.yes = steps[yes]; s.op {
		case opGo:
			steps[pc] = s.yes
			continue
		case opEqual, opAbove, opFrom, opBits:
			s.no = steps[no]
		}
		steps[pc] = g.add(s)
	}
	slices.Sort(limits)
	return steps[0], slices.Compact(limits), nil
}

// at follows the steps for one number, up to a return or to the first look at
// something else.
func (s *step) at(number uint32) (*step, error) {
	for {
		holds := true
		switch s.op {
		case opLoad:
			if s.k != atNumber {
				return s, nil
			}
		case opReturn:
			return s, nil
		case opEqual:
			holds = number == s.k
		case opAbove:
			holds = number > s.k
		case opFrom:
			holds = number >= s.k
		default:
			return nil, strange("looks at bits of the number")
		}
		if holds {
			s = s.yes
		} else {
			s = s.no
		}
	}
}

// tree decides between ranges of numbers, given by their first ones, in as few
// comparisons as there can be.
func (g graph) tree(starts []uint32, what []*step) *step {
	if len(what) == 1 {
		return what[0]
	}
	half := len(what) / 2
	return g.add(step{opFrom, starts[half], g.tree(starts[half:], what[half:]), g.tree(starts[:half], what[:half])})
}
