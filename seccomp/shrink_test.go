package seccomp

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// TestShrink holds what is installed against what libseccomp made of the same
// rules: the same answer to every call at a limit of either, and no look at an
// argument more.
func TestShrink(t *testing.T) {
	var all []string
	for name := range everyName() {
		all = append(all, name)
	}
	slices.Sort(all)
	most := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(needed, name) })
	var half []string
	for i, name := range most {
		if i%2 == 0 {
			half = append(half, name)
		}
	}
	sets := map[string]Rules{
		"a few":          {"strict", []string{"ptrace", "bpf", "sync", "clone3"}, []string{"flock", "socketpair"}},
		"denied by half": {"ci", nil, half},
		"denied":         {"default", nil, most},
	}
	for _, profile := range Profiles() {
		sets[profile] = Rules{Profile: profile}
	}
	for name, r := range sets {
		for _, a := range arches {
			_, short := compiled(t, r, a)
			long := generated(t, r, a)
			tried := alike(t, table(t, r.Profile, a), a, long, short)
			t.Logf("%s, %s: %d calls, %d instructions from %d", name, a, tried, len(short.code), len(long.code))
			if name == r.Profile && len(short.code) > 2*len(long.code)/3 {
				t.Errorf("%s, %s: %d instructions became %d", name, a, len(long.code), len(short.code))
			}
		}
	}
	// Everything that libseccomp has a name for, on this machine's architecture.
	r := Rules{"default", all, nil}
	_, short := compiled(t, r, Native())
	alike(t, table(t, r.Profile, Native()), Native(), generated(t, r, Native()), short)
}

func alike(t *testing.T, rows map[int]row, a Arch, long, short *machine) (tried int) {
	t.Helper()
	all := calls(rows, a, &machine{code: slices.Concat(long.code, short.code)})
	for _, c := range all {
		want, err := long.run(c.data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := short.run(c.data)
		if err != nil || got != want || short.loads&^long.loads != 0 {
			t.Errorf("%s: %s, %v, libseccomp's %s; looks at %b, not %b", c, actText(got), err, actText(want), short.loads, long.loads)
		}
	}
	return len(all)
}

// TestShrinkRefuses: what is not as libseccomp's programs are is an error, not a
// filter.
func TestShrinkRefuses(t *testing.T) {
	ret := instruction{code: 0x06, k: actReport}
	arch, audit := instruction{0x20, 0, 0, 4}, instruction{0x15, 0, 1, AMD64.Audit}
	other := instruction{0x06, 0, 0, actAllow}
	for name, c := range map[string]struct {
		code []instruction
		say  string
	}{
		"one answer":            {[]instruction{ret}, "begin with the architecture"},
		"no architecture":       {[]instruction{{0x20, 0, 0, 0}, {0x15, 0, 1, 7}, other, ret}, "begin with the architecture"},
		"other architecture":    {[]instruction{arch, {0x15, 0, 1, ARM64.Audit}, other, ret}, "begin with the architecture"},
		"foreign ones let in":   {[]instruction{arch, {0x15, 1, 0, AMD64.Audit}, {0x20, 0, 0, 0}, {0x15, 0, 1, 7}, other, ret}, "begin with the architecture"},
		"number not loaded":     {[]instruction{arch, audit, {0x15, 0, 1, 7}, other, ret}, "go on with the number"},
		"no number":             {[]instruction{arch, audit, other, ret}, "go on with the number"},
		"bits of the number":    {[]instruction{arch, {0x15, 0, 3, AMD64.Audit}, {0x20, 0, 0, 0}, {0x45, 0, 1, 7}, other, ret}, "bits of the number"},
		"the number masked":     {[]instruction{arch, {0x15, 0, 4, AMD64.Audit}, {0x20, 0, 0, 0}, {0x54, 0, 0, 7}, {0x15, 0, 1, 7}, other, ret}, "bits of the number"},
		"unknown code":          {[]instruction{arch, audit, {0x07, 0, 0, 0}, ret}, "code 0x7 as instruction 2"},
		"jump out":              {[]instruction{arch, audit, {0x05, 0, 0, 1}, ret}, "left by instruction 2"},
		"long jump out":         {[]instruction{arch, audit, {0x05, 0, 0, 0xffffffff}, ret}, "left by instruction 2"},
		"branch out":            {[]instruction{arch, {0x15, 0, 2, AMD64.Audit}, other, ret}, "left by instruction 1"},
		"nothing after a load":  {[]instruction{arch, audit, ret, {0x20, 0, 0, 0}}, "left by instruction 3"},
		"nothing after a check": {[]instruction{arch, audit, ret, {0x15, 0, 0, 0}}, "left by instruction 3"},
	} {
		code, err := shrink(assembled(c.code), AMD64)
		if err == nil || !strings.Contains(err.Error(), c.say) || code != nil {
			t.Errorf("%s: %d bytes, %v; want %q", name, len(code), err, c.say)
		}
	}
}

func assembled(code []instruction) []byte {
	var b []byte
	for _, in := range code {
		b = binary.LittleEndian.AppendUint16(b, in.code)
		b = append(b, in.jt, in.jf)
		b = binary.LittleEndian.AppendUint32(b, in.k)
	}
	return b
}

// TestShrinkFar has more behind both sides of a branch than a branch can reach,
// and what all of it shares.
func TestShrinkFar(t *testing.T) {
	code := []instruction{{0x20, 0, 0, 4}, {0x15, 1, 0, AMD64.Audit}, {0x06, 0, 0, actReport}, {0x20, 0, 0, 0}}
	for n := range uint32(3) { // one call after the other, each with 300 values of its argument
		code = append(code, instruction{0x15, 1, 0, n}, instruction{0x05, 0, 0, 1 + 2*300 + 1}, instruction{0x20, 0, 0, 16 + 8*n})
		for v := range uint32(300) {
			code = append(code, instruction{0x15, 0, 1, 3*v + n}, instruction{0x06, 0, 0, actErrno | v%7})
		}
		code = append(code, instruction{0x06, 0, 0, actReport})
	}
	code = append(code, instruction{0x06, 0, 0, actAllow})
	long, err := newMachine(assembled(code))
	if err != nil {
		t.Fatal(err)
	}
	b, err := shrink(assembled(code), AMD64)
	if err != nil {
		t.Fatal(err)
	}
	short, err := newMachine(b)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int]row{}
	for n := range 3 {
		r := row{number: n, act: actAllow}
		for v := range uint64(301) {
			r.ways = append(r.ways, []condition{{uint(n), low, 3*v + uint64(n)}})
		}
		rows[n] = r
	}
	for n, r := range rows {
		for _, args := range r.arguments() {
			d := data{nr: uint32(n), arch: AMD64.Audit, args: args}
			want, err := long.run(d)
			got, err2 := short.run(d)
			if err != nil || err2 != nil || got != want {
				t.Fatalf("%s: %s, %v, want %s, %v", d, actText(got), err2, actText(want), err)
			}
		}
	}
	t.Logf("%d instructions from %d", len(short.code), len(long.code))
}
