package cell

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// mutations is the number of damaged inputs of each kind that the C decoders
// get: a few seconds under the sanitizers.
const mutations = 200_000

// decoder is decode.c under the sanitizers, with testdata/decode_fuzz.c around it.
type decoder struct{ program, dir string }

func newDecoder(t *testing.T) *decoder {
	t.Helper()
	return &decoder{dir: t.TempDir(), program: sanitized(t, "testdata/decode_fuzz.c", "decode.c")}
}

// sanitized compiles with the address and undefined-behaviour sanitizers, whose
// findings end the program.
func sanitized(t testing.TB, files ...string) string {
	t.Helper()
	return gcc(t, "sanitized", append([]string{"-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"}, files...)...)
}

// run fails the test when the program does not end well: a finding of a
// sanitizer, or a promise that the decoder did not keep.
func (d *decoder) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(d.program, args...)
	cmd.Env = []string{"ASAN_OPTIONS=detect_leaks=1", "UBSAN_OPTIONS=print_stacktrace=1"}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("decode_fuzz %.200q: %v\n%s", args, err, complaint.String())
	}
	return string(out)
}

func (d *decoder) write(t *testing.T, name string, b []byte) string {
	t.Helper()
	file := filepath.Join(d.dir, name)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// valid writes what the Go side encodes, as inputs by kind.
func (d *decoder) valid(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{"ops": {d.write(t, "ops", encodeOps(nil, someOps)), d.write(t, "op", encodeOps(nil, someOps[:1]))}}
	files["paths"] = []string{d.write(t, "paths", []byte(somePaths)), d.write(t, "path", []byte("f\x00"))}
	for i, p := range somePrograms {
		files["pack"] = append(files["pack"], d.write(t, fmt.Sprintf("pack%d", i), packBytes(t, p)))
	}
	return files
}

// somePaths are of every sort.
const somePaths = "a\x00in/deep/er/f\x00.hidden\x00...\x00a b/c\nd\x00\xff\xfe\x00..x/y..\x00h\x00i\x00j\x00k\x00l\x00"

func textOfPaths(paths string) string {
	var s strings.Builder
	for path := range strings.SplitSeq(strings.TrimSuffix(paths, "\x00"), "\x00") {
		fmt.Fprintf(&s, "path \"%x\"\n", path)
	}
	return s.String() + "accepted\n"
}

func textOfOps(ops []Op) string {
	var s strings.Builder
	for _, o := range ops {
		fmt.Fprintf(&s, "op %d %d %d \"%x\" \"%x\" \"%x\"\n", o.Kind, o.Mode, o.Flags, o.Source, o.Target, o.Data)
	}
	return s.String() + "accepted\n"
}

func textOfProgram(p *Program) string {
	var s strings.Builder
	fmt.Fprintf(&s, "umask %d exec 0\n", p.Umask)
	for _, r := range p.Rlimits {
		fmt.Fprintf(&s, "rlimit %d %d %d\n", r.Resource, r.Soft, r.Hard)
	}
	user, dir := User{JobID, JobID}, cmp.Or(p.Dir, "/work")
	if p.User != nil {
		user = *p.User
	}
	fmt.Fprintf(&s, "as %d %d in \"%x\"\n", user.UID, user.GID, dir)
	for _, a := range p.Args {
		fmt.Fprintf(&s, "arg \"%x\"\n", a)
	}
	for _, e := range p.Env {
		fmt.Fprintf(&s, "env \"%x\"\n", e)
	}
	for _, f := range p.Entries {
		fmt.Fprintf(&s, "file %d %d \"%x\" \"%x\"\n", f.Kind, f.Mode, f.Path, string(f.Data)+f.Target)
	}
	return s.String() + "accepted\n"
}

// What the Go side says is what the C side understands, to the last byte.
func TestDecoderUnderstands(t *testing.T) {
	d := newDecoder(t)
	files := d.valid(t)
	if got := d.run(t, "dump", "ops", files["ops"][0]); got != textOfOps(someOps) {
		t.Errorf("operations: understood\n%s", got)
	}
	if got := d.run(t, "dump", "paths", files["paths"][0]); got != textOfPaths(somePaths) {
		t.Errorf("paths: understood\n%s", got)
	}
	for i, p := range somePrograms {
		if got, want := d.run(t, "dump", "pack", files["pack"][i]), textOfProgram(p); got != want {
			t.Errorf("program %d: understood\n%swant\n%s", i, got, want)
		}
	}
}

// No beginning of a valid input is valid, but a list of operations or paths cut between
// two of them.
func TestDecoderRefusesTruncation(t *testing.T) {
	d := newDecoder(t)
	for kind, files := range d.valid(t) {
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			between := 0
			if kind == "ops" {
				between = map[string]int{"ops": len(someOps), "op": 1}[filepath.Base(file)]
			} else if kind == "paths" {
				between = map[string]int{"paths": strings.Count(somePaths, "\x00"), "path": 1}[filepath.Base(file)]
			}
			want := fmt.Sprintf("%d rejected %d accepted\n", int(info.Size())-between, between)
			if got := d.run(t, "cut", kind, file); got != want {
				t.Errorf("%s: %swant %s", filepath.Base(file), got, want)
			}
		}
	}
}

