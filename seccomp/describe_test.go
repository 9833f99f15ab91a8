package seccomp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func described(t *testing.T, r Rules, a Arch) string {
	t.Helper()
	var out bytes.Buffer
	if err := Describe(&out, r, a); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// sections are the names of calls below each head line of a description.
func sections(text string) map[string][]string {
	out := map[string][]string{}
	for part := range strings.SplitSeq(text, "\n\n") {
		head, body, _ := strings.Cut(part, "\n")
		head, _, _ = strings.Cut(head, ":")
		for line := range strings.Lines(body) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case head == "allowed on a condition":
				if name, ok := strings.CutPrefix(line, "  "); ok && !strings.HasPrefix(name, " ") {
					out[head] = append(out[head], name)
				}
			case strings.HasPrefix(line, "    "):
				out[head] = append(out[head], strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ',' })...)
			}
		}
	}
	return out
}

// TestDescribe holds the description against the reviewed table: every call
// stands in it once, below what the table promises.
func TestDescribe(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		text := described(t, Rules{Profile: profile}, a)
		want := map[string][]string{}
		told := 0
		for _, r := range table(t, profile, a) {
			if r.act == actTold {
				told++
			}
			head := "denied, counted in the result"
			switch {
			case len(r.ways) > 0:
				head = "allowed on a condition"
			case r.act == actAllow:
				head = "allowed, with any argument"
			case r.act != actReport:
				head = "answered at once by the kernel, not counted"
			}
			want[head] = append(want[head], r.name)
		}
		got := sections(text)
		for head, names := range want {
			slices.Sort(names)
			slices.Sort(got[head])
			if !slices.Equal(got[head], names) {
				t.Errorf("%s: got %v, want %v", head, got[head], names)
			}
			if !strings.Contains(text, fmt.Sprintf("\n\n%s: %d\n", head, len(names))) {
				t.Errorf("%s: no count %d", head, len(names))
			}
		}
		if got := strings.Count(text, "told to the daemon"); got != told || told == 0 {
			t.Errorf("%d calls said to be told, want %d", got, told)
		}
		for line := range strings.Lines(text) {
			if len(line) > 120 || strings.HasSuffix(line, " \n") {
				t.Errorf("the line %q", line)
			}
		}
	})
}

// TestWords: every argument of a condition has a name, and so has every value,
// for nobody reviews numbers.
func TestWords(t *testing.T) {
	masks := regexp.MustCompile(` & 0xf(000)?`)
	all := map[string][][]condition{}
	for _, table := range append(slices.Collect(maps.Values(narrowed)), conditions) {
		for name, ways := range table {
			all[name] = append(all[name], ways...)
			for _, r := range refusals[name] {
				all[name] = append(all[name], r.way)
			}
		}
	}
	for name, ways := range all {
		for _, way := range ways {
			text := masks.ReplaceAllString(wayWords(name, way), "")
			if name != "personality" && strings.Contains(text, "0x") || len(meanings[name][way[0].arg].name) == 0 {
				t.Errorf("%s: %q", name, text)
			}
		}
	}
	if got := wayWords("futex", []condition{{1, low, 7}}); got != " 0x7" {
		t.Errorf("a value without a name: %q", got)
	}
}

func TestDescribePolicy(t *testing.T) {
	text := described(t, Rules{"default", []string{"ptrace", "bpf", "ptrace"}, []string{"flock"}}, AMD64)
	for _, part := range []string{"the policy's own, allowed besides, bpf, ptrace\n", "the policy's own, denied besides, flock\n", "  the policy's own\n    bpf, ptrace\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
	if err := Describe(&bytes.Buffer{}, Rules{Profile: "none"}, AMD64); err == nil {
		t.Error("an unknown profile is described")
	}
	p, _ := compiled(t, Rules{Profile: "default"}, AMD64)
	for _, after := range []int{0, 1, 2, 30} {
		if err := Describe(&failing{after}, Rules{Profile: "default"}, AMD64); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("a disk that is full after %d writes: %v", after, err)
		}
		if err := p.Disassemble(&failing{after}); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("a disk that is full after %d writes: %v", after, err)
		}
	}
}

