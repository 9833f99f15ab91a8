package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// The v1 controllers a job needs. cpu and cpuacct are often one hierarchy.
var v1Controllers = []string{"memory", "pids", "cpu", "cpuacct"}

const v1Period = 100_000 // microseconds, the kernel's default

// v1Driver makes a directory in each hierarchy for every group.
type v1Driver struct {
	bases []v1Base // each hierarchy once
	lanes lanes
	files sync.Map // by name: whether every group has it
}

type v1Base struct {
	dir         dir
	controllers []string // of v1Controllers
}

// tcpAhead is more than the kernel charges to a group for sockets that hold nothing.
const tcpAhead = 256 << 10

// hasFile says whether this kernel has a file in every group. It is looked for once;
// where it cannot be, it is taken to be there, and opening it says what is wrong.
func (d *v1Driver) hasFile(in dir, file string) bool {
	if has, known := d.files.Load(file); known {
		return has.(bool)
	}
	err := unix.Faccessat(in.fd, in.in+file, unix.F_OK, 0)
	if err != nil && err != unix.ENOENT {
		return true
	}
	d.files.Store(file, err == nil)
	return err == nil
}

// Name of the driver.
func (d *v1Driver) Name() string { return "cgroup-v1" }

// Create makes the directories and opens what is needed to enter them.
func (d *v1Driver) Create(name string) (Group, error) {
	g := &v1Group{name: name, driver: d, oom: make(chan struct{}, 1), control: -1}
	var err error
	if g.lane, err = d.takeLane(); err != nil {
		return nil, err
	}
	g.before = g.lane.last
	for i, b := range d.bases {
		if err := g.enter(i, b); err != nil {
			return nil, errors.Join(err, g.Remove())
		}
	}
	g.usage, g.all, g.stat, g.quota = g.lane.usage, g.lane.all, g.lane.stat, g.lane.quota
	if err := errors.Join(g.openOwn(), g.watchOOM()); err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// enter adds a hierarchy to a new group.
func (g *v1Group) enter(i int, b v1Base) error {
	child, tasks := g.lane.dirs[i], g.lane.tasks[i]
	if !b.counts() {
		var err error
		if child, err = b.dir.child(g.name); err != nil {
			return err
		}
		g.fresh = append(g.fresh, child)
		fd, err := child.open("tasks", unix.O_WRONLY)
		if err != nil {
			return err
		}
		tasks = os.NewFile(uintptr(fd), "tasks")
		g.own = append(g.own, tasks)
	}
	g.tasks = append(g.tasks, tasks)
	for _, c := range b.controllers {
		switch c {
		case "memory":
			g.memory = child
		case "pids":
			g.pids = child
		case "cpu":
			g.cpu = child
		case "cpuacct":
			g.account = child
		}
	}
	return nil
}

// openOwn opens the files of CPU rate and time in the group's own directories, where
// they are in one hierarchy with memory or processes: a lane has none of them then.
func (g *v1Group) openOwn() error {
	for _, f := range cpuFiles(&g.quota, &g.usage, &g.all, &g.stat) {
		if *f.fd >= 0 {
			continue
		}
		in := g.account
		if f.controller == "cpu" {
			in = g.cpu
		}
		var err error
		if *f.fd, err = in.open(f.name, f.flags); err != nil {
			return err
		}
		g.opened = append(g.opened, *f.fd)
	}
	return nil
}

// Close removes the driver's own directories.
func (d *v1Driver) Close() error {
	errs := []error{d.closeLanes()}
	for _, b := range d.bases {
		errs = append(errs, os.Remove(b.dir.path))
		b.dir.close()
	}
	return errors.Join(errs...)
}

type v1Group struct {
	name                       string
	driver                     *v1Driver
	lane                       *lane
	fresh                      []dir      // the others: the group's own
	own, tasks                 []*os.File // the files tasks of those, and of all
	memory, pids, cpu, account dir
	oom                        chan struct{}
	event                      *os.File
	control                    int // fd of memory.oom_control
	watched                    chan struct{}
	// Kept open by the lane. A limit is watched by usage, whatever the service is
	// short of.
	usage, all, stat, quota int
	opened                  []int        // those of them that are the group's own
	before                  laneCounters // when the group began
	accounted               bool         // lane.last is what this group has left
}

// Entry has the files tasks.
func (g *v1Group) Entry() Entry { return Entry{Tasks: g.tasks} }

// SetLimits writes and reads back. memsw, where the kernel counts swap, may never
// be below the memory limit, so the order depends on the direction; a fresh group
// has neither, so the limit comes first.
func (g *v1Group) SetLimits(l Limits) ([]Applied, error) {
	bytes := strconv.FormatInt(pages(l.MemoryBytes), 10)
	if err := g.memory.limit("memory.limit_in_bytes", bytes); err != nil {
		return nil, err
	}
	if g.driver.hasFile(g.memory, "memory.memsw.limit_in_bytes") {
		if err := g.memory.limit("memory.memsw.limit_in_bytes", bytes); err != nil {
			return nil, err
		}
	} else if err := realHost.swapOff(); err != nil {
		return nil, err
	}
	if g.driver.hasFile(g.memory, "memory.kmem.tcp.limit_in_bytes") {
		if err := g.memory.limit("memory.kmem.tcp.limit_in_bytes", bytes); err != nil {
			return nil, err
		}
	}
	pids := strconv.FormatInt(l.Pids, 10)
	if err := g.pids.limit("pids.max", pids); err != nil {
		return nil, err
	}
	quota := strconv.FormatInt(int64(l.CPUs*v1Period), 10)
	if err := g.cpu.holdBy(g.quota, "cpu.cfs_quota_us", quota); err != nil {
		return nil, err
	}
	return []Applied{
		{"memory_bytes", "cgroup-v1 memory.limit_in_bytes"},
		{"pids", "cgroup-v1 pids.max"},
		{"cpus", "cgroup-v1 cpu.cfs_quota_us"},
	}, nil
}

// Unthrottle lifts the quota.
func (g *v1Group) Unthrottle() error { return g.cpu.writeTo(g.quota, "cpu.cfs_quota_us", "-1") }

// Kill is the second lock behind the kill of the pid namespace.
func (g *v1Group) Kill() error { return g.pids.killEach() }

// WaitFew reads pids.current.
func (g *v1Group) WaitFew(ctx context.Context, most int64) error { return g.pids.waitFew(ctx, most) }

// Remove ends the watcher, closes and removes. The lane is used again only when all
// else went well, and when what this group has used is known.
func (g *v1Group) Remove() error {
	if g.event != nil {
		g.event.Close()
		<-g.watched
		g.event = nil
	}
	if g.control >= 0 {
		unix.Close(g.control)
		g.control = -1
	}
	for _, f := range g.own {
		f.Close()
	}
	for _, fd := range g.opened {
		unix.Close(fd)
	}
	var errs []error
	for _, d := range g.fresh {
		errs = append(errs, removeGroup(d.fd, d.name(), d.path))
	}
	if l := g.lane; l != nil {
		if errors.Join(errs...) == nil && g.accounted {
			errs = append(errs, g.driver.giveLane(l))
		} else {
			errs = append(errs, g.driver.removeLane(l))
		}
	}
	g.fresh, g.own, g.tasks, g.opened, g.lane = nil, nil, nil, nil, nil
	return errors.Join(errs...)
}

// newV1 opens the base directory in every hierarchy.
func newV1(places map[string]string, name string) (*v1Driver, error) {
	d := &v1Driver{}
	byPath := map[string]int{}
	for _, c := range v1Controllers {
		path, ok := places[c]
		if !ok {
			return nil, fmt.Errorf("no delegated directory for the v1 controller %s", c)
		}
		if i, ok := byPath[path]; ok {
			d.bases[i].controllers = append(d.bases[i].controllers, c)
			continue
		}
		base := path + "/" + name
		if err := os.Mkdir(base, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		opened, err := openDir(base)
		if err != nil {
			return nil, err
		}
		byPath[path] = len(d.bases)
		d.bases = append(d.bases, v1Base{opened, []string{c}})
	}
	return d, nil
}
