package sandbox

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestSignalNames(t *testing.T) {
	for n := unix.Signal(1); n <= 64; n++ {
		if name := SignalName(n); name == "" || SignalNumber(name) != int(n) {
			t.Errorf("signal %d: %q, which is %d", n, name, SignalNumber(name))
		}
	}
	if n := SignalNumber("SIGNAL"); n != 0 {
		t.Errorf("no name of a signal: %d", n)
	}
}
