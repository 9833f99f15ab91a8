package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// The v2 controllers a job needs, and one it is better off with.
var (
	v2Controllers = []string{"memory", "pids", "cpu"}
	v2Wanted      = []string{"io"}
)

const v2Period = 100_000 // microseconds

// v2Driver makes one directory for each group.
type v2Driver struct {
	base dir
	made atomic.Int64
}

// Name of the driver.
func (d *v2Driver) Name() string { return "cgroup-v2" }

// Create makes the directory; processes are born into it.
func (d *v2Driver) Create() (Group, error) {
	name := "cell-" + strconv.FormatInt(d.made.Add(1), 10)
	child, err := d.base.child(name)
	if err != nil {
		return nil, err
	}
	fd, err := child.open("", unix.O_DIRECTORY|unix.O_RDONLY)
	if err != nil {
		return nil, errors.Join(err, removeGroup(d.base.fd, name, child.path))
	}
	stat, err := child.open("cpu.stat", unix.O_RDONLY)
	if err != nil {
		unix.Close(fd)
		return nil, errors.Join(err, removeGroup(d.base.fd, name, child.path))
	}
	return &v2Group{name: name, driver: d, dir: child, entry: os.NewFile(uintptr(fd), child.path), stat: stat}, nil
}

// Close removes the driver's own directory.
func (d *v2Driver) Close() error {
	d.base.close()
	return os.Remove(d.base.path)
}

type v2Group struct {
	name   string
	driver *v2Driver
	dir    dir
	entry  *os.File
	stat   int // fd of cpu.stat: a limit is watched by it, whatever the service is short of
}

// Entry has the directory for CLONE_INTO_CGROUP.
func (g *v2Group) Entry() Entry { return Entry{Dir: g.entry} }

// OOM is nil: memory.oom.group lets the kernel end the whole group.
func (g *v2Group) OOM() <-chan struct{} { return nil }

// SetLimits writes and reads back.
func (g *v2Group) SetLimits(l Limits) ([]Applied, error) {
	bytes, pids := strconv.FormatInt(pages(l.MemoryBytes), 10), strconv.FormatInt(l.Pids, 10)
	rate := fmt.Sprintf("%d %d", int64(l.CPUs*v2Period), v2Period)
	for _, f := range [][2]string{{"memory.max", bytes}, {"memory.oom.group", "1"}, {"pids.max", pids}, {"cpu.max", rate}} {
		if err := g.dir.limit(f[0], f[1]); err != nil {
			return nil, err
		}
	}
	if g.dir.has("memory.swap.max") {
		if err := g.dir.limit("memory.swap.max", "0"); err != nil {
			return nil, err
		}
	} else if err := realHost.swapOff(); err != nil {
		return nil, err
	}
	return []Applied{
		{"memory_bytes", "cgroup-v2 memory.max"},
		{"pids", "cgroup-v2 pids.max"},
		{"cpus", "cgroup-v2 cpu.max"},
	}, nil
}

// Unthrottle lifts the quota.
func (g *v2Group) Unthrottle() error { return g.dir.write("cpu.max", "max") }

// CPU reads cpu.stat, which counts in microseconds.
func (g *v2Group) CPU() (CPU, error) {
	var buffer [1024]byte
	n, err := readAt(g.stat, buffer[:])
	if err != nil {
		return CPU{}, g.dir.fail("read", "cpu.stat", err)
	}
	c, _, err := g.cpuStat(buffer[:n])
	return c, err
}

func (g *v2Group) cpuStat(text []byte) (c CPU, throttled int64, err error) {
	var ok1, ok2, ok3 bool
	c.Total, ok1 = field(text, "usage_usec")
	c.User, ok2 = field(text, "user_usec")
	c.System, ok3 = field(text, "system_usec")
	if !ok1 || !ok2 || !ok3 {
		return c, 0, g.dir.fail("read", "cpu.stat", errors.New("usage_usec, user_usec or system_usec is missing"))
	}
	throttled = counter(text, "throttled_usec") // absent without the cpu controller
	if throttled > 0 {
		throttled *= 1000
	}
	return CPU{c.Total * 1000, c.User * 1000, c.System * 1000}, throttled, nil
}

