package cgroup

// Now reads memory.current and pids.current.
func (g *v2Group) Now() (n Now, err error) {
	if n.MemoryBytes, err = g.dir.readInt("memory.current"); err != nil {
		return n, err
	}
	n.Pids, err = g.dir.readInt("pids.current")
	return n, err
}

// Now reads memory.usage_in_bytes and pids.current. Nobody is in need of the first but who
// looks on, so it is not kept open.
func (g *v1Group) Now() (n Now, err error) {
	if n.MemoryBytes, err = g.memory.dir.readInt("memory.usage_in_bytes"); err != nil {
		return n, err
	}
	n.Pids, err = g.pids.readInt(pidsCurrent)
	return n, err
}
