package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Handover is what cordon setup gives to a user below the group of its caller:
// one directory on v2, one in each hierarchy on v1.
type Handover struct {
	Version int
	Dirs    []string
	host    host
	systemd bool
}

// control is where systemd starts the other commands of a unit with Delegate=.
const control = ".control"

// emptied is the leaf of a group into which its processes were moved, so that it can be
// divided: as the error of divide says, and as the container's entrypoint does.
const emptied = "init"

// String lists the directories.
func (o *Handover) String() string { return strings.Join(o.Dirs, ", ") }

// Managed: systemd owns the v2 hierarchy, and nobody else makes groups below its
// own (systemd.io, "Control Group APIs and Delegation"). Enter asks it for one.
func (o *Handover) Managed() bool { return o.Version == 2 && o.systemd }

// PlanHandover finds the directories for a user and changes nothing.
func PlanHandover(user string) (*Handover, error) { return realHost.planHandover(user) }

func (h host) planHandover(user string) (*Handover, error) {
	all, err := h.hierarchies()
	if err != nil {
		return nil, fmt.Errorf("cgroup: %w", err)
	}
	systemd := h.booted()
	if v2, ok := unified(all); ok {
		own := v2.own
		if filepath.Base(own) == startLeaf && strings.HasPrefix(filepath.Base(filepath.Dir(own)), handed) {
			own = filepath.Dir(filepath.Dir(own)) // called from within an earlier handover
		}
		if filepath.Base(own) == emptied && free(filepath.Dir(own)) {
			own = filepath.Dir(own)
		}
		return &Handover{Version: 2, Dirs: []string{filepath.Join(own, handedName(user))}, host: h, systemd: systemd}, nil
	}
	out := &Handover{Version: 1, host: h, systemd: systemd}
	for _, c := range v1Controllers {
		one, ok := withController(all, c)
		if !ok {
			return nil, fmt.Errorf("cgroup: no v2 hierarchy carries memory, pids and cpu, and the v1 controller %s is not mounted; "+
				"mount cgroup2 on /sys/fs/cgroup, or boot with cgroups enabled", c)
		}
		// The commands before the service's own, as root, are in a leaf of their own
		// (systemd.service(5), ExecStartPre=, with Delegate=).
		own := strings.TrimSuffix(one.own, "/"+control)
		if dir := filepath.Join(own, handedName(user)); !slices.Contains(out.Dirs, dir) {
			out.Dirs = append(out.Dirs, dir)
		}
	}
	return out, nil
}

// free: a group without processes of its own.
func free(group string) bool {
	pids, err := dir{path: group}.processes("cgroup.procs")
	return err == nil && len(pids) == 0
}

// Done: every directory is there and the user's.
func (o *Handover) Done(uid int) bool {
	for _, dir := range o.Dirs {
		if !owns(uid, dir) || o.Version == 2 && !owns(uid, filepath.Join(dir, startLeaf)) {
			return false
		}
	}
	return true
}

// Left: there is something to be undone. On v1 what a unit was given in groups of
// its own is gone with it, and what it was given beside them is not.
func (o *Handover) Left(uid int) bool {
	return slices.ContainsFunc(o.Dirs, func(dir string) bool { return owns(uid, dir) })
}

func owns(uid int, path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == uid
}

// given are the files that go to the user besides the directory itself. On v2
// the kernel's document names them (cgroup-v2.rst, "Model of Delegation"). On v1
// there are none: limits set on the directory stay root's, and all that the user
// makes below it is the user's.
func (o *Handover) given() []string {
	if o.Version != 2 {
		return []string{""}
	}
	files := []string{"", startLeaf}
	for _, d := range []string{"", startLeaf + "/"} {
		files = append(files, d+"cgroup.procs", d+"cgroup.subtree_control", d+"cgroup.threads")
	}
	return files
}

// Do makes the directories and gives them away.
func (o *Handover) Do(uid, gid int) error {
	for _, dir := range o.Dirs {
		make := []string{dir}
		if o.Version == 2 {
			if err := divide(filepath.Dir(dir)); err != nil {
				return err
			}
			make = append(make, filepath.Join(dir, startLeaf))
		}
		for _, d := range make {
			if err := os.Mkdir(d, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
		for _, name := range o.given() {
			if err := os.Chown(filepath.Join(dir, name), uid, gid); err != nil {
				return err
			}
		}
	}
	return nil
}

// divide enables the controllers for the children of the caller's own group.
func divide(own string) error {
	text, err := os.ReadFile(filepath.Join(own, "cgroup.subtree_control"))
	if err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	have := strings.Fields(string(text))
	for _, c := range slices.Concat(v2Controllers, v2Wanted) {
		if slices.Contains(have, c) {
			continue
		}
		err := os.WriteFile(filepath.Join(own, "cgroup.subtree_control"), []byte("+"+c), 0)
		switch {
		case errors.Is(err, unix.EBUSY):
			return fmt.Errorf("cgroup: %[1]s has processes of its own, so it cannot divide %[2]s among its children (cgroup-v2.rst, "+
				"\"No Internal Process Constraint\"); move them down first: mkdir %[1]s/"+emptied+" && for p in $(cat %[1]s/cgroup.procs); do echo $p > %[1]s/"+emptied+"/cgroup.procs; done", own, c)
		case err != nil && !slices.Contains(v2Wanted, c):
			return fmt.Errorf("cgroup: hand down %s: %w", c, err)
		}
	}
	return nil
}

// Enter puts this process, which is root's still, where the user's service may
// start: on v2 into the leaf of the handed directory, or of a scope of its own that
// it gives to the user; on v1 nothing is needed.
func (o *Handover) Enter(uid, gid int) error {
	switch {
	case o.Version != 2:
		return nil
	case o.systemd:
		return o.enterManaged(uid, gid)
	}
	return enter(filepath.Join(o.Dirs[0], startLeaf))
}

func enter(leaf string) error {
	if err := os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("cgroup: enter %s: %w", leaf, err)
	}
	return nil
}

func (o *Handover) enterManaged(uid, gid int) error {
	if err := enterScope(systemManager); err != nil {
		return err
	}
	all, err := o.host.hierarchies()
	if err != nil {
		return err
	}
	v2, _ := unified(all)
	leaf := filepath.Join(v2.own, startLeaf)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cgroup: %w", err)
	}
	for _, name := range o.given() {
		if err := os.Chown(filepath.Join(v2.own, name), uid, gid); err != nil {
			return fmt.Errorf("cgroup: give the scope to the user: %w", err)
		}
	}
	return enter(leaf) // so that a shell may start several services
}

// Undo removes the directories, with the groups that a killed service has left.
// A running service is an error.
func (o *Handover) Undo() error {
	for _, dir := range o.Dirs {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			continue
		}
		if pids := running(dir); len(pids) > 0 {
			return fmt.Errorf("cgroup: %s still has processes: %v; end the service first", dir, pids)
		}
		if err := sweep(dir); err != nil {
			return err
		}
		if err := removeGroup(unix.AT_FDCWD, dir, dir); err != nil {
			return err
		}
	}
	return nil
}

// running are the processes of a group and of all below it.
func running(top string) []int {
	var all []int
	_ = filepath.WalkDir(top, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			pids, _ := dir{path: path}.processes("cgroup.procs")
			all = append(all, pids...)
		}
		return nil
	})
	return all
}