// Usage reads all counters.
func (g *v2Group) Usage() (Usage, error) {
	var u Usage
	var buffer [4096]byte
	text, err := g.dir.read("cpu.stat", buffer[:])
	if err != nil {
		return u, err
	}
	if u.CPU, u.ThrottledNanos, err = g.cpuStat(text); err != nil {
		return u, err
	}
	if u.MemoryPeakBytes, err = g.dir.optional("memory.peak"); err != nil {
		return u, err
	}
	if u.PidsPeak, err = g.dir.optional("pids.peak"); err != nil {
		return u, err
	}
	if text, err = g.dir.read("memory.events", buffer[:]); err != nil {
		return u, err
	}
	var ok bool
	if u.OOMKills, ok = field(text, "oom_kill"); !ok {
		return u, g.dir.fail("read", "memory.events", errors.New("oom_kill is missing"))
	}
	if text, err = g.dir.read("pids.events", buffer[:]); err != nil {
		return u, err
	}
	u.PidsMaxHits = counter(text, "max")
	u.IOReadBytes, u.IOWriteBytes = -1, -1
	if g.dir.has("io.stat") {
		if text, err = g.dir.readAll("io.stat"); err != nil {
			return u, err
		}
		u.IOReadBytes, u.IOWriteBytes = ioStat(string(text))
	}
	return u, nil
}

// ioStat sums rbytes and wbytes over the devices: "8:0 rbytes=1 wbytes=2 …".
func ioStat(text string) (read, written int64) {
	for _, word := range strings.Fields(text) {
		key, value, _ := strings.Cut(word, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			continue
		}
		switch key {
		case "rbytes":
			read += n
		case "wbytes":
			written += n
		}
	}
	return read, written
}

// Kill ends every process of the group at once, or one by one before Linux 5.14.
func (g *v2Group) Kill() error {
	if g.dir.has("cgroup.kill") {
		return g.dir.write("cgroup.kill", "1")
	}
	return g.dir.killEach()
}

// WaitFew reads pids.current: a process counts there until it has been reaped.
func (g *v2Group) WaitFew(ctx context.Context, most int64) error {
	return waitFew(ctx, most, func() (int64, error) { return g.dir.readInt("pids.current") })
}

// Remove closes and removes the directory.
func (g *v2Group) Remove() error {
	if g.entry == nil {
		return nil
	}
	g.entry.Close()
	g.entry = nil
	unix.Close(g.stat)
	return removeGroup(g.driver.base.fd, g.name, g.dir.path)
}

// newV2 makes the driver's own directory below base and hands the controllers
// down to it and to its groups.
func newV2(base, name string) (*v2Driver, error) {
	path := filepath.Join(base, name)
	if err := handDown(base); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	if err := handDown(path); err != nil {
		return nil, err
	}
	d, err := openDir(path)
	if err != nil {
		return nil, err
	}
	return &v2Driver{base: d}, nil
}

// handDown enables the controllers for the children of a group, one by one, so
// that the wanted one may be missing and the needed ones name themselves.
func handDown(path string) error {
	d, err := openDir(path)
	if err != nil {
		return err
	}
	defer d.close()
	for _, c := range v2Controllers {
		if err := d.write("cgroup.subtree_control", "+"+c); err != nil {
			return fmt.Errorf("hand the %s controller down: %w%s", c, err, handDownHint(err))
		}
	}
	for _, c := range v2Wanted {
		_ = d.write("cgroup.subtree_control", "+"+c) // its counters are -1 then, and doctor says so
	}
	return nil
}

func handDownHint(err error) string {
	switch {
	case errors.Is(err, unix.EBUSY):
		return " (the group has processes of its own; start the service in a group for itself, as deploy/cordon.service does)"
	case errors.Is(err, unix.ENOENT):
		return " (the controller is not delegated to this group; for a user service: Delegate=cpu memory pids io in user@.service)"
	}
	return ""
}
