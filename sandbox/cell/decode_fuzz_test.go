package cell

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// FuzzDecoder holds decode.c, under the sanitizers, against a reader of its own in
// Go: both take the same inputs, and understand the same by them. The fuzzer sees
// the ways through the reader here, which are those through decode.c.
func FuzzDecoder(f *testing.F) {
	f.Add(true, encodeOps(nil, someOps))
	f.Add(true, []byte{})
	for _, p := range somePrograms {
		f.Add(false, packBytes(f, p))
	}
	f.Add(false, packBytes(f, &Program{Args: []string{"a"}, Entries: []Entry{{Path: "l", Kind: Symlink, Target: "x"}, {Path: "l/f"}}}))
	f.Add(false, packBytes(f, &Program{Args: []string{"a"}, Entries: []Entry{{Path: "a/../b"}}}))
	c := newAnswerer(f)
	f.Fuzz(func(t *testing.T, ops bool, input []byte) {
		want, ok := understandPack(input)
		kind := byte('p')
		if ops {
			want, ok = understandOps(input)
			kind = 'o'
		}
		got := c.ask(t, kind, input)
		if ok && got != want+"accepted\n" || !ok && !strings.HasSuffix(got, "rejected\n") {
			t.Errorf("% x\ndecode.c says:\n%swanted (accepted: %v):\n%s", input, got, ok, want)
		}
	})
}

// FuzzNumbers does the same with the numbers of a job's further descriptors.
func FuzzNumbers(f *testing.F) {
	for _, c := range []struct{ bits, count int64 }{{0, 0}, {1 << 3, 1}, {1<<3 | 1<<18, 2}, {(1<<maxFurther - 1) << 3, maxFurther}, // those that a job can have
		{0, 1}, {1 << 3, 0}, {1 << 3, 2}, {1 << 2, 1}, {1 << 19, 1}, {-1, 64}, {math.MinInt64, 1}, {1 << 3, -1}, {-1, maxFurther}, {1 << 3, 1<<32 | 1}} {
		f.Add(c.bits, c.count)
	}
	c := newAnswerer(f)
	f.Fuzz(func(t *testing.T, bits, count int64) {
		var want strings.Builder
		found := int32(0)
		ok := bits&^((1<<maxFurther-1)<<FirstFurther) == 0
		for i := range 64 {
			if bits>>i&1 != 0 {
				fmt.Fprintf(&want, "number %d\n", i)
				found++
			}
		}
		ok = ok && int32(count) == found
		e := binary.LittleEndian
		got := c.ask(t, 'n', e.AppendUint64(e.AppendUint64(nil, uint64(bits)), uint64(count)))
		if ok && got != want.String()+"accepted\n" || !ok && got != "rejected\n" {
			t.Errorf("%x, %d: decode.c says:\n%swanted (accepted: %v):\n%s", bits, count, got, ok, want.String())
		}
	})
}

// FuzzPaths is the same for the paths of files that are shown.
func FuzzPaths(f *testing.F) {
	for _, paths := range []string{"", somePaths, "f\x00", "a/../b\x00", "/\x00", "a"} {
		f.Add([]byte(paths))
	}
	c := newAnswerer(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		got := c.ask(t, 'f', input)
		parts := strings.Split(string(input), "\x00")
		ok := parts[len(parts)-1] == "" && len(parts)-1 <= maxFDs && !slices.ContainsFunc(parts[:len(parts)-1], unclean)
		if want := textOfPaths(string(input)); ok && len(input) > 0 && got != want || ok && len(input) == 0 && got != "accepted\n" || !ok && got != "rejected\n" {
			t.Errorf("%q: decode.c says:\n%s", input, got)
		}
	})
}

// unclean paths have a part by which they could leave the directory they start from.
func unclean(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(p string) bool { return p == "" || p == "." || p == ".." })
}

// answerer is decode_fuzz as a process that answers.
type answerer struct {
	in        io.Writer
	out       *bufio.Reader
	complaint *strings.Builder
	ended     func() error
}

// answererVar has the program's path: the fuzzer's workers are processes of their
// own, and need not compile it again.
const answererVar = "CORDON_TEST_DECODER"

func newAnswerer(f *testing.F) *answerer {
	program := os.Getenv(answererVar)
	if program == "" {
		program = sanitized(f, "testdata/decode_fuzz.c", "decode.c")
		f.Setenv(answererVar, program)
	}
	cmd := exec.Command(program, "answer")
	cmd.Env = []string{"ASAN_OPTIONS=detect_leaks=1", "UBSAN_OPTIONS=print_stacktrace=1"}
	a := &answerer{complaint: &strings.Builder{}, ended: cmd.Wait}
	cmd.Stderr = a.complaint
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil || cmd.Start() != nil {
		f.Fatal("decode_fuzz answer: ", err1, err2)
	}
	a.in, a.out = in, bufio.NewReader(out)
	f.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil && !f.Failed() { // a leak is told at the end
			f.Errorf("decode_fuzz answer: %v\n%s", err, a.complaint)
		}
	})
	return a
}

