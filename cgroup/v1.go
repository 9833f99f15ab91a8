package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
)

// The v1 controllers a job needs. cpu and cpuacct are often one hierarchy.
var v1Controllers = []string{"memory", "pids", "cpu", "cpuacct"}

const v1Period = 100_000 // microseconds, the kernel's default

// v1Driver gives every group a lane in each hierarchy.
type v1Driver struct {
	bases []*v1Base // each hierarchy once
	ooms  *oomWatcher
	made  atomic.Int64
}

// v1Base is the driver's own directory in one hierarchy.
type v1Base struct {
	dir         dir
	controllers []string // of v1Controllers
	lanes       lanes    // that no group uses
}

// Name of the driver.
func (d *v1Driver) Name() string { return "cgroup-v1" }

// Create takes a lane in each hierarchy.
func (d *v1Driver) Create() (Group, error) {
	g := &v1Group{driver: d}
	for _, b := range d.bases {
		l, err := d.takeLane(b)
		if err != nil {
			return nil, errors.Join(err, g.Remove())
		}
		g.join(l, b.controllers)
	}
	return g, nil
}

// Close removes the driver's own directories.
func (d *v1Driver) Close() error {
	var errs []error
	for _, b := range d.bases {
		errs = append(errs, d.closeLanes(b), os.Remove(b.dir.path))
		b.dir.close()
	}
	d.ooms.close()
	return errors.Join(errs...)
}

// v1Group is one group: a lane in each hierarchy.
type v1Group struct {
	driver                     *v1Driver
	lanes                      []*lane
	memory, pids, cpu, account *lane // of those
}

// join adds a lane.
func (g *v1Group) join(l *lane, controllers []string) {
	g.lanes = append(g.lanes, l)
	for _, c := range controllers {
		switch c {
		case "memory":
			g.memory = l
		case "pids":
			g.pids = l
		case "cpu":
			g.cpu = l
		case "cpuacct":
			g.account = l
		}
	}
}

// Entry has the files tasks.
func (g *v1Group) Entry() Entry {
	var e Entry
	for _, l := range g.lanes {
		e.Tasks = append(e.Tasks, l.tasks)
	}
	return e
}

// SetLimits writes what the kernel does not hold yet, and reads all of it back.
func (g *v1Group) SetLimits(l Limits) ([]Applied, error) {
	if err := g.limitMemory(strconv.FormatInt(pages(l.MemoryBytes), 10)); err != nil {
		return nil, err
	}
	if err := g.pids.hold(pidsMax, strconv.FormatInt(l.Pids, 10)); err != nil {
		return nil, err
	}
	if err := g.cpu.hold(cpuQuota, strconv.FormatInt(int64(l.CPUs*v1Period), 10)); err != nil {
		return nil, err
	}
	return []Applied{
		{"memory_bytes", "cgroup-v1 memory.limit_in_bytes"},
		{"pids", "cgroup-v1 pids.max"},
		{"cpus", "cgroup-v1 cpu.cfs_quota_us"},
	}, nil
}

// limitMemory: that of memory and swap together, where the kernel counts swap, may never
// be below that of memory. So both are lifted first, unless they are what they shall be.
func (g *v1Group) limitMemory(bytes string) error {
	m := g.memory
	if !m.has(swapLimit) {
		if err := realHost.swapOff(); err != nil {
			return err
		}
	}
	if m.holds(memoryLimit, bytes) != nil || m.has(swapLimit) && m.holds(swapLimit, bytes) != nil {
		if err := m.liftMemory(); err != nil {
			return err
		}
		if err := m.hold(memoryLimit, bytes); err != nil {
			return err
		}
		if m.has(swapLimit) {
			if err := m.hold(swapLimit, bytes); err != nil {
				return err
			}
		}
	}
	if !m.has(tcpLimit) {
		return nil
	}
	return m.hold(tcpLimit, bytes)
}

// OOM receives when the kernel has killed a process of the group.
func (g *v1Group) OOM() <-chan struct{} { return g.memory.oom.told }

// Unthrottle lifts the quota.
func (g *v1Group) Unthrottle() error { return g.cpu.write(cpuQuota, "-1") }

// Kill is the second lock behind the kill of the pid namespace.
func (g *v1Group) Kill() error { return g.pids.dir.killEach() }

// WaitFew reads pids.current.
func (g *v1Group) WaitFew(ctx context.Context, most int64) error {
	return waitFew(ctx, most, func() (int64, error) { return g.pids.readInt(pidsCurrent) })
}

// Remove gives the lanes back. Not those of a group in which something still runs: that
// their directories cannot be removed then is the error.
func (g *v1Group) Remove() error {
	var errs []error
	empty := g.pids != nil && g.pids.empty()
	for i, l := range g.lanes {
		b := g.driver.bases[i]
		if !empty {
			g.driver.closeLane(l)
			errs = append(errs, rmdir(b.dir.fd, l.dir.name(), l.dir.path))
		} else if l = b.lanes.give(l); l != nil { // there are enough
			errs = append(errs, g.driver.removeLane(b, l))
		}
	}
	g.lanes = nil
	return errors.Join(errs...)
}

// newV1 opens the base directory in every hierarchy.
func newV1(places map[string]string, name string) (*v1Driver, error) {
	d := &v1Driver{}
	byPath := map[string]*v1Base{}
	for _, c := range v1Controllers {
		path, ok := places[c]
		if !ok {
			return nil, fmt.Errorf("no delegated directory for the v1 controller %s", c)
		}
		if b := byPath[path]; b != nil {
			b.controllers = append(b.controllers, c)
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
		byPath[path] = &v1Base{dir: opened, controllers: []string{c}}
		d.bases = append(d.bases, byPath[path])
	}
	var err error
	d.ooms, err = newOOMWatcher()
	return d, err
}
