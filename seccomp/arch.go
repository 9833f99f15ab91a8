package seccomp

import (
	"runtime"
	"strings"
	"sync"

	lib "github.com/seccomp/libseccomp-golang"
)

// Arch is an architecture that a filter is made for. A job has exactly one.
type Arch struct {
	name string
	lib  lib.ScmpArch
	// Audit is the kernel's name for it in seccomp_data.arch (linux/audit.h).
	Audit uint32
}

// The architectures with a table.
var (
	AMD64 = Arch{"amd64", lib.ArchAMD64, 0xc000003e}
	ARM64 = Arch{"arm64", lib.ArchARM64, 0xc00000b7}
)

// Arches lists them.
func Arches() []Arch { return []Arch{AMD64, ARM64} }

// Native is the architecture of this program, and so of its jobs.
func Native() Arch {
	if runtime.GOARCH == "arm64" {
		return ARM64
	}
	return AMD64
}

// String is Go's name of the architecture.
func (a Arch) String() string { return a.name }

// number of a call, or false where the architecture does not have it.
func (a Arch) number(name string) (int, bool) {
	if n, ok := newer[name]; ok {
		return n, true
	}
	if n, ok := newerAMD64[name]; ok && a == AMD64 {
		return n, true
	}
	if strings.ContainsRune(name, 0) { // C would read the name up to there, and call it known
		return 0, false
	}
	n, err := lib.GetSyscallFromNameByArch(name, a.lib)
	if err != nil || n < 0 { // below zero: libseccomp's own numbers for calls of other architectures
		return 0, false
	}
	return int(n), true
}

const maxNumber = 512

var (
	namesOnce sync.Once
	names     map[Arch]map[int]string
)

// callName is the name of a number, or false when nobody knows it.
func (a Arch) callName(number int) (string, bool) {
	namesOnce.Do(loadNames)
	n, ok := names[a][number]
	return n, ok
}

func loadNames() {
	names = map[Arch]map[int]string{}
	for _, a := range Arches() {
		names[a] = map[int]string{}
		for i := range maxNumber {
			if n, err := lib.ScmpSyscall(i).GetNameByArch(a.lib); err == nil {
				names[a][i] = n
			}
		}
		for n, i := range newer {
			names[a][i] = n
		}
	}
	for n, i := range newerAMD64 {
		names[AMD64][i] = n
	}
}

func everyName() map[string]bool {
	namesOnce.Do(loadNames)
	out := map[string]bool{}
	for _, table := range names {
		for _, n := range table {
			out[n] = true
		}
	}
	return out
}
