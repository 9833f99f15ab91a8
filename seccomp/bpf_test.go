package seccomp

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// What a filter returns (linux/seccomp.h).
const (
	actAllow  = 0x7fff0000
	actErrno  = 0x00050000
	actReport = retUserNotif
	// What no filter returns: reported, and let go on by the daemon.
	actTold = actReport | 1
)

// data is struct seccomp_data.
type data struct {
	nr   uint32
	arch uint32
	ip   uint64
	args [6]uint64
}

func (d data) String() string { return fmt.Sprintf("call %d on 0x%x with %x", d.nr, d.arch, d.args) }

// word is the 32-bit word at an offset: both architectures are little-endian, so
// the low half of an argument comes first.
func (d data) word(at uint32) uint32 {
	switch at {
	case 0:
		return d.nr
	case 4:
		return d.arch
	case 8:
		return uint32(d.ip)
	case 12:
		return uint32(d.ip >> 32)
	}
	arg := d.args[(at-16)/8]
	if at%8 == 4 {
		return uint32(arg >> 32)
	}
	return uint32(arg)
}

type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// machine runs a program as the kernel does, and remembers where it has been.
type machine struct {
	code  []instruction
	seen  []bool
	sides [][2]bool // both sides of each branch
	taken [][2]bool // the same, of those that look at bits of an argument
	loads uint32    // of the last run: a bit for each word that it looked at
}

// argumentWords are the bits of loads that stand for arguments.
func argumentWords(args ...uint) uint32 {
	var bits uint32
	for _, a := range args {
		bits |= 3 << (4 + 2*a)
	}
	return bits
}

func newMachine(bpf []byte) (*machine, error) {
	if len(bpf) == 0 || len(bpf)%8 != 0 {
		return nil, fmt.Errorf("%d bytes are no program", len(bpf))
	}
	m := &machine{seen: make([]bool, len(bpf)/8), sides: make([][2]bool, len(bpf)/8), taken: make([][2]bool, len(bpf)/8)}
	for ; len(bpf) > 0; bpf = bpf[8:] {
		m.code = append(m.code, instruction{binary.LittleEndian.Uint16(bpf), bpf[2], bpf[3], binary.LittleEndian.Uint32(bpf[4:])})
	}
	return m, nil
}

// run gives the action for one call. An instruction that it does not know, a
// jump beyond the end and a load outside of the data are errors: the kernel
// refuses such a program. To look at single bits of the number or architecture
// is an error as well: TestReplay's choice of numbers counts on comparisons.
func (m *machine) run(d data) (uint32, error) {
	var acc uint32
	var from uint32 // offset that was loaded
	var bits bool   // some of its bits are left
	m.loads = 0
	for pc := 0; pc < len(m.code); pc++ {
		m.seen[pc] = true
		in := m.code[pc]
		var holds bool
		switch in.code {
		case 0x20: // BPF_LD | BPF_W | BPF_ABS
			if in.k > 60 || in.k%4 != 0 {
				return 0, fmt.Errorf("instruction %d loads at %d", pc, in.k)
			}
			acc, from, bits = d.word(in.k), in.k, true
			m.loads |= 1 << (in.k / 4)
			continue
		case 0x54: // BPF_ALU | BPF_AND | BPF_K
			if from < 16 {
				return 0, fmt.Errorf("instruction %d masks what is no argument", pc)
			}
			acc &= in.k
			bits = bits && in.k != 0
			continue
		case 0x06: // BPF_RET | BPF_K
			return in.k, nil
		case 0x05: // BPF_JMP | BPF_JA
			if uint64(in.k) >= uint64(len(m.code)-pc) {
				return 0, fmt.Errorf("instruction %d jumps out of the program", pc)
			}
			pc += int(in.k)
			continue
		case 0x15: // BPF_JMP | BPF_JEQ | BPF_K
			holds = acc == in.k
		case 0x25: // BPF_JMP | BPF_JGT | BPF_K
			holds = acc > in.k
		case 0x35: // BPF_JMP | BPF_JGE | BPF_K
			holds = acc >= in.k
		case 0x45: // BPF_JMP | BPF_JSET | BPF_K
			if from < 16 {
				return 0, fmt.Errorf("instruction %d looks at bits of what is no argument", pc)
			}
			holds = acc&in.k != 0
		default:
			return 0, fmt.Errorf("instruction %d has the unknown code 0x%x", pc, in.code)
		}
		side, jump := 0, in.jt
		if !holds {
			side, jump = 1, in.jf
		}
		m.sides[pc][side] = true
		if from >= 16 && bits {
			m.taken[pc][side] = true
		}
		pc += int(jump)
	}
	return 0, fmt.Errorf("the program ends without an answer for %s", d)
}

