package testkit

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// makeNetworks has the helper make them: its descriptors.
func makeNetworks(tb testing.TB, machines int) (files []*os.File) {
	tb.Helper()
	dir := os.Getenv(NetworksVar)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	defer theirs.Close()
	defer unix.Close(pair[0])
	c := exec.Command(filepath.Join(dir, "make"), filepath.Join(dir, "tun"), fmt.Sprint(machines))
	c.ExtraFiles = []*os.File{theirs}
	if out, err := c.CombinedOutput(); err != nil {
		tb.Fatalf("%s=%s: %v: %s", NetworksVar, dir, err, out)
	}
	control := make([]byte, unix.CmsgSpace(4*(1+2*machines)))
	_, got, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		tb.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:got])
	if err != nil || len(messages) != 1 {
		tb.Fatalf("%d messages: %v", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1+2*machines {
		tb.Fatalf("%d descriptors: %v", len(fds), err)
	}
	for _, fd := range fds {
		files = append(files, os.NewFile(uintptr(fd), "of a network"))
	}
	return files
}

// Cable is what a guest's end of the network is; its Ethernet address ends in its number.
func (m *Machine) Cable(tb testing.TB) *os.File {
	tb.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		tb.Fatal(err)
	}
	m.cable = os.NewFile(uintptr(pair[0]), "cable")
	m.network.join(m)
	return os.NewFile(uintptr(pair[1]), "guest's end")
}

// Address is that of a machine.
func (m *Machine) Address() string { return fmt.Sprintf("10.77.0.%d", m.Number) }

// Ethernet is a guest's address, or that by which it knows another.
func (m *Machine) Ethernet() net.HardwareAddr {
	return net.HardwareAddr{2, 0, 0, 0, 0, byte(m.Number)}
}

// Enter has a command be started on a machine.
func (m *Machine) Enter(c *exec.Cmd) {
	c.ExtraFiles = []*os.File{m.names}
	if m.Ahead {
		c.ExtraFiles = append(c.ExtraFiles, m.network.clock)
	}
	program := filepath.Join(os.Getenv(NetworksVar), "enter")
	c.Args = append([]string{program, fmt.Sprint(len(c.ExtraFiles)), c.Path}, c.Args[1:]...)
	c.Path = program
}
