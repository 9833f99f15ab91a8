package setup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exec becomes the service user in the delegated cgroup and starts a command in
// place of this process. It only returns an error.
func (h Host) Exec(user string, command []string) error {
	if h.Root == "" {
		h.Root = "/"
	}
	a, found, err := h.lookup(user)
	if err != nil || !found {
		return errors.Join(fmt.Errorf("there is no user %s", user), err)
	}
	o, err := h.handover(user)
	if err != nil {
		return err
	}
	if err := o.Enter(a.uid, a.gid); err != nil {
		return err
	}
	name, err := resolve(command[0])
	if err != nil {
		return err
	}
	// Opened as root: the service user may not be able to walk to it.
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	if err := drop(a); err != nil {
		return err
	}
	if unix.Access(".", unix.X_OK|unix.R_OK) != nil {
		if err := os.Chdir(a.home); err != nil {
			return err
		}
	}
	env := environment(os.Environ(), user, a.home)
	if unix.Access(name, unix.X_OK) == nil {
		return notStarted(user, name, syscall.Exec(name, command, env))
	}
	return notStarted(user, name, syscall.Exec(fmt.Sprintf("/proc/self/fd/%d", fd), command, env))
}

// notStarted explains what a service user meets with a program of root's.
func notStarted(user, name string, err error) error {
	switch {
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("user %s may not run %s: %w; run: chmod a+rx %s", user, name, err, name)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("user %s cannot start %s: %w; a script, or its interpreter, must lie where that user can read it", user, name, err)
	}
	return fmt.Errorf("user %s cannot start %s: %w", user, name, err)
}

// resolve finds the program; "cordon" is this one.
func resolve(name string) (string, error) {
	if name == "cordon" {
		return os.Executable()
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// drop gives up root for good, on every thread (package unix would change the
// calling one alone): groups first, while that is still allowed.
func drop(a account) error {
	if err := syscall.Setgroups([]int{a.gid}); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	if err := syscall.Setresgid(a.gid, a.gid, a.gid); err != nil {
		return os.NewSyscallError("setresgid", err)
	}
	if err := syscall.Setresuid(a.uid, a.uid, a.uid); err != nil {
		return os.NewSyscallError("setresuid", err)
	}
	if syscall.Setresuid(0, 0, 0) == nil {
		return errors.New("root could be had back after it was given up")
	}
	return nil
}

// environment keeps what a program of another user may know: settings of Cordon
// and of Go, language, terminal, time zone, and where to tell that it is ready.
// Root's other variables may hold secrets.
func environment(from []string, user, home string) []string {
	out := slices.DeleteFunc(slices.Clone(from), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return !slices.Contains([]string{"PATH", "LANG", "LANGUAGE", "TERM", "COLUMNS", "TZ", "TMPDIR", "NOTIFY_SOCKET"}, name) &&
			!slices.ContainsFunc([]string{"CORDON_", "LC_", "GO"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	})
	return append(out, "HOME="+home, "USER="+user, "LOGNAME="+user)
}
