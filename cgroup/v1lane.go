package cgroup

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A lane is the part of a v1 group that is used again: its directories in the
// hierarchies that have nothing but the CPU's rate and time. Making and removing a
// directory costs as much there as where memory and processes are counted, and
// these hold nothing of a job but counters, of which differences are told, and a
// rate, which is written and read back for each job (ADR 8).
type lane struct {
	dirs  []dir      // by hierarchy; unused where a group has its own
	tasks []*os.File // likewise

	// Kept open: cpu.cfs_quota_us, cpuacct.usage, cpuacct.usage_all, cpu.stat.
	quota, usage, all, stat int

	last laneCounters // at the end of the last group
}

// laneCounters only ever grow.
type laneCounters struct{ total, user, system, throttled int64 }

// lanePrefix begins the names of their directories: no group has such a name.
const lanePrefix = "lane-"

// maxLanes bounds what is kept: each has a directory in one hierarchy or two, and
// six descriptors.
const maxLanes = 64

// lanes are those that no group uses.
type lanes struct {
	mu   sync.Mutex
	free []*lane
	made int
}

// counts: the hierarchy has nothing but CPU time and rate.
func (b v1Base) counts() bool {
	return !slices.ContainsFunc(b.controllers, func(c string) bool { return c != "cpu" && c != "cpuacct" })
}

// takeLane gives a free one or makes one.
func (d *v1Driver) takeLane() (*lane, error) {
	d.lanes.mu.Lock()
	if n := len(d.lanes.free); n > 0 {
		l := d.lanes.free[n-1]
		d.lanes.free = d.lanes.free[:n-1]
		d.lanes.mu.Unlock()
		return l, nil
	}
	d.lanes.made++
	name := lanePrefix + strconv.Itoa(d.lanes.made)
	d.lanes.mu.Unlock()
	return d.makeLane(name)
}

func (d *v1Driver) makeLane(name string) (*lane, error) {
	l := &lane{dirs: make([]dir, len(d.bases)), tasks: make([]*os.File, len(d.bases)), quota: -1, usage: -1, all: -1, stat: -1}
	for i, b := range d.bases {
		if !b.counts() {
			continue
		}
		child, err := b.dir.child(name)
		if err == nil {
			l.dirs[i] = child
			err = l.open(i, b)
		}
		if err != nil {
			return nil, errors.Join(err, d.removeLane(l))
		}
	}
	return l, nil
}

// open opens what is kept of one hierarchy.
func (l *lane) open(i int, b v1Base) error {
	fd, err := l.dirs[i].open("tasks", unix.O_WRONLY)
	if err != nil {
		return err
	}
	l.tasks[i] = os.NewFile(uintptr(fd), "tasks")
	for _, f := range cpuFiles(&l.quota, &l.usage, &l.all, &l.stat) {
		if !slices.Contains(b.controllers, f.controller) {
			continue
		}
		if *f.fd, err = l.dirs[i].open(f.name, f.flags); err != nil {
			return err
		}
	}
	return nil
}

// cpuFile is a file of CPU rate or time that is kept open.
type cpuFile struct {
	controller, name string
	flags            int
	fd               *int
}

func cpuFiles(quota, usage, all, stat *int) []cpuFile {
	return []cpuFile{{"cpu", "cpu.cfs_quota_us", unix.O_RDWR, quota}, {"cpu", "cpu.stat", unix.O_RDONLY, stat},
		{"cpuacct", "cpuacct.usage", unix.O_RDONLY, usage}, {"cpuacct", "cpuacct.usage_all", unix.O_RDONLY, all}}
}

// giveLane takes one back from a group that is empty and has been accounted for.
// Until its next job it has no rate: a cell is made in it before that.
func (d *v1Driver) giveLane(l *lane) error {
	if l.quota >= 0 {
		cpu := l.dirs[slices.IndexFunc(d.bases, func(b v1Base) bool { return slices.Contains(b.controllers, "cpu") })]
		if err := cpu.limitBy(l.quota, "cpu.cfs_quota_us", "-1"); err != nil {
			return errors.Join(err, d.removeLane(l))
		}
	}
	d.lanes.mu.Lock()
	kept := len(d.lanes.free) < maxLanes
	if kept {
		d.lanes.free = append(d.lanes.free, l)
	}
	d.lanes.mu.Unlock()
	if kept {
		return nil
	}
	return d.removeLane(l)
}

// removeLane closes and removes.
func (d *v1Driver) removeLane(l *lane) error {
	var errs []error
	for _, fd := range []int{l.quota, l.usage, l.all, l.stat} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	for i, b := range d.bases {
		if l.tasks[i] != nil {
			l.tasks[i].Close()
		}
		if l.dirs[i].path != "" {
			errs = append(errs, removeGroup(b.dir.fd, l.dirs[i].name(), l.dirs[i].path))
		}
	}
	return errors.Join(errs...)
}

// closeLanes removes those that no group uses.
func (d *v1Driver) closeLanes() error {
	d.lanes.mu.Lock()
	free := d.lanes.free
	d.lanes.free = nil
	d.lanes.mu.Unlock()
	var errs []error
	for _, l := range free {
		errs = append(errs, d.removeLane(l))
	}
	return errors.Join(errs...)
}

// usageAll sums "cpu user system" and the lines behind that, a processor each.
func usageAll(text []byte) (user, system int64, ok bool) {
	lines := strings.Split(trim(text), "\n")
	if lines[0] != "cpu user system" {
		return 0, 0, false
	}
	for _, line := range lines[1:] {
		f := strings.Fields(line)
		if len(f) != 3 {
			return 0, 0, false
		}
		u, err1 := strconv.ParseInt(f[1], 10, 64)
		s, err2 := strconv.ParseInt(f[2], 10, 64)
		if err1 != nil || err2 != nil {
			return 0, 0, false
		}
		user, system = user+u, system+s
	}
	return user, system, true
}
