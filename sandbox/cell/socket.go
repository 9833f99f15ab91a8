package cell

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// socketPair is our end (pollable by the runtime) and the end that is given away.
// Plain files, not connections of package net: those ask the kernel half a dozen
// things that are known here.
func socketPair(name string) (ours, theirs *os.File, err error) {
	if err := failing(pointSocketpair); err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), name)
	if ours, err = pollable(fds[0], name); err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return ours, theirs, nil
}

// pollable is a file for which the runtime's poller waits, not a thread. The
// descriptor is the file's from now on, or closed.
func pollable(fd int, name string) (*os.File, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// send writes one packet with descriptors.
func send(p point, c *os.File, b []byte, files ...*os.File) error {
	return sendFDs(p, c, b, fdsOf(files))
}

func fdsOf(files []*os.File) []int {
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	return fds
}

func sendFDs(p point, c *os.File, b []byte, fds []int) error {
	if err := failing(p); err != nil {
		return err
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		for {
			sent = unix.Sendmsg(int(fd), b, rights, nil, unix.MSG_NOSIGNAL)
			if sent != unix.EINTR {
				return sent != unix.EAGAIN
			}
		}
	})
	return either(err, sent)
}

// either is what the poller says, else what the call has. Of our own end being
// closed the poller has an error that no package shows.
func either(poll, call error) error {
	switch {
	case poll == nil:
		return call
	case errors.Is(poll, os.ErrDeadlineExceeded):
		return poll
	}
	return fmt.Errorf("%w: %w", os.ErrClosed, poll)
}

// receive reads one packet. io.EOF when the other side is gone. The descriptors
// are the caller's; they are close-on-exec.
func receive(p point, c *os.File) (head, []int, error) {
	if err := failing(p); err != nil {
		return head{}, nil, err
	}
	var buffer [headSize]byte
	var control [256]byte
	n, rights, flags, err := receivePacket(c, buffer[:], control[:])
	if err != nil {
		if errors.Is(err, unix.ECONNRESET) {
			err = io.EOF
		}
		return head{}, nil, err
	}
	fds, err := descriptors(control[:rights])
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = fmt.Errorf("cell message of more than %d bytes, or with more descriptors than are ever sent", headSize)
	}
	if err != nil {
		closeFDs(fds)
		return head{}, nil, err
	}
	h, err := decodeHead(buffer[:n])
	if err != nil {
		closeFDs(fds)
		return head{}, nil, err
	}
	return h, fds, nil
}

func receivePacket(c *os.File, buffer, control []byte) (n, rights, flags int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0, 0, err
	}
	var received error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, rights, flags, _, received = unix.Recvmsg(int(fd), buffer, control, unix.MSG_CMSG_CLOEXEC)
			if received != unix.EINTR {
				return received != unix.EAGAIN
			}
		}
	})
	return n, rights, flags, either(err, received)
}

func descriptors(control []byte) ([]int, error) {
	if len(control) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	var all []int
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // another kind of control message
		}
		all = append(all, fds...)
	}
	return all, nil
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
