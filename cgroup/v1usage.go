package cgroup

import (
	"errors"
	"fmt"
)

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
	return CPU{Total: total - g.before.total}, nil
}

// split reads user and system time, which v1 counts in ticks, for each processor.
func (g *v1Group) split(now *laneCounters) error {
	text, err := readWhole(g.all)
	if err != nil {
		return g.account.fail("read", "cpuacct.usage_all", err)
	}
	var ok bool
	if now.user, now.system, ok = usageAll(text); !ok {
		return g.account.fail("read", "cpuacct.usage_all", fmt.Errorf("%.100q is not a table of cpu, user and system", text))
	}
	return nil
}

// Usage reads all counters.
func (g *v1Group) Usage() (Usage, error) {
	u := Usage{IOReadBytes: -1, IOWriteBytes: -1}
	var err error
	if u.CPU, err = g.CPU(); err != nil {
		return u, err
	}
	now := laneCounters{total: u.CPU.Total + g.before.total}
	if err = g.split(&now); err != nil {
		return u, err
	}
	u.CPU.User, u.CPU.System = now.user-g.before.user, now.system-g.before.system
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
	n, err := readAt(g.stat, buffer[:])
	if err != nil {
		return u, g.cpu.fail("read", "cpu.stat", err)
	}
	if u.ThrottledNanos = counter(buffer[:n], "throttled_time"); u.ThrottledNanos >= 0 {
		now.throttled = u.ThrottledNanos
		u.ThrottledNanos -= g.before.throttled
	}
	g.lane.last, g.accounted = now, true
	return u, nil
}

func (g *v1Group) oomKills() (int64, error) {
	var buffer [256]byte
	n, err := readAt(g.control, buffer[:])
	if err != nil {
		return 0, g.memory.fail("read", "memory.oom_control", err)
	}
	kills, ok := field(buffer[:n], "oom_kill")
	if !ok {
		return 0, g.memory.fail("read", "memory.oom_control", errors.New("no oom_kill counter; Linux 4.13 or later is needed"))
	}
	return kills, nil
}
