package seccomp

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Layout of struct seccomp_notif and struct seccomp_notif_resp (linux/seccomp.h).
const (
	notifSize    = 80
	respSize     = 24
	ioctlReceive = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	ioctlSend    = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
)

// ioctl retries when a signal came in between, as Go's own preemption does.
func ioctl(fd, request uintptr, arg unsafe.Pointer) unix.Errno {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg))
		if errno != unix.EINTR {
			return errno
		}
	}
}

func decodeNotif(b *[notifSize]byte) (id uint64, audit uint32, number int, args [6]uint64) {
	e := binary.NativeEndian
	id, number, audit = e.Uint64(b[0:]), int(int32(e.Uint32(b[16:]))), e.Uint32(b[20:])
	for i := range args {
		args[i] = e.Uint64(b[32+8*i:])
	}
	return id, audit, number, args
}

func encodeResp(b *[respSize]byte, id uint64, errno unix.Errno, flags uint32) {
	e := binary.NativeEndian
	e.PutUint64(b[0:], id)
	e.PutUint32(b[16:], uint32(-int32(errno)))
	e.PutUint32(b[20:], flags)
}
