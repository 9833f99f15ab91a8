package cgroup

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// v1 has no memory.oom.group: the kernel kills one process and leaves the rest.
// An eventfd tells of it (cgroup-v1/memory.rst, "OOM Control"), and the caller
// ends the cell. The counter, not the notification, decides the verdict: the
// notification may come before the kill, and for small groups late.
const (
	oomLooks    = 50
	oomLookWait = time.Millisecond
)

// oomWatch is there as long as its lane. One in which something was killed is not
// used again, so it tells at most once.
type oomWatch struct {
	event *os.File
	told  chan struct{} // receives
	over  chan struct{} // closed when nobody reads the lane's files any more
}

func watchOOM(l *lane) (*oomWatch, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := l.dir.write("cgroup.event_control", fmt.Sprintf("%d %d", fd, l.fds[oomControl])); err != nil {
		unix.Close(fd)
		return nil, err
	}
	w := &oomWatch{os.NewFile(uintptr(fd), "oom"), make(chan struct{}, 1), make(chan struct{})}
	go w.await(l)
	return w, nil
}

// await ends when the eventfd is closed or the kill is told.
func (w *oomWatch) await(l *lane) {
	defer close(w.over)
	var count [8]byte
	for {
		if _, err := w.event.Read(count[:]); err != nil {
			return
		}
		for range oomLooks {
			kills, err := l.oomKills()
			if err != nil { // the group is being removed: the end of every group, too, wakes us
				return
			}
			if kills > 0 {
				w.told <- struct{}{}
				return
			}
			time.Sleep(oomLookWait)
		}
	}
}

func (w *oomWatch) close() {
	w.event.Close()
	<-w.over
}
