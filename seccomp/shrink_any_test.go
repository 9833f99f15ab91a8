package seccomp

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// random makes a program of the kind that libseccomp makes, from any bytes: first
// only numbers are compared, then come checks of arguments, of which every fifth
// instruction is a load. To those lead the ways from the numbers, and from one to
// another whatever way. All lead forward.
func random(b []byte) []instruction {
	code := []instruction{{0x20, 0, 0, 4}, {0x15, 1, 0, AMD64.Audit}, {0x06, 0, 0, actReport}, {0x20, 0, 0, 0}}
	count := len(b) / 4
	first := count / 3
	pick := func(from []uint32, by byte) uint32 { return from[int(by)%len(from)] }
	for i := range count {
		numbers, op, k := i < first, b[4*i], b[4*i+1]
		jump := func(by byte) uint8 {
			to := i + 1 + int(by)%8
			if numbers && to > first {
				to += (5 - (to-first)%5) % 5
			}
			return uint8(min(to, count) - i - 1)
		}
		in := instruction{jt: jump(b[4*i+2]), jf: jump(b[4*i+3]), k: pick([]uint32{0, 0, 0, 1, 2, 3, 6, 7, 40, 41, low - 1, low}, k)}
		switch {
		case !numbers && ((i-first)%5 == 0 || op%9 == 0):
			in = instruction{code: opLoad, k: pick([]uint32{16, 20, 24, 28}, k)}
		case !numbers && op%9 < 3:
			in = instruction{code: opMask, k: in.k}
		case !numbers && op%9 == 3:
			in.code = opBits
		case op%9 == 4 && i > 0:
			in = instruction{code: opReturn, k: pick([]uint32{actAllow, actReport, actErrno, actErrno | 1}, k)}
		case op%9 == 5 && i > 0:
			in = instruction{code: opGo, k: uint32(in.jt)}
		case op%9 == 6:
			in.code = opAbove
		case op%9 == 7:
			in.code = opFrom
		default:
			in.code = opEqual
		}
		code = append(code, in)
	}
	return append(code, instruction{0x06, 0, 0, actReport})
}

// decide runs a program without any rule on what it may look at.
func decide(code []instruction, d data) uint32 {
	var acc uint32
	for pc := 0; ; pc++ {
		in := code[pc]
		holds := false
		switch in.code {
		case opLoad:
			acc = d.word(in.k)
			continue
		case opMask:
			acc &= in.k
			continue
		case opReturn:
			return in.k
		case opGo:
			pc += int(in.k)
			continue
		case opEqual:
			holds = acc == in.k
		case opAbove:
			holds = acc > in.k
		case opFrom:
			holds = acc >= in.k
		case opBits:
			holds = acc&in.k != 0
		}
		if holds {
			pc += int(in.jt)
		} else {
			pc += int(in.jf)
		}
	}
}

// decidesAlike shrinks a program that nobody wrote: it decides as before. Refused
// is only one that decides nothing by the number.
func decidesAlike(t *testing.T, b []byte) (refused bool) {
	t.Helper()
	long := random(b)
	out, err := shrink(assembled(long), AMD64)
	if err != nil {
		if strings.Contains(err.Error(), "bits of") {
			t.Fatalf("%v\n%+v", err, long)
		}
		return true
	}
	m, err := newMachine(out)
	if err != nil {
		t.Fatal(err)
	}
	values := []uint32{0, 1, 2, 3, 5, 6, 7, 8, 39, 40, 41, 42, low - 2, low - 1, low}
	for n, nr := range values {
		for i, v := range values {
			first := uint64(v) | uint64(values[(i*7+n)%len(values)])<<32
			second := uint64(values[(i*4+n)%len(values)]) | uint64(values[(i*2+n)%len(values)])<<32
			for _, audit := range []uint32{AMD64.Audit, AMD64.Audit + 1} {
				d := data{nr: nr, arch: audit, args: [6]uint64{first, second}}
				if got, want := decide(m.code, d), decide(long, d); got != want {
					t.Fatalf("%s: %s, want %s\n%+v\n%+v", d, actText(got), actText(want), long, m.code)
				}
			}
		}
	}
	return false
}

func TestShrinkAny(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for range 3000 {
		b := make([]byte, 4*(20+source.IntN(60)))
		for i := range b {
			b[i] = byte(source.Uint32())
		}
		if decidesAlike(t, b) {
			refused++
		}
	}
	if t.Logf("%d of 3000 programs refused", refused); refused > 1000 {
		t.Error("too few are left that prove anything")
	}
}

func FuzzShrink(f *testing.F) {
	f.Add([]byte{8, 3, 0, 1, 6, 4, 1, 0, 0, 1, 0, 0, 2, 0, 0, 0, 8, 0, 0, 1, 4, 0, 0, 0, 4, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) <= 4*200 {
			decidesAlike(t, b)
		}
	})
}
