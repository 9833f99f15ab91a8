package bench

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"cordon/internal/cores"
)

// Machine is where a report was made.
type Machine struct {
	Kernel      string `json:"kernel"`
	Processor   string `json:"processor"`
	CPUs        int    `json:"cpus"`
	MemoryBytes int64  `json:"memory_bytes"`
	Cgroup      string `json:"cgroup"` // what the service's limits are held by
}

func thisMachine() Machine {
	m := Machine{CPUs: runtime.NumCPU()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
	}
	m.Processor, _ = cores.Model()
	m.MemoryBytes, _ = memory("MemTotal")
	return m
}

// keyed finds the value of a line such as "key : value".
func keyed(text, key string) (string, bool) {
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// memory reads a line of /proc/meminfo, in bytes.
func memory(key string) (int64, error) { return kibibytes("/proc/meminfo", key) }

// kibibytes reads a line such as "Pss:   12 kB" of a file, in bytes.
func kibibytes(file, key string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	value, _ := keyed(string(text), key)
	number, _, _ := strings.Cut(value, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: no number behind %s: %q", file, key, value)
	}
	return n << 10, nil
}
