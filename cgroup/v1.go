package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The v1 controllers a job needs. cpu and cpuacct are often one hierarchy.
var v1Controllers = []string{"memory", "pids", "cpu", "cpuacct"}

const v1Period = 100_000 // microseconds, the kernel's default

// v1Driver makes a directory in each hierarchy for every group.
type v1Driver struct {
	bases []v1Base // each hierarchy once
}

type v1Base struct {
	dir         dir
	controllers []string // of v1Controllers
}

// tcpAhead is more than the kernel charges to a group for sockets that hold nothing.
const tcpAhead = 256 << 10

// Name of the driver.
func (d *v1Driver) Name() string { return "cgroup-v1" }

// Create makes the directories and opens what is needed to enter them.
func (d *v1Driver) Create(name string) (Group, error) {
	g := &v1Group{name: name, driver: d, oom: make(chan struct{}, 1), usage: -1}
	for _, b := range d.bases {
		child, err := b.dir.child(name)
		if err != nil {
			return nil, errors.Join(err, g.Remove())
		}
		g.dirs = append(g.dirs, child)
		procs, err := child.open("cgroup.procs", unix.O_WRONLY)
		if err != nil {
			return nil, errors.Join(err, g.Remove())
		}
		g.procs = append(g.procs, os.NewFile(uintptr(procs), "cgroup.procs"))
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
	}
	var err error
	if g.usage, err = g.account.open("cpuacct.usage", unix.O_RDONLY); err == nil {
		err = g.watchOOM()
	}
	if err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// Close removes the driver's own directories.
func (d *v1Driver) Close() error {
	var errs []error
	for _, b := range d.bases {
		errs = append(errs, os.Remove(b.dir.path))
		b.dir.close()
	}
	return errors.Join(errs...)
}

type v1Group struct {
	name                       string
	driver                     *v1Driver
	dirs                       []dir
	procs                      []*os.File
	memory, pids, cpu, account dir
	oom                        chan struct{}
	event                      *os.File
	watched                    chan struct{}
	usage                      int // fd of cpuacct.usage: a limit is watched by it, whatever the service is short of
}

// Entry has the cgroup.procs files.
func (g *v1Group) Entry() Entry { return Entry{Procs: g.procs} }

// SetLimits writes and reads back. memsw, where the kernel counts swap, may never
// be below the memory limit, so the order depends on the direction; a fresh group
// has neither, so the limit comes first.
func (g *v1Group) SetLimits(l Limits) ([]Applied, error) {
	bytes := strconv.FormatInt(pages(l.MemoryBytes), 10)
	if err := g.memory.limit("memory.limit_in_bytes", bytes, bytes); err != nil {
		return nil, err
	}
	if g.memory.has("memory.memsw.limit_in_bytes") {
		if err := g.memory.limit("memory.memsw.limit_in_bytes", bytes, bytes); err != nil {
			return nil, err
		}
	} else if err := realHost.swapOff(); err != nil {
		return nil, err
	}
	if g.memory.has("memory.kmem.tcp.limit_in_bytes") {
		if err := g.memory.limit("memory.kmem.tcp.limit_in_bytes", bytes, bytes); err != nil {
			return nil, err
		}
	}
	pids := strconv.FormatInt(l.Pids, 10)
	if err := g.pids.limit("pids.max", pids, pids); err != nil {
		return nil, err
	}
	quota := strconv.FormatInt(int64(l.CPUs*v1Period), 10)
	if err := g.cpu.limit("cpu.cfs_quota_us", quota, quota); err != nil {
		return nil, err
	}
	return []Applied{
		{"memory_bytes", "cgroup-v1 memory.limit_in_bytes"},
		{"pids", "cgroup-v1 pids.max"},
		{"cpus", "cgroup-v1 cpu.cfs_quota_us"},
	}, nil
}

// Unthrottle lifts the quota.
func (g *v1Group) Unthrottle() error { return g.cpu.write("cpu.cfs_quota_us", "-1") }

// CPU reads the total. How it splits is only in Usage.
func (g *v1Group) CPU() (CPU, error) {
	var buffer [32]byte
	n, err := readAt(g.usage, buffer[:])
	if err != nil {
		return CPU{}, g.account.fail("read", "cpuacct.usage", err)
	}
	total, ok := number(buffer[:n])
	if !ok {
		return CPU{}, g.account.fail("read", "cpuacct.usage", fmt.Errorf("%q is not a number", buffer[:n]))
	}
	return CPU{Total: total}, nil
}

// split adds user and system time, which v1 counts in ticks, for each processor.
func (g *v1Group) split(c *CPU) error {
	text, err := g.account.readAll("cpuacct.usage_all")
	if err != nil {
		return err
	}
	var ok bool
	if c.User, c.System, ok = usageAll(text); !ok {
		return g.account.fail("read", "cpuacct.usage_all", fmt.Errorf("%.100q is not a table of cpu, user and system", text))
	}
	return nil
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

// Usage reads all counters.
func (g *v1Group) Usage() (Usage, error) {
	u := Usage{IOReadBytes: -1, IOWriteBytes: -1}
	var err error
	if u.CPU, err = g.CPU(); err != nil {
		return u, err
	}
	if err = g.split(&u.CPU); err != nil {
		return u, err
	}
	if u.MemoryPeakBytes, err = g.memory.readInt("memory.max_usage_in_bytes"); err != nil {
		return u, err
	}
	// Buffers of TCP sockets have a counter of their own, and a minimum that no
	// limit holds. The two peaks need not have come at the same time, so their sum
	// is the most that it can have been. What the kernel charges ahead is left out.
	tcp, err := g.memory.optional("memory.kmem.tcp.max_usage_in_bytes")
	if err != nil {
		return u, err
	}
	if tcp > tcpAhead {
		u.MemoryPeakBytes += tcp
	}
	if u.OOMKills, err = g.oomKills(); err != nil {
		return u, err
	}
	if u.PidsPeak, err = g.pids.optional("pids.peak"); err != nil {
		return u, err
	}
	var buffer [512]byte
	events, err := g.pids.read("pids.events", buffer[:])
	if err != nil {
		return u, err
	}
	u.PidsMaxHits = counter(events, "max")
	stat, err := g.cpu.read("cpu.stat", buffer[:])
	if err != nil {
		return u, err
	}
	u.ThrottledNanos = counter(stat, "throttled_time")
	return u, nil
}

func (g *v1Group) oomKills() (int64, error) {
	var buffer [256]byte
	text, err := g.memory.read("memory.oom_control", buffer[:])
	if err != nil {
		return 0, err
	}
	kills, ok := field(text, "oom_kill")
	if !ok {
		return 0, g.memory.fail("read", "memory.oom_control", errors.New("no oom_kill counter; Linux 4.13 or later is needed"))
	}
	return kills, nil
}

// Kill is the second lock behind the kill of the pid namespace.
func (g *v1Group) Kill() error { return g.pids.killEach() }

// WaitEmpty polls: v1 tells of no group's end. The pid namespace is dead when
// this is called, so the first look is nearly always the last.
func (g *v1Group) WaitEmpty(ctx context.Context) error {
	return pollEmpty(ctx, func() (bool, error) {
		n, err := g.pids.readInt("pids.current")
		return n == 0, err
	})
}

// Remove ends the watcher, closes and removes.
func (g *v1Group) Remove() error {
	if g.event != nil {
		g.event.Close()
		<-g.watched
		g.event = nil
	}
	if g.usage >= 0 {
		unix.Close(g.usage)
		g.usage = -1
	}
	for _, f := range g.procs {
		f.Close()
	}
	var errs []error
	for i, d := range g.dirs {
		errs = append(errs, removeGroup(g.driver.bases[i].dir.fd, g.name, d.path))
	}
	g.dirs, g.procs = nil, nil
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
