package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cordon/userns"
)

// newuidmapRow: RootlessKit starts both programs, which write the id maps with
// rights of their own (newuidmap(1)).
func newuidmapRow(h *host) Row {
	r := Row{Name: "newuidmap", Needed: true, Status: OK, Lost: "no own user id for each job: policies that ask for one refuse",
		Fix: "sudo apt-get install uidmap"}
	if h.inside {
		if n, err := h.mapped(); err == nil && n > 0 {
			r.Found = "used at the start of this service"
			return r
		}
	}
	var found []string
	for _, name := range []string{"newuidmap", "newgidmap"} {
		path, info := h.lookPath(name)
		switch {
		case info == nil:
			r.Status, r.Found = Missing, name+" is not in "+h.path
			return r
		case info.Mode()&fs.ModeSetuid == 0 && !h.fileCaps(h.at(path)):
			r.Status, r.Found, r.Fix = Missing, path+" is neither setuid nor has file capabilities", "sudo chmod u+s "+path
			return r
		case h.noSuid(h.at(path)):
			r.Status, r.Found = Missing, path+" is on a mount with nosuid"
			r.Fix = "sudo mount -o remount,suid $(findmnt -n -o TARGET -T " + path + ")"
			return r
		}
		found = append(found, path)
	}
	r.Found = strings.Join(found, ", ")
	if h.status("NoNewPrivs") == "1" {
		r.Status, r.Found = Missing, "no_new_privs is set on this process: setuid programs have no effect"
		r.Fix = "take NoNewPrivileges=, and settings that imply it, out of the service's unit"
	}
	return r
}

// lookPath is exec.LookPath over the host's tree.
func (h *host) lookPath(name string) (string, fs.FileInfo) {
	for _, dir := range filepath.SplitList(h.path) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(h.at(path)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, info
		}
	}
	return "", nil
}

// The range that setup gives and subuid(5) suggests.
const (
	rangeSize  = 65536
	rangeFirst = 100000 // SUB_UID_MIN of login.defs(5)
)

func subordinateRow(h *host) Row {
	r := Row{Name: "subordinate ids", Needed: true, Lost: "no own user id for each job: policies that ask for one refuse"}
	a, found := h.runner()
	var n int
	var err error
	switch {
	case h.inside:
		n, err = h.mapped()
	case !found:
		err = errors.New("there is no user " + serviceUser + " yet")
	default:
		n, err = h.subordinate(a)
	}
	r.Fix = h.rangeFix(a)
	if !found {
		r.Fix = "sudo cordon setup"
	}
	jobs := userns.ForCells(n) / userns.IDsPerCell
	switch {
	case err != nil:
		r.Status, r.Found = Missing, errText(err)
	case jobs < 1:
		r.Status, r.Found = Missing, fmt.Sprintf("%d for %s; %d are needed", n, a.name, userns.IDsPerCell)
	case n < rangeSize:
		r.Status, r.Found = Degraded, fmt.Sprintf("%d for %s: enough for %d jobs at once, and ids come back soon; %d are better", n, a.name, jobs, rangeSize)
	default:
		r.Status, r.Found = OK, fmt.Sprintf("%d for %s", n, a.name)
	}
	return r
}

// subordinate counts the ids of an account, the smaller of users and groups.
func (h *host) subordinate(a account) (int, error) {
	count := -1
	for _, name := range []string{"/etc/subuid", "/etc/subgid"} {
		ranges, err := h.subids(name)
		if err != nil {
			return 0, err
		}
		n := 0
		for _, r := range ranges {
			if r.owner == a.name || r.owner == strconv.Itoa(a.uid) {
				n += int(r.count)
			}
		}
		if count < 0 || n < count {
			count = n
		}
	}
	return count, nil
}

// idRange is a line of subuid(5).
type idRange struct {
	owner        string // name or number
	first, count uint32
}

func (r idRange) end() uint64 { return uint64(r.first) + uint64(r.count) }

// subids reads one of the two files; one that is not there has no ranges.
func (h *host) subids(path string) ([]idRange, error) {
	text, err := h.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseSubids(path, text)
}

func parseSubids(name, text string) ([]idRange, error) {
	var out []idRange
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, ":")
		if len(f) != 3 || f[0] == "" {
			return nil, fmt.Errorf("%s line %d: %q given, owner:first:count wanted", name, number, line)
		}
		first, err1 := strconv.ParseUint(f[1], 10, 32)
		count, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 != nil || err2 != nil || first+count > 1<<32-1 {
			return nil, fmt.Errorf("%s line %d: %q given, owner:first:count wanted, with ids below 2^32", name, number, line)
		}
		out = append(out, idRange{f[0], uint32(first), uint32(count)})
	}
	return out, nil
}

// rangeFix gives an account a whole range that nobody has.
func (h *host) rangeFix(a account) string {
	var taken []idRange
	for _, name := range []string{"/etc/subuid", "/etc/subgid"} {
		ranges, err := h.subids(name)
		if err != nil {
			return "mend the line, then: sudo cordon doctor"
		}
		taken = append(taken, ranges...)
	}
	for _, one := range h.accounts() {
		taken = append(taken, idRange{one.name, uint32(one.uid), 1})
	}
	first, ok := freeRange(taken)
	if !ok {
		return "free a range of 65536 ids in /etc/subuid and /etc/subgid"
	}
	last := first + rangeSize - 1
	return fmt.Sprintf("sudo usermod --add-subuids %d-%d --add-subgids %d-%d %s", first, last, first, last, a.name)
}

// freeRange is the first gap that holds a whole range.
func freeRange(taken []idRange) (first uint64, ok bool) {
	taken = slices.Clone(taken)
	slices.SortFunc(taken, func(a, b idRange) int { return int(int64(a.first) - int64(b.first)) })
	first = rangeFirst
	for _, t := range taken {
		if uint64(t.first) >= first+rangeSize {
			break
		}
		first = max(first, t.end())
	}
	return first, first+rangeSize < 1<<32
}
