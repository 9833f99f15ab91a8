package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"cordon/cgroup"
)

// RangeSize is how many subordinate ids the service user gets: two for each cell.
const RangeSize = 65536

// firstRange is where distributions begin (SUB_UID_MIN of login.defs(5)).
const firstRange = 100_000

// subRange is a line of /etc/subuid or /etc/subgid (subuid(5)).
type subRange struct {
	owner       string
	first, size uint64
}

func parseRanges(text string) []subRange {
	var out []subRange
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 {
			continue
		}
		first, err1 := strconv.ParseUint(f[1], 10, 32)
		size, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 == nil && err2 == nil {
			out = append(out, subRange{f[0], first, size})
		}
	}
	return out
}

func (h Host) ranges(file string) ([]subRange, error) {
	text, err := os.ReadFile(h.path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return parseRanges(string(text)), err
}

// freeRange is the first range behind every other, the same for users and groups.
func freeRange(all []subRange) (uint64, error) {
	next := uint64(firstRange)
	for _, r := range all {
		next = max(next, r.first+r.size)
	}
	if next+RangeSize > 1<<32-2 {
		return 0, fmt.Errorf("no %d ids are free behind the last range; add one by hand to /etc/subuid and /etc/subgid", RangeSize)
	}
	return next, nil
}

func (h Host) ids(user string) step {
	both := []struct{ file, add, del string }{
		{"/etc/subuid", "--add-subuids", "--del-subuids"}, {"/etc/subgid", "--add-subgids", "--del-subgids"}}
	return step{name: rangeStep, what: fmt.Sprintf("%d subordinate user and group ids for %s", RangeSize, user),
		done: func() (bool, error) {
			for _, b := range both {
				all, err := h.ranges(b.file)
				if err != nil || owned(all, user) < RangeSize {
					return false, err
				}
			}
			return true, nil
		},
		do: func() error {
			uids, err1 := h.ranges(both[0].file)
			gids, err2 := h.ranges(both[1].file)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			first, err := freeRange(append(uids, gids...))
			if err != nil {
				return err
			}
			span := fmt.Sprintf("%d-%d", first, first+RangeSize-1)
			return h.run("usermod", both[0].add, span, both[1].add, span, user)
		},
		undo: func() error {
			for _, b := range both {
				all, err := h.ranges(b.file)
				if err != nil {
					return err
				}
				for _, r := range all {
					if r.owner != user {
						continue
					}
					if err := h.run("usermod", b.del, fmt.Sprintf("%d-%d", r.first, r.first+r.size-1), user); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
}

func owned(all []subRange, user string) (n uint64) {
	for _, r := range all {
		if r.owner == user {
			n = max(n, r.size)
		}
	}
	return n
}

// describe names the directories where they are known.
func describe(o Handover) string {
	if real, ok := o.(*cgroup.Handover); ok {
		return ": " + strings.Join(real.Dirs, ", ")
	}
	return ""
}
