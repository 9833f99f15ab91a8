package verify

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"cordon/internal/processes"
)

// settleWithin is how long the service may take to tidy up behind a job, and to
// make the next warm cells, before what is there counts as left behind.
const settleWithin = 10 * time.Second

// state is what can be seen of a service from outside when no job runs.
type state struct {
	Processes map[string]int // by what they are
	Groups    int            // cells' cgroup directories, in all hierarchies
	Fds       map[string]int // of the daemon, by kind
	Mounts    string         // the daemon's mountinfo
	Strangers []string       // processes with a subordinate id that are no waiting init
	Guard     string         // the neighbour directory
}

// observer looks at a service through /proc as its user.
type observer struct {
	pid   int
	ids   []idRange // subordinate ids of this user
	guard string
}

type idRange struct{ first, count uint64 }

// look describes the service as it is now.
func (o *observer) look() (*state, error) {
	s := &state{Processes: map[string]int{}, Fds: map[string]int{}}
	all, err := processes.All()
	if err != nil {
		return nil, err
	}
	daemon, groups := 0, map[string]bool{}
	for _, p := range processes.Below(all, o.pid) {
		s.Processes[kind(p)]++
		if kind(p) == "daemon" {
			daemon = p.Pid
		}
		for _, dir := range cellGroups(p) {
			groups[dir] = true
		}
	}
	if daemon == 0 {
		return nil, errors.New("the daemon is not there")
	}
	for _, p := range all {
		if o.owns(p.UID) && !p.First() && !others(all, p, daemon) {
			s.Strangers = append(s.Strangers, p.String())
		}
	}
	if s.Groups, err = siblings(groups); err != nil {
		return nil, err
	}
	if s.Fds, err = descriptors(daemon); err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", daemon))
	if err != nil {
		return nil, err
	}
	s.Mounts = string(mounts)
	s.Guard, err = fingerprint(o.guard)
	return s, err
}

// owns: the id is one of this user's subordinate ones.
func (o *observer) owns(uid uint64) bool {
	return slices.ContainsFunc(o.ids, func(r idRange) bool { return uid >= r.first && uid-r.first < r.count })
}

// settled waits until the service looks as it did, and says what does not.
func (o *observer) settled(before *state) []string {
	var problems []string
	for deadline := time.Now().Add(settleWithin); ; time.Sleep(5 * time.Millisecond) {
		now, err := o.look()
		if err != nil {
			problems = []string{err.Error()}
		} else if problems = before.differences(now); len(problems) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return problems
		}
	}
}

// stable waits until two looks in a row show the same: warm cells are made in
// the background.
func (o *observer) stable() (*state, error) {
	before, err := o.look()
	for range 200 {
		time.Sleep(50 * time.Millisecond)
		now, errNow := o.look()
		if err == nil && errNow == nil && len(before.differences(now)) == 0 {
			return now, nil
		}
		before, err = now, errNow
	}
	return nil, errors.Join(errors.New("the service does not come to rest"), err)
}

func (s *state) differences(now *state) []string {
	var out []string
	if !maps.Equal(s.Processes, now.Processes) {
		out = append(out, fmt.Sprintf("processes: %v before, %v now", s.Processes, now.Processes))
	}
	if s.Groups != now.Groups {
		out = append(out, fmt.Sprintf("cgroups: %d before, %d now", s.Groups, now.Groups))
	}
	if !maps.Equal(s.Fds, now.Fds) {
		out = append(out, fmt.Sprintf("the daemon's descriptors: %v before, %v now", s.Fds, now.Fds))
	}
	if s.Mounts != now.Mounts {
		out = append(out, "the daemon's mountinfo has changed")
	}
	if len(now.Strangers) > 0 {
		out = append(out, "left with a job's id: "+strings.Join(now.Strangers, ", "))
	}
	if s.Guard != now.Guard {
		out = append(out, "a directory beside the service's has changed")
	}
	return out
}

// siblings counts the cells' groups beside those that are known.
func siblings(known map[string]bool) (int, error) {
	parents := map[string]bool{}
	for dir := range known {
		parents[filepath.Dir(dir)] = true
	}
	n := 0
	for dir := range parents {
		groups, err := processes.GroupsBelow(dir)
		if err != nil {
			return 0, err
		}
		n += len(groups)
	}
	return n, nil
}

// descriptors of a process by what they lead to. Connections of clients come and
// go as these please: sockets are left out, and what the service keeps for later.
func descriptors(pid int) (map[string]int, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	kinds := map[string]int{}
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		kind, _, _ := strings.Cut(to, ":")
		if strings.HasPrefix(to, "/") {
			kind = "file"
		}
		if kind != "socket" && !processes.ComesAndGoes(to) {
			kinds[kind]++
		}
	}
	return kinds, nil
}

// fingerprint names every file of a directory with size and time of change.
func fingerprint(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&b, e.Name(), info.Mode(), info.Size(), info.ModTime().UnixNano())
	}
	return b.String(), nil
}

// subordinate reads this user's ranges of /etc/subuid (subuid(5)).
func subordinate(file, user string, uid int) []idRange {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil // a host without ranges
	}
	var out []idRange
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 || (f[0] != user && f[0] != strconv.Itoa(uid)) {
			continue
		}
		first, err1 := strconv.ParseUint(f[1], 10, 64)
		count, err2 := strconv.ParseUint(f[2], 10, 64)
		if err1 == nil && err2 == nil {
			out = append(out, idRange{first, count})
		}
	}
	return out
}
