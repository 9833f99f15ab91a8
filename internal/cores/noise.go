package cores

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// Noise is what a host does to those who measure on it, in nanoseconds since its start.
// -1 where it does not tell.
type Noise struct {
	StealNanos    int64 // the hypervisor gave processors of this machine to others (proc_stat(5))
	PressureNanos int64 // some task waited for a processor (Documentation/accounting/psi.rst)
}

// ReadNoise reads the host's counters.
func ReadNoise() (Noise, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Noise{-1, -1}, err
	}
	pressure, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil { // not there, or EOPNOTSUPP, without PSI
		pressure = nil
	}
	return parseNoise(stat, pressure), nil
}

func parseNoise(stat, pressure []byte) Noise {
	n := Noise{-1, -1}
	first, _, _ := bytes.Cut(stat, []byte{'\n'})
	if f := bytes.Fields(first); len(f) > 8 {
		if ticks, err := strconv.ParseInt(string(f[8]), 10, 64); err == nil {
			n.StealNanos = ticks * int64(time.Second) / 100 // USER_HZ is 100 wherever Cordon runs
		}
	}
	if _, rest, found := bytes.Cut(pressure, []byte("total=")); found {
		line, _, _ := bytes.Cut(rest, []byte{'\n'})
		if us, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64); err == nil {
			n.PressureNanos = us * int64(time.Microsecond)
		}
	}
	return n
}

// Since is what there was from an earlier look on.
func (n Noise) Since(before Noise) Noise {
	less := func(a, b int64) int64 {
		if a < 0 || b < 0 {
			return -1
		}
		return max(a-b, 0)
	}
	return Noise{less(n.StealNanos, before.StealNanos), less(n.PressureNanos, before.PressureNanos)}
}
