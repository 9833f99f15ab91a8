package seccomp

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func init() {
	scenarios["sockets"] = scenario{rules: Rules{Profile: "default"}, probes: allowedProbes, work: useSockets, sockets: true}
	scenarios["pairs"] = scenario{rules: Rules{Profile: "strict"}, probes: allowedProbes, work: usePair, sockets: true}
	scenarios["none"] = scenario{rules: Rules{Profile: "default"}, probes: allowedProbes}
	// A socket that is refused is none.
	scenarios["refused sockets"] = scenario{rules: Rules{Profile: "default"}, probes: []probe{
		{unix.SYS_SOCKET, ueventSocket, unix.EAFNOSUPPORT, "socket (address family 16)", false},
		{unix.SYS_SOCKET, routeSocket, unix.EAFNOSUPPORT, "", false},
		{unix.SYS_SOCKET, rdmSocket, unix.EPERM, "socket", false},
		{unix.SYS_SOCKETPAIR, [6]uintptr{unix.AF_INET, unix.SOCK_STREAM}, unix.EAFNOSUPPORT, "socketpair (address family 2)", false},
	}}
	scenarios["sockets denied"] = scenario{rules: Rules{"default", nil, []string{"socket", "socketpair"}}, probes: []probe{
		{unix.SYS_SOCKET, unixSocket, unix.EPERM, "socket", false},
		{unix.SYS_SOCKETPAIR, unixSocket, unix.EPERM, "socketpair", false},
	}}
	// A kernel that does not know a flag of an answer refuses it, as one before 5.5
	// does with the flag by which a call goes on.
	const old = " (allowed, but only Linux 5.5 and later lets it go on)"
	scenarios["old kernel"] = scenario{rules: Rules{Profile: "default"}, goOn: 1 << 31, sockets: true, probes: []probe{
		{unix.SYS_SOCKET, unixSocket, unix.EPERM, "socket" + old, false},
		{unix.SYS_SOCKETPAIR, unixSocket, unix.EPERM, "socketpair" + old, false},
		{unix.SYS_GETPID, [6]uintptr{}, 0, "", true},
	}}
}

// usePair has a byte go through a pair.
func usePair(l *Listener) error {
	if l.Sockets() {
		return errors.New("noted before the first call")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if !l.Sockets() {
		return errors.New("not noted before the call's end")
	}
	return through(pair[0], pair[1])
}

func through(from, to int) error {
	var b [1]byte
	if _, err := unix.Write(from, []byte{42}); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if n, err := unix.Read(to, b[:]); err != nil || n != 1 || b[0] != 42 {
		return fmt.Errorf("read %d of %v: %w", n, b, err)
	}
	return nil
}

// useSockets has a byte go through a pair and through connections of two
// families, and makes more sockets than the job may make denied calls.
func useSockets(l *Listener) error {
	if err := usePair(l); err != nil {
		return err
	}
	for family, name := range map[int]unix.Sockaddr{unix.AF_INET: &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, unix.AF_UNIX: &unix.SockaddrUnix{}} {
		if err := connection(family, name); err != nil {
			return fmt.Errorf("family %d: %w", family, err)
		}
	}
	for i := range maxAnswers + 100 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
		if err != nil {
			return fmt.Errorf("socket %d: %w", i, err)
		}
		unix.Close(fd)
	}
	return nil
}

// connection is one of a socket with another, which listens where the kernel
// finds a place.
func connection(family int, at unix.Sockaddr) error {
	var fds [2]int
	for i := range fds {
		var err error
		if fds[i], err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return fmt.Errorf("socket: %w", err)
		}
		defer unix.Close(fds[i])
	}
	if err := unix.Bind(fds[0], at); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fds[0], 1); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	name, err := unix.Getsockname(fds[0])
	if err != nil {
		return fmt.Errorf("getsockname: %w", err)
	}
	if err := unix.Connect(fds[1], name); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	other, _, err := unix.Accept4(fds[0], unix.SOCK_CLOEXEC)
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	defer unix.Close(other)
	return through(fds[1], other)
}
