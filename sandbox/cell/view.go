package cell

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// viewNames are what the job's process tells of, in the order of view.c.
var viewNames = [...]string{"status", "mountinfo", "uid_map", "gid_map", "limits", "net/dev", "ns/user", "ns/mnt", "ns/pid", "ns/net", "ns/ipc", "ns/uts", "ns/cgroup"}

// View is what the job's process sees of itself below /proc/self, when all is set up and only
// the exec is missing.
type View struct {
	Pid     int                      // of the process, as the daemon sees it
	Texts   map[string][]byte        // contents of files, and where links lead
	Refused map[string]syscall.Errno // what it may not see
}

// viewMost is more than it can have: a page for each of thousands of mounts.
const viewMost = 16 << 20

const viewHead = 12

// ViewSockets are our end and the one for Stdio.View.
func ViewSockets() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "view")
	if err = unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil { // says whose process it is
		unix.Close(fds[0])
	} else {
		ours, err = pollable(fds[0], "view")
	}
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("view: %w", err)
	}
	return ours, theirs, nil
}

// ReadView reads what the process tells, on our end. It waits then until LetPass, or until our
// end is closed: it does not go on then. io.EOF: it has told nothing, because it never came there.
func ReadView(ours *os.File) (*View, error) {
	v := &View{Texts: map[string][]byte{}, Refused: map[string]syscall.Errno{}}
	from := &viewReader{from: ours, view: v, left: viewMost}
	for first := true; ; first = false {
		var b [viewHead]byte
		if _, err := io.ReadFull(from, b[:]); err != nil {
			if errors.Is(err, io.EOF) && !first {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		what, errno, size := binary.LittleEndian.Uint32(b[:]), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
		if what == math.MaxUint32 {
			return v, nil
		}
		if what >= uint32(len(viewNames)) || size > 4096 {
			return nil, fmt.Errorf("view: %d bytes of thing %d", size, what)
		}
		text := make([]byte, size)
		if _, err := io.ReadFull(from, text); err != nil {
			return nil, fmt.Errorf("view: %w", err)
		}
		name := viewNames[what]
		v.Texts[name] = append(v.Texts[name], text...)
		if errno != 0 {
			v.Refused[name] = syscall.Errno(errno)
		}
	}
}

// viewReader notes whose words they are.
type viewReader struct {
	from *os.File
	view *View
	left int
}

// Read is io.Reader's.
func (r *viewReader) Read(b []byte) (int, error) {
	var control [64]byte
	n, rights, _, err := receivePacket(r.from, b[:min(len(b), r.left)], control[:])
	if err != nil {
		if errors.Is(err, unix.ECONNRESET) {
			err = io.EOF
		}
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	r.left -= n
	messages, err := unix.ParseSocketControlMessage(control[:rights])
	if err != nil {
		return 0, err
	}
	for i := range messages {
		if who, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			r.view.Pid = int(who.Pid)
		}
	}
	return n, nil
}

// LetPass has the process go on to its program.
func LetPass(ours *os.File) error {
	_, err := ours.Write([]byte{0})
	return err
}
