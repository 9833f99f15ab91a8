package cgroup

import "strings"

// Held is a limit as the kernel has it.
type Held struct {
	File  string `json:"file"`
	Value string `json:"value"`
}

// Held reads the limits back.
func (g *v2Group) Held() (out []Held, err error) {
	for _, name := range []string{"memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.max"} {
		if name == "memory.swap.max" && !g.dir.has(name) { // a kernel without swap
			continue
		}
		var buffer [128]byte
		text, err := g.dir.read(name, buffer[:])
		if err != nil {
			return nil, err
		}
		out = append(out, Held{name, strings.TrimSpace(string(text))})
	}
	return out, nil
}

// Held reads the limits back.
func (g *v1Group) Held() (out []Held, err error) {
	for _, one := range []struct {
		lane *lane
		file v1File
	}{{g.memory, memoryLimit}, {g.memory, swapLimit}, {g.memory, tcpLimit}, {g.pids, pidsMax}, {g.cpu, cpuQuota}} {
		if !one.lane.has(one.file) {
			continue
		}
		var buffer [128]byte
		text, err := one.lane.read(one.file, buffer[:])
		if err != nil {
			return nil, err
		}
		out = append(out, Held{v1Files[one.file].name, strings.TrimSpace(string(text))})
	}
	return out, nil
}
