package setup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"cordon/deploy"
)

// Names of the steps, in the record and in the order of doing.
const (
	userStep     = "user"
	rangeStep    = "ids"
	stateStep    = "state"
	apparmorStep = "apparmor"
	cgroupStep   = "cgroup"
	unitStep     = "unit"
)

func (h Host) steps(user string) ([]step, error) {
	steps := []step{h.helpers(), h.user(user), h.ids(user)}
	a, found, err := h.lookup(user)
	if err != nil {
		return nil, err
	}
	if !found || a.home == stateDir(user) {
		steps = append(steps, h.state(user))
	}
	if text, err := os.ReadFile(h.path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")); err == nil && strings.TrimSpace(string(text)) == "1" {
		steps = append(steps, h.apparmor())
	}
	o, err := h.handover(user)
	if err != nil {
		return nil, err
	}
	if !o.Managed() { // else the unit has Delegate=yes, and a user's own manager delegates to the user
		steps = append(steps, h.cgroups(user, o))
	}
	if h.systemd() && user == ServiceUser { // last: what is taken back first ends the service
		steps = append(steps, h.unit())
	}
	return steps, nil
}

// stateDir is the home of a user that setup makes.
func stateDir(user string) string { return "/var/lib/" + user }

// ServiceUser is the user of the shipped unit.
const ServiceUser = "cordon"

func (h Host) helpers() step {
	return step{name: "helpers", what: "newuidmap and newgidmap", done: func() (bool, error) {
		for _, name := range []string{"newuidmap", "newgidmap"} {
			if _, err := exec.LookPath(name); err != nil && !h.Fake {
				return false, fmt.Errorf("%s is not installed; run: apt-get install uidmap (Debian, Ubuntu) or dnf install shadow-utils (Fedora)", name)
			}
		}
		return true, nil
	}}
}

func (h Host) user(user string) step {
	return step{name: userStep, what: "user " + user,
		done: func() (bool, error) { _, found, err := h.lookup(user); return found, err },
		do: func() error {
			return h.run("useradd", "--system", "--user-group", "--home-dir", stateDir(user), "--no-create-home",
				"--shell", "/usr/sbin/nologin", "--comment", "Cordon", user)
		},
		undo: func(string) error {
			if _, found, err := h.lookup(user); err != nil || !found {
				return err
			}
			return h.run("userdel", user)
		},
	}
}

func (h Host) state(user string) step {
	dir := stateDir(user)
	return step{name: stateStep, what: "directory " + dir + ", mode 0700",
		done: func() (bool, error) {
			a, found, err := h.lookup(user)
			if err != nil || !found {
				return false, err
			}
			info, err := os.Stat(h.path(dir))
			if errors.Is(err, os.ErrNotExist) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			st, ok := info.Sys().(*syscall.Stat_t)
			return info.Mode().Perm() == 0o700 && ok && int(st.Uid) == a.uid, nil
		},
		do: func() error {
			a, _, err := h.lookup(user)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(h.path(dir), 0o700); err != nil {
				return err
			}
			return errors.Join(os.Chown(h.path(dir), a.uid, a.gid), os.Chmod(h.path(dir), 0o700))
		},
		fresh: func() bool { return !h.exists(dir) },
		undo: func(string) error {
			if err := h.idle(user); err != nil {
				return err
			}
			return os.RemoveAll(h.path(dir))
		},
	}
}

func (h Host) apparmor() step {
	const file = "/etc/apparmor.d/cordon"
	return step{name: apparmorStep, what: "AppArmor profile " + file,
		done: func() (bool, error) { return h.holds(file, deploy.AppArmor) },
		do: func() error {
			if err := os.WriteFile(h.path(file), []byte(deploy.AppArmor), 0o644); err != nil {
				return err
			}
			return h.run("apparmor_parser", "--replace", file)
		},
		undo: func(string) error {
			if !h.exists(file) {
				return nil
			}
			return errors.Join(h.run("apparmor_parser", "--remove", file), os.Remove(h.path(file)))
		},
	}
}

// Where the unit and the program it starts are.
const (
	unitFile = "/etc/systemd/system/cordon.service"
	program  = "/usr/local/bin/cordon"
)

func (h Host) unit() step {
	return step{name: unitStep, what: "systemd unit " + unitFile + " with Delegate=yes, and " + program,
		done: func() (bool, error) {
			same, err := h.holds(unitFile, deploy.Unit)
			if err != nil || !same {
				return false, err
			}
			self, err := os.ReadFile("/proc/self/exe")
			if err != nil {
				return false, err
			}
			return h.holds(program, string(self))
		},
		do: func() error {
			if err := h.installSelf(program); err != nil {
				return err
			}
			if err := os.WriteFile(h.path(unitFile), []byte(deploy.Unit), 0o644); err != nil {
				return err
			}
			return h.run("systemctl", "daemon-reload")
		},
		plan: func() (string, error) {
			if !h.exists(program) {
				return program, nil
			}
			r, err := h.readRecord() // an older one of setup's, or somebody else's
			if err != nil {
				return "", err
			}
			return r.Made[ServiceUser][unitStep], nil
		},
		undo: func(installed string) error {
			if !h.exists(unitFile) {
				return nil
			}
			err := errors.Join(h.run("systemctl", "disable", "--now", "cordon.service"), os.Remove(h.path(unitFile)))
			if installed != "" && h.exists(program) {
				err = errors.Join(err, os.Remove(h.path(program)))
			}
			return errors.Join(err, h.run("systemctl", "daemon-reload"))
		},
	}
}

// holds: a file is there with exactly this text.
func (h Host) holds(name, text string) (bool, error) {
	have, err := os.ReadFile(h.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && string(have) == text, err
}

// installSelf puts this program where the unit starts it.
func (h Host) installSelf(to string) error {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	// Beside and renamed: the old one may be running.
	if err := os.WriteFile(h.path(to)+".new", self, 0o755); err != nil {
		return err
	}
	return os.Rename(h.path(to)+".new", h.path(to))
}

func (h Host) cgroups(user string, o Handover) step {
	return step{name: cgroupStep, what: "cgroup for " + user + ": " + o.String(),
		done: func() (bool, error) {
			a, found, err := h.lookup(user)
			return found && err == nil && o.Done(a.uid), err
		},
		do: func() error {
			a, _, err := h.lookup(user)
			if err != nil {
				return err
			}
			return o.Do(a.uid, a.gid)
		},
		undo: func(string) error { return o.Undo() },
		// Groups are gone after a boot, and a record would not be: what is there under
		// our name and is the user's was made here.
		ours: func() bool { a, found, _ := h.lookup(user); return found && o.Left(a.uid) },
	}
}
