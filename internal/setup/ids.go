package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
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

// The files of subordinate ids, and the options of usermod(8) for each.
var idFiles = []struct{ file, add, del string }{
	{"/etc/subuid", "--add-subuids", "--del-subuids"}, {"/etc/subgid", "--add-subgids", "--del-subgids"}}

func (h Host) ids(user string) step {
	var span string
	return step{name: rangeStep, what: fmt.Sprintf("%d subordinate user and group ids for %s", RangeSize, user),
		done: func() (bool, error) {
			for _, f := range idFiles {
				all, err := h.ranges(f.file)
				if err != nil || owned(all, user) < RangeSize {
					return false, err
				}
			}
			return true, nil
		},
		plan: func() (_ string, err error) { span, err = h.freeSpan(); return span, err },
		do:   func() error { return h.run("usermod", idFiles[0].add, span, idFiles[1].add, span, user) },
		undo: func(span string) error {
			_, found, err := h.lookup(user)
			if err != nil || !found || span == "" { // userdel takes the ranges along
				return err
			}
			return h.run("usermod", idFiles[0].del, span, idFiles[1].del, span, user)
		},
	}
}

// freeSpan is "first-last", the same for users and groups.
func (h Host) freeSpan() (string, error) {
	uids, err1 := h.ranges(idFiles[0].file)
	gids, err2 := h.ranges(idFiles[1].file)
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	first, err := freeRange(append(uids, gids...))
	return fmt.Sprintf("%d-%d", first, first+RangeSize-1), err
}

func owned(all []subRange, user string) (n uint64) {
	for _, r := range all {
		if r.owner == user {
			n = max(n, r.size)
		}
	}
	return n
}