var (
	branchShape   = regexp.MustCompile(`^if .* (==|>|>=|has a bit of) (\w+)(?: \(\w+\))? go to (\d+), else (\d+)$`)
	comparedShape = regexp.MustCompile(`^if (number|architecture|argument \d, (low|high) half( masked)?( or argument \d, (low|high) half( masked)?)*) (=|>|h)`)
	compares      = map[string]uint16{"==": 0x15, ">": 0x25, ">=": 0x35, "has a bit of": 0x45}
)

// assemble reads one line of a listing back.
func assemble(t *testing.T, pc int, line string) instruction {
	t.Helper()
	line, _, _ = strings.Cut(line, "  ; ")
	var in instruction
	if m := branchShape.FindStringSubmatch(line); m != nil {
		var yes, no int
		fmt.Sscan(m[2], &in.k)
		fmt.Sscan(m[3], &yes)
		fmt.Sscan(m[4], &no)
		in.code, in.jt, in.jf = compares[m[1]], uint8(yes-pc-1), uint8(no-pc-1)
		return in
	}
	for at := uint32(0); at < 64; at += 4 {
		if line == "load "+wordName(at) {
			return instruction{code: 0x20, k: at}
		}
	}
	var mask uint32
	var target int
	switch n, _ := fmt.Sscanf(line, "mask with %v", &mask); {
	case n == 1:
		return instruction{code: 0x54, k: mask}
	case line == "return allow":
		return instruction{code: 0x06, k: actAllow}
	case strings.HasPrefix(line, "return report"):
		return instruction{code: 0x06, k: actReport}
	case line == "return errno 0":
		return instruction{code: 0x06, k: actErrno}
	case strings.HasPrefix(line, "return errno "):
		return instruction{code: 0x06, k: actErrno | uint32(errnoOf(strings.TrimPrefix(line, "return errno ")))}
	}
	if n, _ := fmt.Sscanf(line, "go to %d", &target); n == 1 {
		return instruction{code: 0x05, k: uint32(target - pc - 1)}
	}
	t.Fatalf("%d: %q", pc, line)
	return in
}

// TestDisassemble reads every listing back: nothing of the program is lost.
func TestDisassemble(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		p, m := compiled(t, Rules{Profile: profile}, a)
		var out bytes.Buffer
		if err := p.Disassemble(&out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if want := fmt.Sprintf("%s, %d instructions, digest %s", a, p.Instructions(), p.Digest); lines[0] != want || len(lines) != len(m.code)+1 {
			t.Fatalf("%d lines after %q, want %q", len(lines), lines[0], want)
		}
		for pc, line := range lines[1:] {
			number, text, _ := strings.Cut(strings.TrimSpace(line), "  ")
			if got := assemble(t, pc, text); number != fmt.Sprint(pc) || got != m.code[pc] {
				t.Errorf("%q was %+v", line, m.code[pc])
			}
			if m := branchShape.FindStringSubmatch(text); m != nil && !comparedShape.MatchString(text) {
				t.Errorf("%q does not know what it compares", line)
			}
		}
		if n := strings.Count(out.String(), "nothing leads here"); n > 0 {
			t.Errorf("%d instructions that nothing leads to", n)
		}
	})
}

// TestDisassembleAny: a program that Compile does not make is shown all the same.
func TestDisassembleAny(t *testing.T) {
	var code []byte
	for _, in := range []instruction{{0x05, 0, 0, 1}, {0x07, 1, 2, 3}, {0x20, 0, 0, 8}, {0x45, 0, 200, 600}, {0x06, 0, 0, 0x80000000}} {
		code = binary.LittleEndian.AppendUint16(code, in.code)
		code = append(code, in.jt, in.jf)
		code = binary.LittleEndian.AppendUint32(code, in.k)
	}
	var out bytes.Buffer
	if err := (&Program{Arch: ARM64, BPF: code}).Disassemble(&out); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"go to 2\n", "unknown code 0x7 1 2 0x3  ; nothing leads here", "load instruction pointer, low half",
		"has a bit of 0x258 go to 4, else 204", "return 0x80000000"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in:\n%s", part, out.String())
		}
	}
}