// Random damage, the same on every machine: nothing is read or written out of
// bounds, and what is accepted all the same is sound.
func TestDecoderSurvivesDamage(t *testing.T) {
	d := newDecoder(t)
	for kind, files := range d.valid(t) {
		out := d.run(t, append([]string{"mutate", kind, "20260101", strconv.Itoa(mutations)}, files...)...)
		var rejected, accepted int
		if _, err := fmt.Sscanf(out, "%d rejected %d accepted", &rejected, &accepted); err != nil {
			t.Fatalf("%s: %q", kind, out)
		}
		t.Logf("%s: %d rejected, %d accepted", kind, rejected, accepted)
		// Both ways must have been gone, or the damage is too small or too great.
		if rejected+accepted != mutations || rejected < mutations/4 || accepted < mutations/100 {
			t.Errorf("%s: %s of %d", kind, out, mutations)
		}
	}
}

// refused is a valid pack with one thing wrong.
type refused struct {
	name  string
	bytes []byte
}

// withNumbers sets each offset, length and number of a pack and of its file
// table to values that lead out of it.
func withNumbers(t *testing.T, pack []byte) []refused {
	var all []refused
	size := uint64(len(pack))
	table := int(binary.LittleEndian.Uint64(pack[48:]))
	set := func(name string, at, width int, value uint64) {
		b := append([]byte(nil), pack...)
		if width == 4 {
			binary.LittleEndian.PutUint32(b[at:], uint32(value))
		} else {
			binary.LittleEndian.PutUint64(b[at:], value)
		}
		all = append(all, refused{fmt.Sprintf("%s = %#x", name, value), b})
	}
	huge := []uint64{size, size + 1, math.MaxInt64, math.MaxUint64, math.MaxUint64 - size, math.MaxUint64 - size + 1, math.MaxUint64 - 7, 1 << 32, 1 << 63}
	for _, v := range huge {
		set("strings_off", 32, 8, v)
		set("strings_len", 40, 8, v)
		set("files_off", 48, 8, v)
		for i := range int(binary.LittleEndian.Uint32(pack[24:])) {
			at := table + i*packFileSize
			set(fmt.Sprintf("files[%d].path_off", i), at+8, 8, v)
			set(fmt.Sprintf("files[%d].path_len", i), at+16, 8, v)
			set(fmt.Sprintf("files[%d].data_len", i), at+32, 8, v)
			if v != size || binary.LittleEndian.Uint64(pack[at+32:]) > 0 { // nothing, at the end, is nothing
				set(fmt.Sprintf("files[%d].data_off", i), at+24, 8, v)
			}
		}
	}
	for _, v := range []uint64{0, 1 << 10, 1 << 21, math.MaxInt32, math.MaxUint32 - 1, math.MaxUint32} {
		set("args", 16, 4, v)
		if v != 0 {
			set("envs", 20, 4, v)
			set("files", 24, 4, v)
		}
	}
	for _, v := range []uint64{0, protocolVersion + 1, math.MaxUint32} {
		set("version", 0, 4, v)
	}
	set("files[0].type", table, 4, uint64(Symlink)+1)
	set("files[0].type", table, 4, math.MaxUint32)
	set("files[0].path_len", table+16, 8, 0)
	set("files_off", 48, 8, uint64(table)+4) // not aligned
	return all
}

