package main

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"cordon/cgroup"
	"cordon/internal/cores"
	"cordon/policies"
	"cordon/policy"
	"cordon/sandbox"
)

// What a factor of --overcommit may be.
const (
	leastOvercommit = 0.01
	mostOvercommit  = 1000
)

// What may be promised without a factor: so many times the host's memory, since a memory
// limit is a ceiling that few programs come near; and in any case for each job that may
// run at once what the policy default grants a build by itself, and the most that it grants
// of processors. So --parallel means what it says, and a small host can still compile.
const (
	defaultMemory = 4
	placeMemory   = 1 << 30
	placeCPUs     = 4
)

// overcommit says how many times what the host has may be promised; 0: not given.
type overcommit struct{ memory, cpu float64 }

// overcommit reads the setting: memory=1.5,cpu=4, or one of them.
func (c *config) overcommit() (o overcommit, err error) {
	seen := map[string]bool{}
	for _, word := range words(c.Overcommit) {
		name, text, _ := strings.Cut(word, "=")
		to := map[string]*float64{"memory": &o.memory, "cpu": &o.cpu}[name]
		factor, wrong := strconv.ParseFloat(text, 64)
		if to == nil || seen[name] || wrong != nil || !decimal.MatchString(text) || factor < leastOvercommit || factor > mostOvercommit {
			return o, fmt.Errorf("overcommit: %.80q given, memory=FACTOR and cpu=FACTOR are wanted, each once at most, with factors from %v to %v, as in memory=1.5,cpu=4",
				c.Overcommit, leastOvercommit, float64(mostOvercommit))
		}
		seen[name], *to = true, factor
	}
	return o, nil
}

// machine is what the host has for the service and its jobs.
type machine struct {
	memory             int64
	cpus               float64
	memoryBy, cpusFrom string
}

// lookAtMachine asks the kernel: for memory the least of what there is and what the groups
// leave, for processors that of affinity (which a cpuset narrows) and quotas.
func lookAtMachine(cgroupPath string) (m machine, err error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return m, os.NewSyscallError("sysinfo", err)
	}
	own, err := cores.Own()
	if err != nil {
		return m, err
	}
	m = machine{memory: int64(info.Totalram) * int64(info.Unit), cpus: float64(len(own)), memoryBy: "the host", cpusFrom: "the processors that may be used"}
	b, err := cgroup.Bounded(cgroupPath)
	if err != nil {
		return m, err
	}
	m.within(b)
	return m, nil
}

func (m *machine) within(b cgroup.Bounds) {
	if b.MemoryBy != "" && b.Memory < m.memory {
		m.memory, m.memoryBy = b.Memory, b.MemoryBy
	}
	if b.CPUsBy != "" && b.CPUs < m.cpus {
		m.cpus, m.cpusFrom = b.CPUs, b.CPUsBy
	}
}

// promises are what jobs that run at once may be promised.
func (m *machine) promises(o overcommit, parallel int) (memory int64, cpus float64) {
	memory, cpus = int64(o.memory*float64(m.memory)), o.cpu*m.cpus
	if o.memory == 0 {
		memory = max(defaultMemory*m.memory, placeMemory*int64(parallel))
	}
	if o.cpu == 0 {
		cpus = max(float64(placeCPUs*parallel), math.Ceil(m.cpus))
	}
	return memory, cpus
}

// bound has the runner of a service promise no more than the operator allows.
func (c *config) bound(s *sandbox.Config, logger *slog.Logger) error {
	o, err := c.overcommit()
	if err != nil {
		return err
	}
	m, err := lookAtMachine(c.Cgroup)
	if err != nil {
		return fmt.Errorf("what the host has for jobs: %w", err)
	}
	s.Memory, s.CPUs = m.promises(o, s.Parallel)
	s.HostCPUs, s.Queued = math.Ceil(m.cpus), c.QueueParallel
	logger.Info("jobs that run at once may be promised", "memory_bytes", s.Memory, "of_bytes", m.memory, "by", m.memoryBy,
		"cpus", s.CPUs, "of_cpus", m.cpus, "cpus_by", m.cpusFrom)
	return nil
}

// warnOfPolicies tells of policies under which a job that asks for nothing is refused.
func (c *config) warnOfPolicies(set *policies.Set, s *sandbox.Config, logger *slog.Logger) {
	for _, name := range set.Names() {
		g, err := s.Policies.Resolve(name, policy.Request{})
		if err != nil {
			continue // Prepare tells
		}
		for what, l := range map[string]policy.Limits{"limits": g.Limits, "build_limits": g.BuildLimits} {
			if l.MemoryBytes > s.Memory || min(l.CPUs, s.HostCPUs) > s.CPUs {
				logger.Warn("the defaults of a policy are more than jobs may be promised at once: they will be refused; see --overcommit",
					"policy", name, "of", what, "memory_bytes", l.MemoryBytes, "cpus", l.CPUs)
			}
		}
	}
}
