package setup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"cordon/cgroup"
)

// Host is the machine. Tests put a directory and recorded commands in its place.
type Host struct {
	Root string // "/"
	Fake bool   // not this machine: no root needed
	// Command runs a program of the system; nil: for real.
	Command func(name string, args ...string) error
	// Handover is the cgroup part; nil: of this machine.
	Handover Handover
}

// Handover is what package cgroup offers.
type Handover interface {
	String() string // the directories
	// Managed: systemd owns the groups, and a unit or scope of its own is the way.
	Managed() bool
	Done(uid int) bool
	Left(uid int) bool // something of it is there
	Do(uid, gid int) error
	Undo() error
	// Enter puts this process, still root, where that user's service may start.
	Enter(uid, gid int) error
}

func (h Host) path(name string) string { return filepath.Join(h.Root, name) }

func (h Host) exists(name string) bool {
	_, err := os.Stat(h.path(name))
	return err == nil
}

// systemd: it runs this machine and owns its cgroups.
func (h Host) systemd() bool { return h.exists("/run/systemd/system") }

func (h Host) run(name string, args ...string) error {
	if h.Command != nil {
		return h.Command(name, args...)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// account is a line of /etc/passwd.
type account struct {
	uid, gid int
	home     string
}

// lookup reads /etc/passwd: the same file that newuidmap's names come from on a
// plain machine; found is false when there is no such user.
func (h Host) lookup(user string) (a account, found bool, err error) {
	text, err := os.ReadFile(h.path("/etc/passwd"))
	if err != nil {
		return a, false, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 7 || f[0] != user {
			continue
		}
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 != nil || err2 != nil {
			return a, false, fmt.Errorf("/etc/passwd: %q: the ids are no numbers", line)
		}
		if uid == 0 {
			return a, false, fmt.Errorf("--user %s has the user id 0; the service may not be root: name another user", user)
		}
		return account{uid, gid, f[5]}, true, nil
	}
	return a, false, nil
}

// idle: the user runs nothing, besides the unit's service, which is ended before.
// userdel would say so, too, but after the state is gone.
func (h Host) idle(user string) error {
	a, found, err := h.lookup(user)
	if err != nil || !found {
		return err
	}
	entries, err := os.ReadDir(h.path("/proc"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if _, number := strconv.Atoi(e.Name()); number != nil || err != nil { // it has ended
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == a.uid {
			return fmt.Errorf("user %s still runs process %s; end the service first", user, e.Name())
		}
	}
	return nil
}

// handover is the cgroup part; the error says what is missing.
func (h Host) handover(user string) (Handover, error) {
	if h.Handover != nil {
		return h.Handover, nil
	}
	return cgroup.PlanHandover(user)
}