// decide is what becomes of one call: the program's action, or actTold when it
// reports a call that the daemon lets go on.
func (m *machine) decide(p *Program, d data) (uint32, error) {
	act, err := m.run(d)
	if act == actReport && p.lets(d.arch, int(int32(d.nr)), &d.args) {
		act = actTold
	}
	return act, err
}

// must is decide for programs that have to be sound.
func (m *machine) must(t testing.TB, p *Program, d data) uint32 {
	t.Helper()
	act, err := m.decide(p, d)
	if err != nil {
		t.Fatal(err)
	}
	return act
}

func compiled(t testing.TB, r Rules, a Arch) (*Program, *machine) {
	t.Helper()
	p, err := Compile(r, a)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMachine(p.BPF)
	if err != nil {
		t.Fatal(err)
	}
	return p, m
}

// generated is the program of the same rules as libseccomp makes it.
func generated(t testing.TB, r Rules, a Arch) *machine {
	t.Helper()
	allowed, err := r.allowed()
	if err != nil {
		t.Fatal(err)
	}
	code, err := generate(r.Profile, allowed, a)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMachine(code)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func actText(act uint32) string {
	switch {
	case act == actAllow:
		return "allow"
	case act == actReport:
		return "report"
	case act == actTold:
		return "report, and go on"
	case act&0xffff0000 == actErrno:
		return fmt.Sprintf("errno %d", act&0xffff)
	}
	return fmt.Sprintf("action 0x%x", act)
}

// TestMachine runs the evaluator itself on hand-made programs.
func TestMachine(t *testing.T) {
	ins := func(list ...instruction) []byte {
		var b []byte
		for _, i := range list {
			b = binary.LittleEndian.AppendUint16(b, i.code)
			b = append(b, i.jt, i.jf)
			b = binary.LittleEndian.AppendUint32(b, i.k)
		}
		return b
	}
	ret := func(k uint32) instruction { return instruction{code: 0x06, k: k} }
	d := data{nr: 7, arch: 9, ip: 0x1_0000_0002, args: [6]uint64{0x3_0000_0004, 0, 0, 0, 0, 0xa_0000_000b}}
	for name, c := range map[string]struct {
		code []byte
		want uint32
		bad  bool
	}{
		"number":          {ins(instruction{0x20, 0, 0, 0}, instruction{0x15, 0, 1, 7}, ret(1), ret(2)), 1, false},
		"architecture":    {ins(instruction{0x20, 0, 0, 4}, instruction{0x15, 0, 1, 7}, ret(1), ret(2)), 2, false},
		"low half first":  {ins(instruction{0x20, 0, 0, 16}, instruction{0x15, 0, 1, 4}, ret(1), ret(2)), 1, false},
		"high half":       {ins(instruction{0x20, 0, 0, 60}, instruction{0x15, 0, 1, 10}, ret(1), ret(2)), 1, false},
		"greater":         {ins(instruction{0x20, 0, 0, 0}, instruction{0x25, 0, 1, 7}, ret(1), ret(2)), 2, false},
		"greater or same": {ins(instruction{0x20, 0, 0, 0}, instruction{0x35, 0, 1, 7}, ret(1), ret(2)), 1, false},
		"and, any bit":    {ins(instruction{0x20, 0, 0, 16}, instruction{0x54, 0, 0, 6}, instruction{0x45, 0, 1, 3}, ret(1), ret(2)), 2, false},
		"some bit":        {ins(instruction{0x20, 0, 0, 16}, instruction{0x45, 0, 1, 6}, ret(1), ret(2)), 1, false},
		"number masked":   {ins(instruction{0x20, 0, 0, 0}, instruction{0x54, 0, 0, 6}, ret(1)), 0, true},
		"number's bits":   {ins(instruction{0x20, 0, 0, 0}, instruction{0x45, 0, 1, 6}, ret(1), ret(2)), 0, true},
		"jump":            {ins(instruction{0x05, 0, 0, 1}, ret(1), ret(2)), 2, false},
		"jump out":        {ins(instruction{0x05, 0, 0, 9}, ret(1)), 0, true},
		"branch out":      {ins(instruction{0x15, 5, 5, 0}, ret(1)), 0, true},
		"no answer":       {ins(instruction{0x20, 0, 0, 0}), 0, true},
		"unknown code":    {ins(instruction{0x07, 0, 0, 0}, ret(1)), 0, true},
		"load outside":    {ins(instruction{0x20, 0, 0, 64}, ret(1)), 0, true},
		"load unaligned":  {ins(instruction{0x20, 0, 0, 2}, ret(1)), 0, true},
	} {
		m, err := newMachine(c.code)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.run(d)
		if (err != nil) != c.bad || got != c.want {
			t.Errorf("%s: got %d, %v", name, got, err)
		}
	}
	for _, bad := range [][]byte{nil, make([]byte, 7), make([]byte, 9)} {
		if _, err := newMachine(bad); err == nil {
			t.Errorf("%d bytes were taken for a program", len(bad))
		}
	}
}
