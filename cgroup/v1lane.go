package cgroup

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A lane is a group's directory in one v1 hierarchy, with its files open. Making and
// removing such directories is a seventh of what a small job costs, so a lane is used
// again, if its own files say that nothing of the last group is in it, nor anything
// that could be told of it (ADR 8).
type lane struct {
	dir     dir
	fds     [v1FileCount]int // -1: not of this hierarchy, or the kernel has none
	tasks   *os.File
	oom     *oomEvent // where memory is
	refused int       // how often it could not be used again

	// Counters that only grow, when the present group began.
	before    CPU
	throttled int64
}

// lanePrefix begins the names of their directories.
const lanePrefix = "lane-"

// maxLanes bounds what is kept in a hierarchy: each has a directory and some
// descriptors.
const maxLanes = 64

// maxRefused is how often a lane is looked at in vain. What is left of a group for a
// moment, such as a process that nobody has waited for yet, is gone by then.
const maxRefused = 3

// maxKernelLeft bounds what the kernel may still have charged to a lane for itself
// when it is used again, in bytes: parts of pages that objects of the last group were
// in, which it keeps for the next ones.
const maxKernelLeft = 256 << 10

// enoughMemory is a limit under which a cell can be made, in bytes: many times what that
// takes. The limits of the last group stay where they are no hindrance: most often they
// are the next one's as well.
const enoughMemory = 32 << 20

// lanes are those that no group uses, those that have waited longest first.
type lanes struct {
	mu   sync.Mutex
	free []*lane
}

func (s *lanes) take() *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 {
		return nil
	}
	l := s.free[0]
	s.free = slices.Delete(s.free, 0, 1)
	return l
}

// give keeps one, and gives back what is too much.
func (s *lanes) give(l *lane) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == maxLanes {
		return l
	}
	s.free = append(s.free, l)
	return nil
}

// takeLane gives one that can be used again, or makes one.
func (d *v1Driver) takeLane(b *v1Base) (*lane, error) {
	for range maxRefused {
		l := b.lanes.take()
		if l == nil {
			break
		}
		again, err := l.begin()
		if again && err == nil {
			l.refused = 0
			return l, nil
		}
		if l.refused++; err == nil && l.refused < maxRefused {
			l = b.lanes.give(l)
		}
		if l != nil {
			if err := d.removeLane(b, l); err != nil {
				return nil, err
			}
		}
	}
	return d.makeLane(b, lanePrefix+strconv.FormatInt(d.made.Add(1), 10))
}

func (d *v1Driver) makeLane(b *v1Base, name string) (*lane, error) {
	dir, err := b.dir.child(name)
	if err != nil {
		return nil, err
	}
	l, err := openLane(dir, b.controllers)
	if err == nil && l.has(oomControl) {
		err = d.ooms.add(l)
	}
	if err != nil {
		return nil, errors.Join(err, d.removeLane(b, l))
	}
	return l, nil
}

// begin looks whether the lane can be used again, and has it begin as a fresh one.
func (l *lane) begin() (again bool, err error) {
	for _, f := range []func() (bool, error){l.beginPids, l.beginMemory, l.beginCPU} {
		if again, err = f(); !again || err != nil {
			return false, err
		}
	}
	return true, nil
}

// beginPids: nobody is in it, and its peak is one that every job has: init and the
// program. A higher one cannot be set back, and would be told of the next job.
func (l *lane) beginPids() (bool, error) {
	if !l.has(pidsMax) {
		return true, nil
	}
	if n, err := l.readInt(pidsCurrent); n != 0 || err != nil {
		return false, err
	}
	if peak, err := l.optional(pidsPeak); peak > 2 || err != nil {
		return false, err
	}
	var buffer [128]byte
	events, err := l.read(pidsEvents, buffer[:])
	if err != nil || counter(events, "max") > 0 {
		return false, err
	}
	return true, nil
}

// beginMemory: it holds no page of the last group, and nothing was killed in it.
func (l *lane) beginMemory() (bool, error) {
	if !l.has(memoryLimit) {
		return true, nil
	}
	if kills, err := l.oomKills(); kills > 0 || err != nil {
		return false, err
	}
	var buffer [4096]byte
	stat, err := l.read(memoryStat, buffer[:])
	if err != nil {
		return false, err
	}
	if counter(stat, "cache") != 0 || counter(stat, "rss") != 0 || counter(stat, "swap") > 0 {
		return false, nil
	}
	if n, err := l.optional(kernelUsage); n > maxKernelLeft || err != nil {
		return false, err
	}
	if n, err := l.optional(tcpPeak); n > 0 || err != nil { // a second peak, of which it is the same
		return false, err
	}
	if limit, err := l.readInt(memoryLimit); err != nil {
		return false, err
	} else if limit < enoughMemory {
		if err := l.liftMemory(); err != nil {
			return false, err
		}
	}
	return true, l.write(memoryPeak, "0")
}

// liftMemory: that of swap first, which may not be the lower one.
func (l *lane) liftMemory() error {
	if l.has(swapLimit) {
		if err := l.write(swapLimit, "-1"); err != nil {
			return err
		}
	}
	return l.write(memoryLimit, "-1")
}

// beginCPU notes what was used until now, and lifts a rate below one processor's.
func (l *lane) beginCPU() (bool, error) {
	if l.has(cpuQuota) {
		if quota, err := l.readInt(cpuQuota); err != nil {
			return false, err
		} else if quota >= 0 && quota < v1Period {
			if err := l.hold(cpuQuota, "-1"); err != nil {
				return false, err
			}
		}
	}
	var err error
	if l.has(cpuStat) {
		if l.throttled, err = l.throttledTime(); err != nil {
			return false, err
		}
	}
	if l.has(cpuUsage) {
		l.before, err = l.times()
	}
	return true, err
}

// empty says whether no process is left that could still do anything. One that has
// ended and was not waited for is counted, but not listed.
func (l *lane) empty() bool {
	pause := 200 * time.Microsecond
	for range removeTries {
		n, err := l.readInt(pidsCurrent)
		if n == 0 || err != nil {
			return err == nil
		}
		if pids, err := l.dir.processes("tasks"); len(pids) == 0 || err != nil {
			return err == nil
		}
		time.Sleep(pause)
		pause = min(2*pause, 20*time.Millisecond)
	}
	return false
}

// closeLane ends the watching and closes the files.
func (d *v1Driver) closeLane(l *lane) {
	if l.oom != nil {
		d.ooms.remove(l)
	}
	if l.tasks != nil {
		l.tasks.Close()
	}
	for _, fd := range l.fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// removeLane closes one and removes its directory.
func (d *v1Driver) removeLane(b *v1Base, l *lane) error {
	d.closeLane(l)
	return removeGroup(b.dir.fd, l.dir.name(), l.dir.path)
}

// closeLanes removes those that no group uses.
func (d *v1Driver) closeLanes(b *v1Base) error {
	var errs []error
	for l := b.lanes.take(); l != nil; l = b.lanes.take() {
		errs = append(errs, d.removeLane(b, l))
	}
	return errors.Join(errs...)
}
