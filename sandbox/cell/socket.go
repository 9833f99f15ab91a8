package cell

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// socketPair is our end (pollable by the runtime) and the end that is given away.
func socketPair(name string) (*net.UnixConn, *os.File, error) {
	if err := failing(pointSocketpair); err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), name)
	ours := os.NewFile(uintptr(fds[0]), name)
	conn, err := net.FileConn(ours) // a duplicate, non-blocking
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return conn.(*net.UnixConn), theirs, nil
}

// send writes one packet with descriptors.
func send(p point, c *net.UnixConn, b []byte, files ...*os.File) error {
	if err := failing(p); err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	_, _, err := c.WriteMsgUnix(b, rights, nil)
	return err
}

// receive reads one packet. io.EOF when the other side is gone.
func receive(p point, c *net.UnixConn) (head, []*os.File, error) {
	if err := failing(p); err != nil {
		return head{}, nil, err
	}
	var buffer [headSize]byte
	var control [256]byte
	n, rights, flags, _, err := c.ReadMsgUnix(buffer[:], control[:])
	if err != nil {
		if errors.Is(err, unix.ECONNRESET) || errors.Is(err, io.EOF) {
			err = io.EOF
		}
		return head{}, nil, err
	}
	files, err := descriptors(control[:rights])
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = fmt.Errorf("cell message of more than %d bytes, or with more descriptors than are ever sent", headSize)
	}
	if err != nil {
		closeAll(files)
		return head{}, nil, err
	}
	h, err := decodeHead(buffer[:n])
	if err != nil {
		closeAll(files)
		return head{}, nil, err
	}
	return h, files, nil
}

func descriptors(control []byte) ([]*os.File, error) {
	if len(control) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // another kind of control message
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "cell"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
