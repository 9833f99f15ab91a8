package calibrate

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// kernel is a fixed piece of work: the same steps on every machine, and the same
// outcome.
type kernel struct {
	name      string
	reference time.Duration // CPU time of one repetition on the reference machine
	outcome   uint64
	work      func() uint64
}

// Reference is the machine on which scale is 1, quiet: where the constants below were
// measured.
const Reference = "AMD EPYC (family 26), 2 processors, virtual, Linux 6.18"

// kernels makes all that they need beforehand, on the core that asks and in memory that
// is near it: in what is measured nothing is allocated. done lets go of it.
func kernels() (all []kernel, done func(), err error) {
	ring, err := unix.Mmap(-1, 0, ringBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, nil, os.NewSyscallError("mmap", err)
	}
	// Whether the kernel finds huge pages depends on what ran before; with small ones every
	// start measures the same. A kernel that has none at all says EINVAL.
	if err := unix.Madvise(ring, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		return nil, nil, os.NewSyscallError("madvise", err)
	}
	link(ring)
	heap := make([]uint32, heapLength)
	return []kernel{
		{"integer", 32600 * time.Microsecond, 0x465a13aa9cae7934, func() uint64 { return sorts(heap) }},
		{"float", 28350 * time.Microsecond, 0xafdc89c42b667a7e, orbits},
		{"memory", 31700 * time.Microsecond, 0xd5dfe0d8261e8e80, func() uint64 { return chase(ring) }},
	}, func() { _ = unix.Munmap(ring) }, nil
}

// once runs a kernel and holds its outcome against what it has to be.
func (k *kernel) once() error {
	if got := k.work(); got != k.outcome {
		return fmt.Errorf("the %s kernel comes to %#x here, and to %#x on other machines: this processor, or its memory, does not calculate right", k.name, got, k.outcome)
	}
	return nil
}

// random is a xorshift: the same numbers everywhere.
type random uint64

func (r *random) next() uint64 {
	*r ^= *r << 13
	*r ^= *r >> 7
	*r ^= *r << 17
	return uint64(*r)
}

const (
	heapLength = 8192 // 32 KiB: all of it is in the first cache
	heapTurns  = 64
)

// sorts is integer work with branches that cannot be foretold: heapsort of random
// numbers, again and again.
func sorts(h []uint32) uint64 {
	var sum uint64
	r := random(0x9e3779b97f4a7c15)
	for range heapTurns {
		for i := range h {
			h[i] = uint32(r.next())
		}
		for i := len(h)/2 - 1; i >= 0; i-- {
			sift(h, i)
		}
		for end := len(h) - 1; end > 0; end-- {
			h[0], h[end] = h[end], h[0]
			sift(h[:end], 0)
		}
		for i, v := range h {
			sum = sum*31 + uint64(v)*uint64(i)
		}
	}
	return sum
}

// sift lets one number sink until no number below it is larger.
func sift(h []uint32, i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1] > h[child] {
			child++
		}
		if h[i] >= h[child] {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

const (
	bodies     = 8
	orbitSteps = 150_000
)

// orbits is floating point work: bodies that attract each other. Products are rounded
// before they are added: machines that could do both at once would come to another
// outcome.
func orbits() uint64 {
	var at, speed [bodies][3]float64
	r := random(0xd1b54a32d192ed03)
	for i := range at {
		for d := range at[i] {
			at[i][d] = float64(r.next()>>11)/(1<<52) - 1
			speed[i][d] = (float64(r.next()>>11)/(1<<52) - 1) / 16
		}
	}
	const step = 1.0 / 4096
	for range orbitSteps {
		for i := range at {
			for j := i + 1; j < bodies; j++ {
				x, y, z := at[i][0]-at[j][0], at[i][1]-at[j][1], at[i][2]-at[j][2]
				square := float64(x*x) + float64(y*y) + float64(z*z) + 0.01
				pull := step / float64(square*math.Sqrt(square)) / bodies
				for d, way := range [3]float64{x, y, z} {
					speed[i][d] -= float64(way * pull)
					speed[j][d] += float64(way * pull)
				}
			}
		}
		for i := range at {
			for d := range at[i] {
				at[i][d] += float64(speed[i][d] * step)
			}
		}
	}
	var sum uint64
	for i := range at {
		for d := range at[i] {
			sum = sum*31 + math.Float64bits(at[i][d])
		}
	}
	return sum
}

const (
	// Beyond the second cache of nearly all processors, and well within the third: how much
	// of that a virtual machine has changes with its neighbours.
	ringBytes = 4 << 20
	ringLine  = 64
	ringSteps = 2_000_000
)

// link makes one ring of all lines, in random order (Sattolo's way): each begins with the
// place of the next.
func link(ring []byte) {
	order := make([]uint32, len(ring)/ringLine)
	for i := range order {
		order[i] = uint32(i)
	}
	r := random(0x2545f4914f6cdd1d)
	for i := len(order) - 1; i > 0; i-- {
		j := r.next() % uint64(i)
		order[i], order[j] = order[j], order[i]
	}
	for i, next := range order {
		binary.LittleEndian.PutUint32(ring[i*ringLine:], next*ringLine)
	}
}

// chase is memory latency: where to read next is known only when the last has been read.
func chase(ring []byte) uint64 {
	var place uint32
	var sum uint64
	for range ringSteps {
		place = binary.LittleEndian.Uint32(ring[place:])
		sum = sum*31 + uint64(place)
	}
	return sum
}