// ask fails when the program ends: a finding of a sanitizer, or a broken promise.
func (a *answerer) ask(t *testing.T, kind byte, input []byte) string {
	t.Helper()
	message := binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(input)))
	_, err := a.in.Write(append(message, input...))
	var answer strings.Builder
	for err == nil {
		var line string
		line, err = a.out.ReadString('\n')
		answer.WriteString(line)
		if line == "accepted\n" || line == "rejected\n" {
			return answer.String()
		}
	}
	_ = a.ended() // and with it all of the complaint
	t.Fatalf("decode_fuzz ended (%v):\n%s", err, a.complaint)
	return ""
}

// stringAt is the string of exactly n bytes with its NUL, the only one in it.
func stringAt(b []byte, offset, n uint64) (string, bool) {
	size := uint64(len(b))
	if n == 0 || offset > size || n > size-offset {
		return "", false
	}
	s := string(b[offset : offset+n])
	return s[:n-1], strings.IndexByte(s, 0) == int(n-1)
}

func understandOps(b []byte) (string, bool) {
	e := binary.LittleEndian
	var text strings.Builder
	for len(b) > 0 {
		if len(b) < opHeadSize {
			return "", false
		}
		at, data := uint64(opHeadSize), uint64(e.Uint32(b[24:]))
		var parts [2]string
		for i := range parts {
			n := uint64(e.Uint32(b[16+4*i:]))
			s, ok := stringAt(b, at, n)
			if !ok {
				return "", false
			}
			parts[i], at = s, at+n
		}
		if size := uint64(len(b)); data == 0 || at > size || data > size-at || b[at+data-1] != 0 {
			return "", false
		}
		fmt.Fprintf(&text, "op %d %d %d \"%x\" \"%x\" \"%x\"\n", e.Uint32(b), e.Uint32(b[4:]), e.Uint64(b[8:]), parts[0], parts[1], b[at:at+data-1])
		b = b[at+data:]
	}
	return text.String(), true
}

func understandPack(b []byte) (string, bool) {
	e, size := binary.LittleEndian, uint64(len(b))
	if size < packHeadSize || e.Uint32(b) != protocolVersion || e.Uint32(b[16:]) == 0 {
		return "", false
	}
	args, count := uint64(e.Uint32(b[16:])), uint64(e.Uint32(b[16:]))+uint64(e.Uint32(b[20:]))
	from, length := e.Uint64(b[32:]), e.Uint64(b[40:])
	if from > size || length > size-from || count > length || count+2 > 1<<22 {
		return "", false
	}
	// So many strings, each with its end, and nothing behind the last.
	all := strings.Split(string(b[from:from+length]), "\x00")
	if uint64(len(all)) != count+1 || all[count] != "" {
		return "", false
	}
	var text strings.Builder
	fmt.Fprintf(&text, "umask %d exec %d\n", e.Uint32(b[4:]), int64(e.Uint64(b[8:])))
	for at := b[56 : 56+24*maxRlimits]; len(at) > 0; at = at[24:] {
		if e.Uint32(at[4:]) != 0 {
			fmt.Fprintf(&text, "rlimit %d %d %d\n", e.Uint32(at), e.Uint64(at[8:]), e.Uint64(at[16:]))
		}
	}
	dir, ok := stringAt(b, e.Uint64(b[304:]), e.Uint64(b[312:]))
	if !ok || !strings.HasPrefix(dir, "/") {
		return "", false
	}
	fmt.Fprintf(&text, "as %d %d in \"%x\"\n", e.Uint32(b[296:]), e.Uint32(b[300:]), dir)
	for i, s := range all[:count] {
		fmt.Fprintf(&text, "%s \"%x\"\n", map[bool]string{true: "arg", false: "env"}[uint64(i) < args], s)
	}
	ok = understandFiles(&text, b)
	return text.String(), ok
}

func understandFiles(text *strings.Builder, b []byte) bool {
	e, size := binary.LittleEndian, uint64(len(b))
	files, table := uint64(e.Uint32(b[24:])), e.Uint64(b[48:])
	if table%8 != 0 || table > size || files*packFileSize > size-table {
		return false
	}
	links := false
	for i := range files {
		at := b[table+i*packFileSize:]
		kind, from, n := e.Uint32(at), e.Uint64(at[24:]), e.Uint64(at[32:])
		path, ok := stringAt(b, e.Uint64(at[8:]), e.Uint64(at[16:]))
		if !ok || unclean(path) || kind > uint32(Symlink) || links && kind != uint32(Symlink) || from > size || n > size-from {
			return false
		}
		if links = kind == uint32(Symlink); links {
			if _, ok := stringAt(b, from, n); !ok {
				return false
			}
			n--
		}
		fmt.Fprintf(text, "file %d %d \"%x\" \"%x\"\n", kind, e.Uint32(at[4:]), path, b[from:from+n])
	}
	return true
}
