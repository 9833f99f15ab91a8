package seccomp

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzNotification decodes what a kernel could send. Whatever it is, the answer
// is an errno, has a name that can be printed, and ends the job only for a
// foreign architecture.
func FuzzNotification(f *testing.F) {
	f.Add(make([]byte, notifSize))
	f.Add(bytes.Repeat([]byte{0xff}, notifSize))
	for _, a := range arches {
		b := make([]byte, notifSize)
		b[16], b[20], b[23] = 41, byte(a.Audit), byte(a.Audit>>24)
		f.Add(b)
	}
	errnos := []unix.Errno{unix.EPERM, unix.ENOSYS, unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.ENOTTY, unix.EINVAL}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < notifSize {
			return
		}
		id, audit, number, args := decodeNotif((*[notifSize]byte)(b))
		for _, a := range arches {
			got := (&Program{Arch: a}).answer(audit, number, args)
			foreign := audit != a.Audit || a == AMD64 && number >= 0x40000000
			if got.fatal != foreign || !slices.Contains(errnos, got.errno) {
				t.Errorf("%s: %+v", a, got)
			}
			if got.name == "" || len(got.name) > 100 || strings.ContainsFunc(got.name, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%s: the name %q", a, got.name)
			}
			var resp [respSize]byte
			encodeResp(&resp, id, got.errno, 0)
			if !bytes.Equal(resp[:8], b[:8]) || !bytes.Equal(resp[8:16], make([]byte, 8)) || !bytes.Equal(resp[20:], make([]byte, 4)) {
				t.Errorf("the answer %x to %x", resp, b)
			}
		}
	})
}

// FuzzReplay runs any call through every program and holds it against the
// reviewed tables.
func FuzzReplay(f *testing.F) {
	type filter struct {
		program *Program
		rows    map[int]row
	}
	var filters []filter
	for _, profile := range Profiles() {
		for _, a := range arches {
			p, _ := compiled(f, Rules{Profile: profile}, a)
			filters = append(filters, filter{p, table(f, profile, a)})
		}
	}
	f.Add(uint32(41), AMD64.Audit, uint64(0), uint64(2), uint64(1), uint64(0), uint64(0))
	f.Add(uint32(198), ARM64.Audit, uint64(0), uint64(40), uint64(1), uint64(0), uint64(0))
	f.Add(uint32(16), AMD64.Audit, uint64(0), uint64(0), uint64(1<<32|unix.TIOCSTI), uint64(0), uint64(0))
	f.Add(uint32(0x40000000), AMD64.Audit, uint64(1), uint64(0), uint64(0), uint64(0), uint64(0))
	f.Add(uint32(1), uint32(0x40000003), uint64(1), uint64(0), uint64(0), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, nr, audit uint32, ip, a0, a1, a2, a3 uint64) {
		for _, c := range filters {
			d := data{nr, audit, ip, [6]uint64{a0, a1, a2, a3, a0, a1}}
			want := uint32(actReport)
			if r, ok := c.rows[int(nr)]; ok && audit == c.program.Arch.Audit {
				want = r.decide(d.args)
			}
			m, err := newMachine(c.program.BPF)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.must(t, c.program, d); got != want {
				t.Errorf("%s: %s: got %s, want %s", c.program.Arch, d, actText(got), actText(want))
			}
		}
	})
}

// FuzzRules compiles what a policy could write. Either the rules are refused, or
// every one of them is kept.
func FuzzRules(f *testing.F) {
	f.Add("default", "ptrace bpf", "flock")
	f.Add("strict", "socket", "socket")
	f.Add("default", "bpf setns shmget", "bpf setns socketpair")
	f.Add("strict", "fcntl", "")
	f.Add("ci", "mseal", "clone3 sync")
	f.Add("ci", "read\x00", "ptrace\x00x")
	f.Add("", "", "")
	known := numbers(f, Native())
	f.Fuzz(func(t *testing.T, profile, allow, deny string) {
		r := Rules{profile, strings.Split(allow, " "), strings.Split(deny, " ")}
		if allow == "" {
			r.Allow = nil
		}
		if deny == "" {
			r.Deny = nil
		}
		p, err := Compile(r, Native())
		if err != nil {
			if p != nil || err.Error() == "" {
				t.Errorf("%v and an error %q", p, err)
			}
			return
		}
		m, err := newMachine(p.BPF)
		if err != nil {
			t.Fatal(err)
		}
		allowed := func(name string) bool {
			n, ok := known[name]
			d := data{nr: uint32(n), arch: p.Arch.Audit}
			for _, way := range ways(profile, name)[:min(1, len(ways(profile, name)))] {
				for _, c := range way {
					d.args[c.arg] = c.value
				}
			}
			return ok && allows(m.must(t, p, d))
		}
		beyond := false
		for _, name := range r.Deny {
			if allowed(name) || !Known(name) {
				t.Errorf("%q is denied, and yet allowed or unknown", name)
			}
		}
		for _, name := range r.Allow {
			_, native := known[name]
			if native && !slices.Contains(r.Deny, name) && !allowed(name) {
				t.Errorf("%q is allowed, and yet not", name)
			}
			beyond = beyond || why(name) == ownRule && !slices.Contains(r.Deny, name)
		}
		if p.TellsSockets() == beyond {
			t.Errorf("%v: a call beyond the lists: %v, tells of sockets: %v", r, beyond, p.TellsSockets())
		}
		for _, name := range needed {
			if _, native := known[name]; native && !allowed(name) {
				t.Errorf("%s is needed, and not allowed", name)
			}
		}
	})
}

// FuzzRow: a line that is read as a row is one that Dump could have written.
func FuzzRow(f *testing.F) {
	for line := range bytes.Lines(dumped(f, "default", AMD64)) {
		f.Add(string(line))
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, ok := parseRow(line)
		if !ok {
			return
		}
		if r.name == "" || r.number < 0 || !allows(r.act) && len(r.ways) > 0 || r.act == actReport && len(r.errnos) == 0 {
			t.Errorf("%q was read as %+v", line, r)
		}
		r.decide([6]uint64{})
	})
}
