package cgroup

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// tcpAhead is more than the kernel charges to a group for sockets that hold nothing.
const tcpAhead = 256 << 10

// CPU reads the total. How it splits is only in Usage.
func (g *v1Group) CPU() (CPU, error) {
	total, err := g.account.readInt(cpuUsage)
	if err != nil {
		return CPU{}, err
	}
	return CPU{Total: total - g.account.before.Total}, nil
}

// times reads what was used. User and system time are counted in ticks, for each processor.
func (l *lane) times() (t CPU, err error) {
	if t.Total, err = l.readInt(cpuUsage); err != nil {
		return t, err
	}
	fd, err := l.fd(cpuUsageAll)
	if err != nil {
		return t, err
	}
	text, err := readWhole(fd)
	if err != nil {
		return t, l.fail("read", cpuUsageAll, err)
	}
	var ok bool
	if t.User, t.System, ok = usageAll(text); !ok {
		return t, l.fail("read", cpuUsageAll, fmt.Errorf("%.100q is not a table of cpu, user and system", text))
	}
	return t, nil
}

// throttledTime is -1 where the kernel does not count it.
func (l *lane) throttledTime() (int64, error) {
	var buffer [512]byte
	text, err := l.read(cpuStat, buffer[:])
	return counter(text, "throttled_time"), err
}

// Usage reads all counters.
func (g *v1Group) Usage() (Usage, error) {
	u := Usage{IOReadBytes: -1, IOWriteBytes: -1}
	now, err := g.account.times()
	if err != nil {
		return u, err
	}
	before := g.account.before
	u.CPU = CPU{now.Total - before.Total, now.User - before.User, now.System - before.System}
	if u.ThrottledNanos, err = g.cpu.throttledTime(); err != nil {
		return u, err
	}
	if u.ThrottledNanos >= 0 {
		u.ThrottledNanos -= g.cpu.throttled
	}
	if u.MemoryPeakBytes, err = g.memoryPeak(); err != nil {
		return u, err
	}
	if u.OOMKills, err = g.memory.oomKills(); err != nil {
		return u, err
	}
	if u.PidsPeak, err = g.pids.optional(pidsPeak); err != nil {
		return u, err
	}
	var buffer [128]byte
	events, err := g.pids.read(pidsEvents, buffer[:])
	u.PidsMaxHits = counter(events, "max")
	return u, err
}

// memoryPeak: buffers of TCP sockets have a counter of their own, and a minimum that no
// limit holds. The two peaks need not have come at the same time, so their sum is the
// most that it can have been. What the kernel charges ahead is left out.
func (g *v1Group) memoryPeak() (int64, error) {
	peak, err := g.memory.readInt(memoryPeak)
	if err != nil {
		return 0, err
	}
	tcp, err := g.memory.optional(tcpPeak)
	if err != nil {
		return 0, err
	}
	if tcp > tcpAhead {
		peak += tcp
	}
	return peak, nil
}

// oomKills is how many processes the kernel has killed for want of memory.
func (l *lane) oomKills() (int64, error) {
	var buffer [256]byte
	text, err := l.read(oomControl, buffer[:])
	if err != nil {
		return 0, err
	}
	kills, ok := field(text, "oom_kill")
	if !ok {
		return 0, l.fail("read", oomControl, errors.New("no oom_kill counter; Linux 4.13 or later is needed"))
	}
	return kills, nil
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
