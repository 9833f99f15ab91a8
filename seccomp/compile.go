package seccomp

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	lib "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// Program is a compiled filter.
type Program struct {
	Arch   Arch
	BPF    []byte // struct sock_filter[], 8 bytes each
	Digest string // of all that decides: the bytes, and what the daemon knows besides

	profile string
	allowed map[string]bool // on a condition, or without one
	denied  []string        // by the policy itself
	told    []told
	tells   bool
}

// Instructions is the length of the program.
func (p *Program) Instructions() int { return len(p.BPF) / 8 }

const (
	maxInstructions = 4096 // BPF_MAXINSNS

	retKillThread  = 0x00000000
	retKillProcess = 0x80000000
	retTrap        = 0x00030000
	retUserNotif   = 0x7fc00000
)

// Compile makes the program of a set of rules.
func Compile(r Rules, a Arch) (*Program, error) {
	allowed, err := r.allowed()
	if err != nil {
		return nil, err
	}
	long, err := generate(r.Profile, allowed, a)
	if err != nil {
		return nil, err
	}
	code, err := shrink(long, a)
	if err != nil {
		return nil, err
	}
	if len(code)/8 > maxInstructions {
		return nil, fmt.Errorf("seccomp: program of %d instructions; at most %d are possible", len(code)/8, maxInstructions)
	}
	p := &Program{Arch: a, BPF: code, profile: r.Profile, allowed: allowed, denied: r.Deny}
	p.tell(allowed)
	// A told call is reported whether it is allowed or not: two programs with the same
	// bytes may differ in what the daemon answers.
	sum := sha256.Sum256(fmt.Appendf(slices.Clone(code), "%q %v %t", p.profile, p.told, p.tells))
	p.Digest = hex.EncodeToString(sum[:8])
	return p, nil
}

// generate has libseccomp make the program.
func generate(profile string, allowed map[string]bool, a Arch) ([]byte, error) {
	// libseccomp cannot take "report" as the default and for foreign
	// architectures. "Trap" and "kill" stand in for it and are replaced below;
	// no rule of ours uses either.
	f, err := lib.NewFilter(lib.ActTrap)
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	defer f.Release()
	if err := prepare(f, a); err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(allowed)) {
		if err := allow(f, profile, a, name); err != nil {
			return nil, fmt.Errorf("seccomp: allow %s: %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(atOnce)) {
		if allowed[name] {
			continue
		}
		if err := answerAtOnce(f, a, name); err != nil {
			return nil, fmt.Errorf("seccomp: answer %s: %w", name, err)
		}
	}
	return export(f)
}

func prepare(f *lib.ScmpFilter, a Arch) error {
	host, err := lib.GetNativeArch()
	if err != nil {
		return err
	}
	if host != a.lib {
		if err := f.AddArch(a.lib); err != nil {
			return err
		}
		if err := f.RemoveArch(host); err != nil {
			return err
		}
	}
	return f.SetBadArchAction(lib.ActKillProcess)
}

// native gives the number under which libseccomp wants to hear of a call: that
// of the machine it runs on, which it translates by name itself.
func native(number int, a Arch) (lib.ScmpSyscall, error) {
	if a == Native() {
		return lib.ScmpSyscall(number), nil
	}
	name, _ := a.callName(number)
	n, err := lib.GetSyscallFromName(name)
	if err != nil {
		return 0, fmt.Errorf("the installed libseccomp does not know the call and cannot translate it to %s; install a newer one, or compile on %s itself", a, a)
	}
	return n, nil
}

func allow(f *lib.ScmpFilter, profile string, a Arch, name string) error {
	n, ok := a.number(name)
	if !ok {
		return nil
	}
	call, err := native(n, a)
	if err != nil {
		return err
	}
	ways := ways(profile, name)
	if len(ways) == 0 {
		return f.AddRule(call, lib.ActAllow)
	}
	if slices.Contains(tellers, name) {
		ways = nil // without a rule a call is reported, and the daemon looks at the ways
	}
	for _, way := range ways {
		if err := addWay(f, call, lib.ActAllow, way); err != nil {
			return err
		}
	}
	for _, r := range refusals[name] {
		if err := addWay(f, call, lib.ActErrno.SetReturnCode(int16(r.errno)), r.way); err != nil {
			return err
		}
	}
	return nil
}

func addWay(f *lib.ScmpFilter, call lib.ScmpSyscall, action lib.ScmpAction, way []condition) error {
	var all []lib.ScmpCondition
	for _, c := range way {
		one, err := lib.MakeCondition(c.arg, lib.CompareMaskedEqual, c.mask, c.value)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	return f.AddRuleConditional(call, action, all)
}

func answerAtOnce(f *lib.ScmpFilter, a Arch, name string) error {
	n, ok := a.number(name)
	if !ok {
		return nil
	}
	call, err := native(n, a)
	if err != nil {
		return err
	}
	return f.AddRule(call, lib.ActErrno.SetReturnCode(int16(atOnce[name])))
}

func export(f *lib.ScmpFilter) ([]byte, error) {
	fd, err := unix.MemfdCreate("filter", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), "filter")
	defer file.Close()
	if err := f.ExportBPF(file); err != nil {
		return nil, fmt.Errorf("seccomp: export: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	code, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	if len(code) == 0 || len(code)%8 != 0 {
		return nil, fmt.Errorf("seccomp: libseccomp made a program of %d bytes; instructions have 8", len(code))
	}
	report(code)
	return code, nil
}

// report replaces the stand-ins by "report to the daemon".
func report(code []byte) {
	for i := 0; i < len(code); i += 8 {
		if binary.LittleEndian.Uint16(code[i:]) != opReturn {
			continue
		}
		switch binary.LittleEndian.Uint32(code[i+4:]) {
		case retTrap, retKillProcess, retKillThread:
			binary.LittleEndian.PutUint32(code[i+4:], retUserNotif)
		}
	}
}
