package cell

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var somePrograms = []*Program{
	{Args: []string{"true"}},
	{Args: []string{"/bin/sh", "-c", ""}, Env: []string{"A=1", "", "PATH=/bin"}, Umask: 0o27},
	{Args: []string{"x"}, Rlimits: []Rlimit{{unix.RLIMIT_NOFILE, 64, 128}, {unix.RLIMIT_CORE, 1, math.MaxUint64}}},
	{Args: []string{"./main", "in"}, Env: []string{"B=2"}, Umask: 0o777, Entries: []Entry{
		{Path: "d", Mode: 0o555, Kind: Dir},
		{Path: "d/a", Mode: 0o644, Data: []byte("a\x00b")},
		{Path: "main", Mode: 0o755, Data: make([]byte, 300)},
		{Path: "empty", Mode: 0o600},
		{Path: "d/.hidden/..x/z", Data: []byte{0xff}},
		{Path: "link", Kind: Symlink, Target: "d/a"},
		{Path: "up", Kind: Symlink, Target: "../../etc"},
	}},
}

// packBytes is the whole pack of a program.
func packBytes(t testing.TB, p *Program) []byte {
	t.Helper()
	k, err := newPack(p)
	if err != nil {
		t.Fatal(err)
	}
	defer k.file.Close()
	b, err := io.ReadAll(io.NewSectionReader(k.file, 0, math.MaxInt64))
	if err != nil || int64(len(b)) != k.size {
		t.Fatalf("a pack of %d bytes says %d: %v", len(b), k.size, err)
	}
	return b
}

// readPack is a reader of its own, against which the encoder is checked.
func readPack(b []byte) *Program {
	e := binary.LittleEndian
	p := &Program{Umask: e.Uint32(b[4:])}
	from := e.Uint64(b[32:])
	text := b[from : from+e.Uint64(b[40:])]
	next := func() string {
		for i, c := range text {
			if c == 0 {
				s := string(text[:i])
				text = text[i+1:]
				return s
			}
		}
		panic("a string without an end")
	}
	for range e.Uint32(b[16:]) {
		p.Args = append(p.Args, next())
	}
	for range e.Uint32(b[20:]) {
		p.Env = append(p.Env, next())
	}
	if len(text) != 0 {
		panic("bytes after the last string")
	}
	for i := range uint64(e.Uint32(b[24:])) {
		p.Entries = append(p.Entries, readEntry(b, b[e.Uint64(b[48:])+i*packFileSize:]))
	}
	for at := b[56 : 56+24*maxRlimits]; len(at) > 0; at = at[24:] {
		if e.Uint32(at[4:]) != 0 {
			p.Rlimits = append(p.Rlimits, Rlimit{int(e.Uint32(at)), e.Uint64(at[8:]), e.Uint64(at[16:])})
		}
	}
	if u := (User{e.Uint32(b[296:]), e.Uint32(b[300:])}); u != (User{JobID, JobID}) {
		p.User = &u
	}
	if dir := string(b[e.Uint64(b[304:]):][:e.Uint64(b[312:])]); dir != "/work\x00" {
		p.Dir = strings.TrimSuffix(dir, "\x00")
	}
	return p
}

func readEntry(b, at []byte) Entry {
	e := binary.LittleEndian
	slice := func(offset int) []byte {
		from := e.Uint64(at[offset:])
		return b[from : from+e.Uint64(at[offset+8:])]
	}
	path, data := slice(8), slice(24)
	f := Entry{Kind: EntryKind(e.Uint32(at)), Mode: e.Uint32(at[4:]), Path: string(path[:len(path)-1])}
	switch {
	case f.Kind == Symlink:
		f.Target = string(data[:len(data)-1])
	case len(data) > 0:
		f.Data = append(f.Data, data...)
	}
	return f
}

func TestPackRoundTrip(t *testing.T) {
	for i, want := range somePrograms {
		b := packBytes(t, want)
		if got := readPack(b); !reflect.DeepEqual(got, want) {
			t.Errorf("program %d came back as %+v", i, got)
		}
		if off := binary.LittleEndian.Uint64(b[48:]); off%8 != 0 {
			t.Errorf("program %d: the file table lies at %d, which is not aligned", i, off)
		}
	}
}

func FuzzPack(f *testing.F) {
	f.Add("sh", "A=b", "a/b", []byte("content"), "link", "a/b", uint32(0o22), uint64(5))
	f.Fuzz(func(t *testing.T, arg, env, path string, data []byte, link, target string, umask uint32, limit uint64) {
		for _, s := range []string{arg, env, path, link, target} {
			for _, c := range []byte(s) {
				if c == 0 {
					return // a NUL ends a string; the decoder refuses the pack
				}
			}
		}
		want := &Program{Args: []string{arg, env}, Env: []string{env}, Umask: umask, Rlimits: []Rlimit{{3, limit, ^limit}}, Dir: "/in/" + link, User: &User{umask, 7},
			Entries: []Entry{{Path: path, Mode: umask, Data: append([]byte(nil), data...)}, {Path: link, Kind: Symlink, Target: target}}}
		if got := readPack(packBytes(t, want)); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v", want, got)
		}
	})
}

