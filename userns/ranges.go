package userns

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

// IDsPerCell is the number of ids in a cell's map: init's and the job's.
const IDsPerCell = 2

// blockPairs is how many pairs a process claims at a time.
const blockPairs = 64

// Ranges gives out disjoint pairs of subordinate ids, numbered as in the
// daemon's user namespace. A pair that comes back is given out last.
//
// Every process of the service user holds the same range. Each claims blocks of
// it, as it needs them, so that no two cells of the user have the same ids.
type Ranges struct {
	claim func(block int) (io.Closer, error) // ErrClaimed: another process has it

	mu     sync.Mutex
	free   []int // first ids; taken at the front, returned at the back
	next   int   // block to be tried next
	all    int   // pairs in the range
	claims []io.Closer
}

// ErrIDsExhausted means that every pair is in use by a running cell.
var ErrIDsExhausted = errors.New("all subordinate id ranges are in use; raise the range in /etc/subuid and /etc/subgid")

// ErrClaimed means that another process of this user has a block.
var ErrClaimed = errors.New("claimed by another process")

// NewRanges splits the ids 1..count into pairs. claim reserves a block of them
// for this process until it is closed; nil: nobody else uses the range.
func NewRanges(count int, claim func(block int) (io.Closer, error)) *Ranges {
	return &Ranges{all: count / IDsPerCell, claim: claim}
}

// Take gives out the first id of a free pair.
func (r *Ranges) Take() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.free) == 0 {
		if err := r.grow(); err != nil {
			return 0, err
		}
	}
	first := r.free[0]
	r.free = r.free[1:]
	return first, nil
}

// grow claims the next block that no other process has.
func (r *Ranges) grow() error {
	first := r.next * blockPairs
	if first >= r.all {
		return ErrIDsExhausted
	}
	pairs := min(blockPairs, r.all-first)
	if r.claim != nil {
		held, err := r.claim(r.next)
		if errors.Is(err, ErrClaimed) {
			r.next++
			return nil
		}
		if err != nil {
			return err
		}
		r.claims = append(r.claims, held)
	}
	r.next++
	for i := range pairs {
		r.free = append(r.free, 1+(first+i)*IDsPerCell)
	}
	return nil
}

// Give takes a pair back. Call it only when no process and no file has its ids.
func (r *Ranges) Give(first int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, first)
}

// Free is the number of pairs that nobody uses, as far as this process knows.
func (r *Ranges) Free() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.free) + max(r.all-r.next*blockPairs, 0)
}

// Close gives the blocks up.
func (r *Ranges) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, c := range r.claims {
		errs = append(errs, c.Close())
	}
	r.claims, r.free, r.next = nil, nil, r.all
	return errors.Join(errs...)
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
	next := uint64(1)
	for line := range strings.Lines(idMap) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return 0, fmt.Errorf("id map line %q: three numbers wanted", line)
		}
		inside, err1 := strconv.ParseUint(f[0], 10, 32)
		_, err2 := strconv.ParseUint(f[1], 10, 32)
		length, err3 := strconv.ParseUint(f[2], 10, 32)
		if errors.Join(err1, err2, err3) != nil || length < 1 {
			return 0, fmt.Errorf("id map line %q: three numbers wanted", line)
		}
		if inside <= next && inside+length > next {
			next = inside + length
		}
	}
	return int(next - 1), nil
}
