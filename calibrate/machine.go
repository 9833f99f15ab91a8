package calibrate

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"cordon/internal/cores"
)

func thisMachine() Machine {
	m := Machine{Processors: runtime.NumCPU()}
	m.Processor, m.Virtual = cores.Model()
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	return m
}

// String is it in a line.
func (m Machine) String() string {
	virtual := ""
	if m.Virtual {
		virtual = ", virtual"
	}
	return fmt.Sprintf("%s × %d%s, Linux %s", m.Processor, m.Processors, virtual, m.Kernel)
}