func TestPackLayout(t *testing.T) {
	p := &Program{Args: []string{"a"}, Env: []string{"b", "c"}, Umask: 0o22, Rlimits: []Rlimit{{7, 8, 9}, {10, 11, 12}},
		Entries: []Entry{{Path: "pp", Mode: 0o640, Kind: Regular, Data: []byte("ddd")}}}
	b := packBytes(t, p)
	table := packHeadSize + 8 // six bytes of strings, and two up to the alignment
	path := uint64(table + packFileSize)
	checkPlaces(t, b, []place{
		{"pack_head, version", 0, 4, protocolVersion}, {"pack_head, umask", 0, 4, 0o22}, {"pack_head, exec_ns", 0, 8, 0},
		{"pack_head, args", 0, 4, 1}, {"pack_head, envs", 0, 4, 2}, {"pack_head, files", 0, 4, 1}, {"pack_head, place_us", 0, 4, 0},
		{"pack_head, strings_off", 0, 8, packHeadSize}, {"pack_head, strings_len", 0, 8, 6},
		{"pack_head, files_off", 0, 8, uint64(table)},
		{"pack_head, rlimits[0].resource", 0, 4, 7}, {"pack_head, rlimits[0].set", 0, 4, 1},
		{"pack_head, rlimits[0].soft", 0, 8, 8}, {"pack_head, rlimits[0].hard", 0, 8, 9},
		{"pack_head, rlimits[1].resource", 0, 4, 10}, {"pack_head, rlimits[1].hard", 0, 8, 12},
		{"pack_head, rlimits[2].set", 0, 4, 0},
		{"pack_head, uid", 0, 4, JobID}, {"pack_head, gid", 0, 4, JobID}, {"pack_head, dir_off", 0, 8, path + 3}, {"pack_head, dir_len", 0, 8, 6},
		{"pack_file, type", table, 4, 0}, {"pack_file, mode", table, 4, 0o640},
		{"pack_file, path_off", table, 8, path}, {"pack_file, path_len", table, 8, 3},
		{"pack_file, data_off", table, 8, path + 9}, {"pack_file, data_len", table, 8, 3},
	})
}

func TestPackRefusesTooManyRlimits(t *testing.T) {
	full := &Program{Args: []string{"x"}, Rlimits: make([]Rlimit, maxRlimits)}
	if got := readPack(packBytes(t, full)); len(got.Rlimits) != maxRlimits {
		t.Errorf("%d of %d rlimits came back", len(got.Rlimits), maxRlimits)
	}
	full.Rlimits = make([]Rlimit, maxRlimits+1)
	if _, err := newPack(full); err == nil {
		t.Errorf("%d rlimits: accepted", maxRlimits+1)
	}
}

func TestExecNanos(t *testing.T) {
	k, err := newPack(somePrograms[0])
	if err != nil {
		t.Fatal(err)
	}
	if exec, place := k.begun(); exec != 0 || place != 0 {
		t.Errorf("before the exec: %d, %d", exec, place)
	}
	for field, bytes := range map[string][]byte{"exec_ns": {1, 2, 3, 4, 5, 6, 7, 0x7f}, "place_us": {9, 1, 0, 0}} {
		for _, offset := range ask(t, []string{"offsetof(struct pack_head, " + field + ")"}) {
			if _, err := k.file.WriteAt(bytes, offset); err != nil {
				t.Fatal(err)
			}
		}
	}
	if exec, place := k.begun(); exec != 0x7f07060504030201 || place != 265_000 {
		t.Errorf("the time of the exec is read as %#x, that of placing files as %d", exec, place)
	}
	k.file.Close()
	if exec, _ := k.begun(); exec != 0x7f07060504030201 {
		t.Errorf("it has been forgotten: %#x", exec)
	}
	closed, err := newPack(somePrograms[0])
	if err != nil {
		t.Fatal(err)
	}
	closed.file.Close()
	if exec, place := closed.begun(); exec != 0 || place != 0 {
		t.Errorf("of a closed pack: %d, %d", exec, place)
	}
}

// What a job reads as its input cannot be changed, neither by the job nor by
// another that gets the same file.
func TestInputIsSealed(t *testing.T) {
	f, err := Input([]byte("1 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "1 2\n" {
		t.Errorf("read %q, %v", b, err)
	}
	if _, err := f.Write([]byte("x")); !errors.Is(err, unix.EBADF) {
		t.Errorf("write: %v, want EBADF", err)
	}
	w, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("write through a new description: %v, want EPERM", err)
	}
	if _, err := unix.Mmap(int(w.Fd()), 0, 4, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); !errors.Is(err, unix.EPERM) {
		t.Errorf("map to write: %v, want EPERM", err)
	}
	if m, err := unix.Mmap(int(w.Fd()), 0, 4, unix.PROT_READ, unix.MAP_SHARED); err == nil {
		if err := unix.Mprotect(m, unix.PROT_READ|unix.PROT_WRITE); !errors.Is(err, unix.EACCES) {
			t.Errorf("make a mapping writable: %v, want EACCES", err)
		}
		_ = unix.Munmap(m)
	} else {
		t.Errorf("map to read: %v", err)
	}
	if err := w.Truncate(0); !errors.Is(err, unix.EPERM) {
		t.Errorf("truncate: %v, want EPERM", err)
	}
	if err := w.Truncate(100); !errors.Is(err, unix.EPERM) {
		t.Errorf("grow: %v, want EPERM", err)
	}
	if _, err := unix.FcntlInt(w.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE); !errors.Is(err, unix.EPERM) {
		t.Errorf("another seal: %v, want EPERM", err)
	}
}
