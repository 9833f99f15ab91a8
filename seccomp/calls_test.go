package seccomp

import "slices"

// Names of architectures in seccomp_data.arch that a kernel of ours can run or a
// filter could be fooled with (linux/audit.h): i386, arm, x86-64, arm64, mips,
// ppc64le, riscv64, s390x, and no architecture at all.
var audits = []uint32{0x40000003, 0x40000028, 0xc000003e, 0xc00000b7, 0x8, 0xc0000015, 0xc00000f3, 0x80000016, 0, 0xffffffff}

// call is one call and what the reviewed table wants for it: of the program, and
// of the daemon where that reports it.
type call struct {
	data
	want uint32
	args uint32 // the arguments that may have a part in it, as bits of loads
}

// calls are every number, known or not, with every list of arguments that could
// matter, and every one of them from other architectures. The program itself adds
// the numbers on both sides of each that it compares with: as it only compares,
// all numbers between two of those are treated alike, and none is left out.
func calls(rows map[int]row, a Arch, m *machine) []call {
	var all []call
	for n := range 1024 {
		r, known := rows[n]
		if !known {
			r = row{number: n, act: actReport}
		}
		for _, args := range r.arguments() {
			all = append(all, call{data{uint32(n), a.Audit, 0x7f00_1234_5678, args}, r.decide(args), r.looks()})
		}
		foreign := audits
		for bit := range 32 {
			foreign = append(foreign, a.Audit^1<<bit)
		}
		for _, audit := range foreign {
			if audit != a.Audit {
				all = append(all, call{data{nr: uint32(n), arch: audit}, actReport, 0}, call{data{nr: uint32(n | x32Bit), arch: audit}, actReport, 0})
			}
		}
		all = append(all, call{data{nr: uint32(n | x32Bit), arch: a.Audit}, actReport, 0})
	}
	numbers := []uint32{0x3fffffff, 0x7fffffff, 0x80000000, 0xbfffffff, 0xc0000000, 0xfffffffe, 0xffffffff}
	for _, in := range m.code {
		numbers = append(numbers, in.k-1, in.k, in.k+1)
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	for _, nr := range numbers {
		if r, known := rows[int(nr)]; !known {
			all = append(all, call{data{nr: nr, arch: a.Audit}, actReport, 0})
		} else if len(r.conditions()) == 0 {
			all = append(all, call{data{nr: nr, arch: a.Audit}, r.act, 0})
		}
	}
	for _, audit := range numbers {
		if audit != a.Audit {
			all = append(all, call{data{nr: 1, arch: audit}, actReport, 0})
		}
	}
	return all
}

// arguments are the lists of arguments that can tell a right filter from a wrong
// one. From every list that satisfies a way of the row, one argument at a time:
// each of its 64 bits turned, its neighbours, its upper half set, and every value
// that the row names for it. Then every combination of the values, their
// neighbours and the extremes.
func (r row) arguments() [][6]uint64 {
	lists := [][6]uint64{{}, {^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}}
	values := map[uint][]uint64{}
	for _, way := range r.conditions() {
		for _, c := range way {
			values[c.arg] = append(values[c.arg], c.value)
		}
	}
	for _, way := range r.conditions() {
		var base [6]uint64
		for _, c := range way {
			base[c.arg] = c.value
		}
		lists = append(lists, base)
		for arg, named := range values {
			some := append(slices.Clone(named), base[arg]-1, base[arg]+1, base[arg]|upper)
			for bit := range 64 {
				some = append(some, base[arg]^1<<bit)
			}
			for _, v := range some {
				l := base
				l[arg] = v
				lists = append(lists, l)
			}
		}
	}
	return append(lists, combinations(values)...)
}

func combinations(values map[uint][]uint64) [][6]uint64 {
	lists := [][6]uint64{{}}
	for arg, named := range values {
		var some []uint64
		for _, v := range named {
			some = append(some, v-1, v, v+1)
		}
		some = append(some, 0, low, upper, ^uint64(0))
		slices.Sort(some)
		var next [][6]uint64
		for _, v := range slices.Compact(some) {
			for _, l := range lists {
				l[arg] = v
				next = append(next, l)
			}
		}
		lists = next
	}
	return lists
}
