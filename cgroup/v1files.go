package cgroup

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// v1File is a file of a lane that is kept open. A limit is watched by what is open,
// whatever the service is short of.
type v1File int

const (
	memoryLimit v1File = iota
	swapLimit
	tcpLimit
	memoryPeak
	tcpPeak
	memoryStat
	kernelUsage
	oomControl
	pidsMax
	pidsCurrent
	pidsPeak
	pidsEvents
	cpuQuota
	cpuStat
	cpuUsage
	cpuUsageAll
	v1FileCount
)

// v1Files says of each in which hierarchy it is, and whether a kernel may have none.
var v1Files = [v1FileCount]struct {
	controller, name string
	flags            int
	optional         bool
}{
	memoryLimit: {"memory", "memory.limit_in_bytes", unix.O_RDWR, false},
	swapLimit:   {"memory", "memory.memsw.limit_in_bytes", unix.O_RDWR, true},
	tcpLimit:    {"memory", "memory.kmem.tcp.limit_in_bytes", unix.O_RDWR, true},
	memoryPeak:  {"memory", "memory.max_usage_in_bytes", unix.O_RDWR, false},
	tcpPeak:     {"memory", "memory.kmem.tcp.max_usage_in_bytes", unix.O_RDONLY, true},
	memoryStat:  {"memory", "memory.stat", unix.O_RDONLY, false},
	kernelUsage: {"memory", "memory.kmem.usage_in_bytes", unix.O_RDONLY, true},
	oomControl:  {"memory", "memory.oom_control", unix.O_RDONLY, false},
	pidsMax:     {"pids", "pids.max", unix.O_RDWR, false},
	pidsCurrent: {"pids", "pids.current", unix.O_RDONLY, false},
	pidsPeak:    {"pids", "pids.peak", unix.O_RDONLY, true},
	pidsEvents:  {"pids", "pids.events", unix.O_RDONLY, false},
	cpuQuota:    {"cpu", "cpu.cfs_quota_us", unix.O_RDWR, false},
	cpuStat:     {"cpu", "cpu.stat", unix.O_RDONLY, false},
	cpuUsage:    {"cpuacct", "cpuacct.usage", unix.O_RDONLY, false},
	cpuUsageAll: {"cpuacct", "cpuacct.usage_all", unix.O_RDONLY, false},
}

// openLane opens the files of a directory. The lane is never nil: what was opened
// before an error is in it.
func openLane(in dir, controllers []string) (*lane, error) {
	l := &lane{dir: in}
	for f := range l.fds {
		l.fds[f] = -1
	}
	fd, err := in.open("tasks", unix.O_WRONLY)
	if err != nil {
		return l, err
	}
	l.tasks = os.NewFile(uintptr(fd), "tasks")
	for f, file := range v1Files {
		if !slices.Contains(controllers, file.controller) {
			continue
		}
		l.fds[f], err = in.open(file.name, file.flags)
		if err != nil && !(file.optional && errors.Is(err, unix.ENOENT)) {
			return l, err
		}
	}
	return l, nil
}

func (l *lane) has(f v1File) bool { return l.fds[f] >= 0 }

// fd of a file that must be there.
func (l *lane) fd(f v1File) (int, error) {
	if !l.has(f) {
		return -1, l.fail("open", f, unix.ENOENT)
	}
	return l.fds[f], nil
}

func (l *lane) fail(op string, f v1File, err error) error {
	return l.dir.fail(op, v1Files[f].name, err)
}

func (l *lane) write(f v1File, value string) error {
	fd, err := l.fd(f)
	if err != nil {
		return err
	}
	return l.dir.writeTo(fd, v1Files[f].name, value)
}

// hold has the kernel hold a value: in any case it is read from there.
func (l *lane) hold(f v1File, value string) error {
	if l.holds(f, value) == nil {
		return nil
	}
	if err := l.write(f, value); err != nil {
		return err
	}
	return l.holds(f, value)
}

func (l *lane) holds(f v1File, value string) error {
	fd, err := l.fd(f)
	if err != nil {
		return err
	}
	return l.dir.holds(fd, v1Files[f].name, value)
}

// read reads a whole small file into buffer.
func (l *lane) read(f v1File, buffer []byte) ([]byte, error) {
	fd, err := l.fd(f)
	if err != nil {
		return nil, err
	}
	n, err := readAt(fd, buffer)
	if err != nil {
		return nil, l.fail("read", f, err)
	}
	return buffer[:n], nil
}

func (l *lane) readInt(f v1File) (int64, error) {
	var buffer [64]byte
	text, err := l.read(f, buffer[:])
	if err != nil {
		return 0, err
	}
	return l.dir.parse(v1Files[f].name, text)
}

// optional reads a number that not every kernel has: -1 then.
func (l *lane) optional(f v1File) (int64, error) {
	if !l.has(f) {
		return -1, nil
	}
	n, err := l.readInt(f)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return -1, nil
	}
	return n, err
}
