package seccomp

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What makes a socket, or brings one in, or another network namespace, or has
// somebody else do so, of all that Linux has. What can do it only with a socket in
// hand, as accept and recvmsg, is not here.
const (
	makers   = `socket socketpair`
	bringers = `io_uring_setup io_uring_enter io_uring_register pidfd_getfd bpf socketcall setns unshare clone3
		ptrace process_vm_readv process_vm_writev process_madvise kcmp perf_event_open userfaultfd
		mount umount2 pivot_root chroot fsopen fsconfig fsmount fspick open_tree open_tree_attr move_mount mount_setattr
		open_by_handle_at name_to_handle_at init_module finit_module delete_module kexec_load kexec_file_load
		add_key request_key keyctl io_setup io_submit nfsservctl uselib modify_ldt iopl ioperm`
)

// partly are calls that can with such arguments.
var partly = map[string][][6]uint64{
	"clone": {{unix.CLONE_NEWNET}, {unix.CLONE_NEWUSER}, {unix.CLONE_NEWNET | unix.CLONE_NEWUSER | uint64(unix.SIGCHLD)}, {^uint64(0)}},
	// A listener of the job's own, which could put descriptors into it.
	"seccomp": {{unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER}, {unix.SECCOMP_SET_MODE_FILTER, ^uint64(0)}},
	"ioctl": {{3, 0x894c}, {3, 0xff04}, {3, 0x40182103}, // SIOCGSKNS, PIDFD_GET_NET_NAMESPACE, SECCOMP_IOCTL_NOTIF_ADDFD
		{3, unix.NS_GET_USERNS}, {3, unix.NS_GET_PARENT}, {3, unix.TUNSETIFF}},
}

