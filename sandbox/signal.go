package sandbox

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// SignalName is what results call a signal: SIGSEGV, or SIG34 for the real-time
// ones, whose names differ from one C library to the next.
func SignalName(s unix.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("SIG%d", int(s))
}

// SignalNumber is the number of a name that SignalName has given; 0 for others.
func SignalNumber(name string) int {
	if n := unix.SignalNum(name); n != 0 {
		return int(n)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(name, "SIG"))
	if err != nil {
		return 0
	}
	return n
}
