package userns

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// IDsPerCell is the number of ids in a cell's map: init's and the job's.
const IDsPerCell = 2

// Ranges gives out disjoint pairs of subordinate ids, numbered as in the
// daemon's user namespace. A pair that comes back is given out last.
type Ranges struct {
	mu   sync.Mutex
	free []int // first ids; taken at the front, returned at the back
	all  int
}

// ErrIDsExhausted means that every pair is in use by a running cell.
var ErrIDsExhausted = fmt.Errorf("all subordinate id ranges are in use; raise the range in /etc/subuid and /etc/subgid")

// NewRanges splits the ids 1..count into pairs.
func NewRanges(count int) *Ranges {
	r := &Ranges{all: count / IDsPerCell, free: make([]int, 0, count/IDsPerCell)}
	for i := range r.all {
		r.free = append(r.free, 1+i*IDsPerCell)
	}
	return r
}

// Take gives out the first id of a free pair.
func (r *Ranges) Take() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.free) == 0 {
		return 0, ErrIDsExhausted
	}
	first := r.free[0]
	r.free = r.free[1:]
	return first, nil
}

// Give takes a pair back. Call it only when no process and no file has its ids.
func (r *Ranges) Give(first int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, first)
}

// Free is the number of pairs that nobody uses.
func (r *Ranges) Free() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.free)
}

// Mapped reads how many ids above 0 this process's user namespace holds, the
// smaller of users and groups. 0 in a namespace of a single id.
func Mapped() (int, error) {
	count := -1
	for _, name := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		text, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		n, err := contiguous(string(text))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		if count < 0 || n < count {
			count = n
		}
	}
	return count, nil
}

// contiguous counts the ids mapped without a gap from 1 upwards.
func contiguous(idMap string) (int, error) {
	next := int64(1)
	for line := range strings.Lines(idMap) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return 0, fmt.Errorf("id map line %q: three numbers wanted", line)
		}
		inside, err1 := strconv.ParseInt(f[0], 10, 64)
		length, err2 := strconv.ParseInt(f[2], 10, 64)
		if err1 != nil || err2 != nil || length < 1 {
			return 0, fmt.Errorf("id map line %q: three numbers wanted", line)
		}
		if inside <= next && inside+length > next {
			next = inside + length
		}
	}
	return int(next - 1), nil
}