// answers are all that the program can answer to a number, whatever the arguments
// are: both sides are followed of each branch that looks at them.
func (m *machine) answers(t *testing.T, a Arch, number int) []uint32 {
	t.Helper()
	out := map[uint32]bool{}
	type state struct {
		pc    int
		acc   uint32
		known bool
	}
	next := []state{{}}
	for len(next) > 0 {
		s := next[len(next)-1]
		next = next[:len(next)-1]
		if s.pc >= len(m.code) {
			t.Fatalf("call %d leads out of the program", number)
		}
		in := m.code[s.pc]
		to := func(by int) { next = append(next, state{s.pc + 1 + by, s.acc, s.known}) }
		switch in.code {
		case 0x06:
			out[in.k] = true
		case 0x20:
			s.known = in.k < 8
			s.acc = map[uint32]uint32{0: uint32(number), 4: a.Audit}[in.k]
			to(0)
		case 0x54:
			s.acc &= in.k
			to(0)
		case 0x05:
			to(int(in.k))
		case 0x15, 0x25, 0x35, 0x45:
			holds := map[uint16]bool{0x15: s.acc == in.k, 0x25: s.acc > in.k, 0x35: s.acc >= in.k, 0x45: s.acc&in.k != 0}[in.code]
			if holds || !s.known {
				to(int(in.jt))
			}
			if !holds || !s.known {
				to(int(in.jf))
			}
		default:
			t.Fatalf("instruction %d has the unknown code 0x%x", s.pc, in.code)
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// unreported are the ways to a socket that a program allows without a report.
func unreported(t *testing.T, r Rules, a Arch) []string {
	t.Helper()
	p, m := compiled(t, r, a)
	known := numbers(t, a)
	var out []string
	for _, name := range strings.Fields(makers + " " + bringers) {
		if n, ok := known[name]; ok && slices.Contains(m.answers(t, a, n), actAllow) {
			out = append(out, name)
		}
	}
	for name, all := range partly {
		for _, args := range all {
			above := args
			above[0], above[1] = args[0]|upper, args[1]|upper
			for _, args := range [][6]uint64{args, above} {
				if m.must(t, p, data{nr: uint32(known[name]), arch: a.Audit, args: args}) == actAllow {
					out = append(out, name)
				}
			}
		}
	}
	return slices.Compact(out)
}

// TestNoSocketUnreported: under no profile, on no architecture, is there a way to
// a socket that the daemon does not hear of. That the list of ways is looked for in
// earnest shows with each of them allowed by a policy.
func TestNoSocketUnreported(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		p, m := compiled(t, Rules{Profile: profile}, a)
		if got := unreported(t, Rules{Profile: profile}, a); len(got) > 0 || !p.TellsSockets() {
			t.Errorf("%v, and the program tells of sockets: %v", got, p.TellsSockets())
		}
		known := numbers(t, a)
		if got := m.answers(t, a, known["socket"]); !slices.Contains(got, actReport) {
			t.Errorf("socket: %v", got)
		}
		if got := m.answers(t, a, known["clone"]); !slices.Equal(got, []uint32{actReport, actAllow}) {
			t.Errorf("clone: %v", got)
		}
		for _, name := range strings.Fields(bringers) {
			r := Rules{Profile: profile, Allow: []string{name}}
			if _, ok := known[name]; !ok {
				continue
			}
			p, err := Compile(r, a)
			if err != nil {
				continue // too new for the installed libseccomp: TestNewer
			}
			if got := unreported(t, r, a); !slices.Equal(got, []string{name}) || p.TellsSockets() {
				t.Errorf("%s allowed: found %v, and the program tells of sockets: %v", name, got, p.TellsSockets())
			}
		}
		// All that other profiles have can be added.
		var all []string
		for _, g := range allowGroups {
			all = append(all, g.names...)
		}
		r := Rules{Profile: profile, Allow: all}
		if got := unreported(t, r, a); len(got) > 0 {
			t.Errorf("with all of the lists: %v", got)
		}
	})
}

// TestTellsSockets adds every call there is to every profile: the program tells of
// sockets as long as the call is on a reviewed list, or taken away again.
func TestTellsSockets(t *testing.T) {
	listed := map[string]bool{}
	for _, g := range allowGroups {
		for _, name := range g.names {
			listed[name] = true
		}
	}
	tells := func(r Rules) bool {
		allowed, err := r.allowed()
		if err != nil {
			t.Fatal(err)
		}
		p := &Program{Arch: Native()}
		p.tell(allowed)
		return p.TellsSockets()
	}
	for _, profile := range Profiles() {
		for name := range everyName() {
			if got := tells(Rules{profile, []string{"read", name}, nil}); got != listed[name] {
				t.Errorf("%s and %s: %v", profile, name, got)
			}
			if !slices.Contains(needed, name) && !tells(Rules{profile, []string{name}, []string{name}}) {
				t.Errorf("%s without %s does not tell", profile, name)
			}
		}
	}
	if (&Program{Arch: AMD64}).TellsSockets() {
		t.Error("a program that nobody compiled tells")
	}
}

// TestTellersHaveConditions: none is allowed with any argument, so what the daemon
// lets go on is always looked at, and no condition is on a pointer.
func TestTellersHaveConditions(t *testing.T) {
	for _, profile := range Profiles() {
		for _, name := range tellers {
			all := ways(profile, name)
			if len(all) == 0 {
				t.Errorf("%s: %s has no conditions", profile, name)
			}
			for _, way := range all {
				if !slices.EqualFunc(way, []uint{0, 1, 2}, func(c condition, arg uint) bool { return c.arg == arg }) {
					t.Errorf("%s: %s looks at %v, not at family, type and protocol", profile, name, way)
				}
			}
		}
	}
}

// TestLetsAllocatesNothing: a job may ask for sockets as often as it wants.
func TestLetsAllocatesNothing(t *testing.T) {
	p, _ := compiled(t, Rules{Profile: "default"}, AMD64)
	number := numbers(t, AMD64)["socket"]
	args := [6]uint64{unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP} // the last way
	if n := testing.AllocsPerRun(100, func() {
		if !p.lets(AMD64.Audit, number, &args) {
			t.Fatal("not let go on")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A told call is reported whether it is allowed or denied, so the bytes may be the
// same: what the daemon answers must still tell the programs apart.
func TestDigestTellsToldCallsApart(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		digests := map[string][]string{}
		for _, deny := range [][]string{nil, {"socket"}, {"socketpair"}, {"socket", "socketpair"}} {
			p, err := Compile(Rules{Profile: profile, Deny: deny}, a)
			if err != nil {
				t.Fatal(err)
			}
			if other, ok := digests[p.Digest]; ok && len(p.told) != 0 {
				if profile != "strict" || slices.Contains(deny, "socketpair") != slices.Contains(other, "socketpair") {
					t.Errorf("without %q the program is that without %q", deny, other)
				}
			}
			digests[p.Digest] = deny
		}
		if want := map[bool]int{true: 2, false: 4}[profile == "strict"]; len(digests) != want { // which has no socket to begin with
			t.Errorf("%d programs, want %d", len(digests), want)
		}
	})
}
