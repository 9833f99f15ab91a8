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

func (g *v1Group) watchOOM() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	if g.control, err = g.memory.open("memory.oom_control", unix.O_RDONLY); err == nil {
		err = g.memory.write("cgroup.event_control", fmt.Sprintf("%d %d", fd, g.control))
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	g.event = os.NewFile(uintptr(fd), "oom")
	g.watched = make(chan struct{})
	go g.awaitOOM()
	return nil
}

// awaitOOM ends when the eventfd is closed or the kill is told.
func (g *v1Group) awaitOOM() {
	defer close(g.watched)
	var count [8]byte
	for {
		if _, err := g.event.Read(count[:]); err != nil {
			return
		}
		for range oomLooks {
			kills, err := g.oomKills()
			if err != nil { // the group is being removed: the end of every group, too, wakes us
				return
			}
			if kills > 0 {
				g.oom <- struct{}{}
				return
			}
			time.Sleep(oomLookWait)
		}
	}
}

// OOM receives when the kernel has killed a process of the group.
func (g *v1Group) OOM() <-chan struct{} { return g.oom }
