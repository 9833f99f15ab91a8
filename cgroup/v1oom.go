package cgroup

import (
	"fmt"
	"os"
	"sync"
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

// oomWatcher waits for the eventfds of all lanes at once, also of those that no group
// uses: so a group costs nothing to watch.
type oomWatcher struct {
	epoll *os.File
	fd    int           // of that
	over  chan struct{} // closed when nobody waits any more

	mu    sync.Mutex
	lanes map[int32]*lane // by eventfd
}

// oomEvent is a lane's part of it. A lane in which something was killed is not used again,
// so it tells at most once.
type oomEvent struct {
	fd      int
	told    chan struct{} // receives
	looking sync.WaitGroup
}

func newOOMWatcher() (*oomWatcher, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // the runtime waits for it
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	w := &oomWatcher{epoll: os.NewFile(uintptr(fd), "oom"), fd: fd, over: make(chan struct{}), lanes: map[int32]*lane{}}
	go w.wait()
	return w, nil
}

// add begins to watch a lane.
func (w *oomWatcher) add(l *lane) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	l.oom = &oomEvent{fd: fd, told: make(chan struct{}, 1)}
	w.mu.Lock()
	w.lanes[int32(fd)] = l
	w.mu.Unlock()
	// Each new notification is told once, and nobody has to read it.
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(fd)}
	if err := unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	return l.dir.write("cgroup.event_control", fmt.Sprintf("%d %d", fd, l.fds[oomControl]))
}

// remove ends that, before the lane's files are closed.
func (w *oomWatcher) remove(l *lane) {
	w.mu.Lock()
	delete(w.lanes, int32(l.oom.fd))
	w.mu.Unlock()
	l.oom.looking.Wait()
	unix.Close(l.oom.fd) // the set of those that are waited for loses it by that
}

func (w *oomWatcher) close() {
	w.epoll.Close()
	<-w.over
}

// wait ends when the watcher is closed.
func (w *oomWatcher) wait() {
	defer close(w.over)
	raw, err := w.epoll.SyscallConn()
	for err == nil {
		var events [16]unix.EpollEvent
		var n int
		err = raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events[:], 0)
			return n > 0
		})
		for _, e := range events[:max(n, 0)] {
			w.notified(e.Fd)
		}
	}
}

func (w *oomWatcher) notified(eventfd int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := w.lanes[eventfd]; l != nil {
		l.oom.looking.Go(l.lookForKill)
	}
}

func (l *lane) lookForKill() {
	for range oomLooks {
		kills, err := l.oomKills()
		if err != nil {
			return
		}
		if kills > 0 {
			select {
			case l.oom.told <- struct{}{}:
			default: // told before
			}
			return
		}
		time.Sleep(oomLookWait)
	}
}
