package bench

/*
#include "client.h"
#include <stdlib.h>
*/
import "C"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// answerWithin ends a client whose service hangs.
const answerWithin = 5 * time.Minute

// request is one, ready to be sent over and over.
type request struct {
	address string // host and port
	text    []byte
	good    []byte // stands in every good answer
}

// post makes one for a service's URL.
func post(base, path, token string, body, good []byte) (*request, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return nil, fmt.Errorf("%q: an address such as http://127.0.0.1:8080 is wanted", base)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", path, u.Host, len(body))
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	b.WriteString("\r\n")
	b.Write(body)
	return &request{u.Host, b.Bytes(), good}, nil
}

// dial makes a blocking connection: a thread waits in the kernel for the answer, and
// no poller stands between.
func dial(address string) (fd int, err error) {
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return -1, err
	}
	family, to := unix.AF_INET6, unix.Sockaddr(nil)
	if v4 := at.IP.To4(); v4 != nil {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(v4)}
	} else {
		to = &unix.SockaddrInet6{Port: at.Port, Addr: [16]byte(at.IP.To16())}
	}
	if fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	limit := unix.NsecToTimeval(int64(answerWithin))
	err = errors.Join(
		os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)),
		os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)),
		os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)),
		os.NewSyscallError("connect", connectSocket(fd, to)))
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%s: %w", address, err)
	}
	return fd, nil
}

// connectSocket goes on where a signal of the Go runtime came between.
func connectSocket(fd int, to unix.Sockaddr) error {
	err := unix.Connect(fd, to)
	for err == unix.EINTR {
		if _, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1); err != nil {
			continue
		}
		status, failed := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if failed != nil {
			return failed
		}
		if status != 0 {
			return unix.Errno(status)
		}
	}
	return err
}

// connection sends one request over one socket, again and again.
type connection struct{ c *C.struct_bench_client }

// stopping ends every loop of this process early once the context is done; the
// next call lets them run again.
func stopping(ctx context.Context) {
	setStop(false)
	context.AfterFunc(ctx, func() { setStop(true) })
}

func setStop(stop bool) {
	var value C.int
	if stop {
		value = 1
	}
	C.bench_set_stop(value)
}

// mostRuns is how many runs of a slice are kept.
const mostRuns = 1 << 20

func connect(r *request) (*connection, error) {
	fd, err := dial(r.address)
	if err != nil {
		return nil, err
	}
	c := (*C.struct_bench_client)(C.calloc(1, C.sizeof_struct_bench_client))
	c.fd = C.int(fd)
	c.request, c.request_size = (*C.char)(C.CBytes(r.text)), C.size_t(len(r.text))
	c.good, c.good_size = (*C.char)(C.CBytes(r.good)), C.size_t(len(r.good))
	c.times, c.most = (*C.int64_t)(C.calloc(mostRuns, C.sizeof_int64_t)), mostRuns
	return &connection{c}, nil
}

func (c *connection) close() {
	unix.Close(int(c.c.fd))
	for _, block := range []unsafe.Pointer{unsafe.Pointer(c.c.request), unsafe.Pointer(c.c.good), unsafe.Pointer(c.c.answer), unsafe.Pointer(c.c.times), unsafe.Pointer(c.c)} {
		C.free(block)
	}
}

// loop exchanges for a while, and at least so often.
func (c *connection) loop(length time.Duration, least int) ([]time.Duration, error) {
	errno := C.bench_client_run(c.c, C.bench_now()+C.int64_t(length), C.size_t(least))
	times := durations(c.c.times, c.c.count)
	switch {
	case errno == C.int(unix.EBADMSG):
		return times, fmt.Errorf("answered: %s", strings.TrimSpace(fmt.Sprintf("%.800s", C.GoBytes(unsafe.Pointer(c.c.answer), C.int(c.c.size)))))
	case errno != 0:
		return times, os.NewSyscallError("exchange", syscall.Errno(errno))
	}
	return times, nil
}

// exchange is a single one; it gives the body of the answer.
func (c *connection) exchange() ([]byte, error) {
	if _, err := c.loop(0, 1); err != nil {
		return nil, err
	}
	text := C.GoBytes(unsafe.Pointer(c.c.answer), C.int(c.c.size))
	return text[c.c.body:], nil
}

// durations copies what C has measured.
func durations(times *C.int64_t, count C.size_t) []time.Duration {
	out := make([]time.Duration, count)
	for i, t := range unsafe.Slice(times, count) {
		out[i] = time.Duration(t)
	}
	return out
}

// served is a service as a target.
func served(name string, r *request) target {
	return target{name, func() (loop, func(), error) {
		c, err := connect(r)
		if err != nil {
			return nil, nil, err
		}
		return c.loop, c.close, nil
	}}
}