func TestDecoderRefusesPacks(t *testing.T) {
	d := newDecoder(t)
	cases := withNumbers(t, packBytes(t, &Program{Args: []string{"a"}, Env: []string{"b=c"}, Entries: []Entry{
		{Path: "f", Data: []byte("content")}, {Path: "l", Kind: Symlink, Target: "f"}}}))
	program := func(name string, p Program) {
		cases = append(cases, refused{name, packBytes(t, &p)})
	}
	program("no argument", Program{})
	program("environment without argument", Program{Env: []string{"A=1"}})
	program("NUL in an argument", Program{Args: []string{"a\x00b"}})
	program("NUL in the environment", Program{Args: []string{"a"}, Env: []string{"A=\x00"}})
	for _, path := range []string{"", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", ".", "./a", "a/.", "a//b", "a/", "a\x00b", "a\x00"} {
		for kind := Regular; kind <= Symlink; kind++ {
			program(fmt.Sprintf("path %q of kind %d", path, kind),
				Program{Args: []string{"a"}, Entries: []Entry{{Path: path, Kind: kind, Target: "t"}}})
		}
	}
	program("NUL in a target", Program{Args: []string{"a"}, Entries: []Entry{{Path: "l", Kind: Symlink, Target: "a\x00b"}}})
	program("a file after a link", Program{Args: []string{"a"},
		Entries: []Entry{{Path: "l", Kind: Symlink, Target: "x"}, {Path: "l/f"}}})
	d.refuse(t, "pack", cases)
}

// refuse wants every case rejected.
func (d *decoder) refuse(t *testing.T, kind string, cases []refused) {
	t.Helper()
	for len(cases) > 0 {
		some := cases[:min(len(cases), 64)] // INPUTS_MAX of the program
		cases = cases[len(some):]
		args := []string{"verdict", kind}
		for i, c := range some {
			args = append(args, d.write(t, fmt.Sprintf("case%d", i), c.bytes))
		}
		verdicts := strings.Fields(d.run(t, args...))
		if len(verdicts) != len(some) {
			t.Fatalf("%d verdicts on %d inputs", len(verdicts), len(some))
		}
		for i, c := range some {
			if verdicts[i] != "rejected" {
				t.Errorf("%s: %s", c.name, verdicts[i])
			}
		}
	}
}

func TestDecoderRefusesOps(t *testing.T) {
	d := newDecoder(t)
	valid := encodeOps(nil, []Op{{Kind: OpBind, Source: "/a", Target: "/b", Data: "d"}})
	var cases []refused
	for offset, name := range map[int]string{16: "source_len", 20: "target_len", 24: "data_len"} {
		for _, v := range []uint32{0, 1, 4, uint32(len(valid)), math.MaxInt32, math.MaxUint32, math.MaxUint32 - uint32(len(valid)) + 1} {
			b := append([]byte(nil), valid...)
			binary.LittleEndian.PutUint32(b[offset:], v)
			cases = append(cases, refused{fmt.Sprintf("%s = %d", name, v), b})
		}
	}
	for name, o := range map[string]Op{"source": {Source: "a\x00b"}, "target": {Target: "\x00"}} {
		cases = append(cases, refused{"NUL in " + name, encodeOps(nil, []Op{o})})
	}
	for _, end := range []string{"\x00", "rest"} {
		cases = append(cases, refused{"bytes after the last operation", append(append([]byte(nil), valid...), end...)})
	}
	d.refuse(t, "ops", cases)
}

func TestDecoderRefusesPaths(t *testing.T) {
	d := newDecoder(t)
	cases := []refused{{"one more than a message may have", []byte(strings.Repeat("m\x00", maxFDs+1))}, {"no end", []byte("a\x00b")}}
	for _, path := range []string{"", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", ".", "./a", "a/.", "a//b", "a/"} {
		cases = append(cases, refused{fmt.Sprintf("%q", path), []byte("f\x00" + path + "\x00")})
	}
	d.refuse(t, "paths", cases)
}

// Messages with descriptors, over a real socket: none is lost, none stays open,
// and what does not fit is refused.
func TestWire(t *testing.T) {
	d := &decoder{program: sanitized(t, "testdata/wire.c", "wire.c")}
	if got := d.run(t); got != "31 receptions\n" {
		t.Errorf("%q", got)
	}
}
