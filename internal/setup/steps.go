package setup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"cordon/deploy"
)

// Names of the steps, in the record and in the order of doing.
const (
	userStep     = "user"
	rangeStep    = "ids"
	stateStep    = "state"
	apparmorStep = "apparmor"
	unitStep     = "unit"
	cgroupStep   = "cgroup"
)

func (h Host) steps(user string) ([]step, error) {
	steps := []step{h.helpers(), h.user(user), h.ids(user)}
	if user == ServiceUser {
		steps = append(steps, h.state(user))
	}
	if text, err := os.ReadFile(h.path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")); err == nil && strings.TrimSpace(string(text)) == "1" {
		steps = append(steps, h.apparmor())
	}
	if h.systemd() {
		if user == ServiceUser {
			steps = append(steps, h.unit())
		}
		return steps, nil // the unit has Delegate=yes, and a user's own manager delegates to the user
	}
	one, err := h.cgroups(user)
	if err != nil {
		return nil, err
	}
	return append(steps, one), nil
}

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
			home := StateDir
			if user != ServiceUser {
				home = "/var/lib/" + user
			}
			return h.run("useradd", "--system", "--user-group", "--home-dir", home, "--create-home", "--shell", "/usr/sbin/nologin", "--comment", "Cordon", user)
		},
		undo: func() error { return h.run("userdel", user) },
	}
}

func (h Host) state(user string) step {
	return step{name: stateStep, what: "directory " + StateDir + ", mode 0700",
		done: func() (bool, error) {
			info, err := os.Stat(h.path(StateDir))
			if errors.Is(err, os.ErrNotExist) {
				return false, nil
			}
			return err == nil && info.Mode().Perm() == 0o700, err
		},
		do: func() error {
			a, _, err := h.lookup(user)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(h.path(StateDir), 0o700); err != nil {
				return err
			}
			return errors.Join(os.Chown(h.path(StateDir), a.uid, a.gid), os.Chmod(h.path(StateDir), 0o700))
		},
		undo: func() error { return os.RemoveAll(h.path(StateDir)) },
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
		undo: func() error {
			return errors.Join(h.run("apparmor_parser", "--remove", file), os.Remove(h.path(file)))
		},
	}
}

func (h Host) unit() step {
	const file, binary = "/etc/systemd/system/cordon.service", "/usr/local/bin/cordon"
	return step{name: unitStep, what: "systemd unit " + file + " with Delegate=yes, and " + binary,
		done: func() (bool, error) {
			same, err := h.holds(file, deploy.Unit)
			return same && h.exists(binary), err
		},
		do: func() error {
			if err := h.installSelf(binary); err != nil {
				return err
			}
			if err := os.WriteFile(h.path(file), []byte(deploy.Unit), 0o644); err != nil {
				return err
			}
			return h.run("systemctl", "daemon-reload")
		},
		undo: func() error {
			err := h.run("systemctl", "disable", "--now", "cordon.service")
			return errors.Join(err, os.Remove(h.path(file)), os.Remove(h.path(binary)), h.run("systemctl", "daemon-reload"))
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

func (h Host) cgroups(user string) (step, error) {
	o, err := h.handover(user)
	if err != nil {
		return step{}, err
	}
	return step{name: cgroupStep, what: "cgroup for " + user + describe(o),
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
		undo: o.Undo,
		// Groups are gone after a boot and the record is not: what is there under our
		// name and is the user's was made here.
		ours: func() bool { a, found, _ := h.lookup(user); return found && o.Done(a.uid) },
	}, nil
}
