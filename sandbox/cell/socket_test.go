package cell

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pair is our end of a socket and the other one as a plain descriptor.
func pair(t *testing.T) (*os.File, int) {
	t.Helper()
	conn, theirs, err := socketPair("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); theirs.Close() })
	return conn, int(theirs.Fd())
}

func TestSendAndReceive(t *testing.T) {
	conn, fd := pair(t)
	want := head{kind: msgReady, a: 5}
	if err := send(pointSendJob, conn, want.encode(nil)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 1024)
	n, err := unix.Read(fd, buffer)
	if err != nil || string(buffer[:n]) != string(want.encode(nil)) {
		t.Fatalf("sent % x, %v", buffer[:n], err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := unix.Sendmsg(fd, want.encode(nil), unix.UnixRights(int(w.Fd()), int(w.Fd())), nil, 0); err != nil {
		t.Fatal(err)
	}
	w.Close()
	got, files, err := receive(pointReceiveEnd, conn)
	if err != nil || got != want || len(files) != 2 {
		t.Fatalf("received %+v with %d descriptors, %v", got, len(files), err)
	}
	for _, f := range files {
		if flags, err := unix.FcntlInt(uintptr(f), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("a received descriptor is not close-on-exec (%#x, %v)", flags, err)
		}
		unix.Close(f)
	}
	// The last writer is gone: nothing else holds the pipe.
	if _, err := r.Read(buffer); err != io.EOF {
		t.Errorf("read %v, want the end of the file", err)
	}
}

// A message that is no head is refused, and its descriptors do not stay open.
func TestReceiveRefuses(t *testing.T) {
	whole := (&head{kind: msgReady}).encode(nil)
	for name, message := range map[string][]byte{
		"too short": whole[:headSize-1], "too long": append(whole[:headSize:headSize], 0),
		"another version": append([]byte{9}, whole[1:]...),
	} {
		conn, fd := pair(t)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Sendmsg(fd, message, unix.UnixRights(int(w.Fd())), nil, 0); err != nil {
			t.Fatal(err)
		}
		w.Close()
		h, files, err := receive(pointReceiveEnd, conn)
		if err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "cell message") || files != nil {
			closeFDs(files)
			t.Errorf("%s: received %+v, %d descriptors, %v", name, h, len(files), err)
		}
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: read %v, want the end of the file", name, err)
		}
		r.Close()
	}
}

func TestReceiveEnd(t *testing.T) {
	conn, theirs, err := socketPair("test")
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if _, _, err := receive(pointReceiveEnd, conn); err != io.EOF {
		t.Errorf("after the other side has gone: %v, want EOF", err)
	}
	if err := send(pointSendJob, conn, make([]byte, headSize)); !errors.Is(err, unix.EPIPE) {
		t.Errorf("send: %v, want EPIPE", err)
	}
	conn.Close()
	if _, _, err := receive(pointReceiveEnd, conn); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after our own end: %v", err)
	}
}

// The other side dies with our message unread: that is an end, not a fault.
func TestReceiveEndUnread(t *testing.T) {
	conn, theirs, err := socketPair("test")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := send(pointSendJob, conn, make([]byte, headSize)); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if _, _, err := receive(pointReceiveEnd, conn); err != io.EOF {
		t.Errorf("%v, want EOF", err)
	}
}

func TestDescriptors(t *testing.T) {
	if files, err := descriptors(nil); files != nil || err != nil {
		t.Errorf("no control message: %v, %v", files, err)
	}
	if files, err := descriptors(make([]byte, 20)); err == nil || files != nil {
		t.Errorf("a malformed control message: %v, %v", files, err)
	}
}
