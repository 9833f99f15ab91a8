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
	"unsafe"

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
	if h.systemd() {
		return h.execUnit(user, a, command)
	}
	o, err := h.handover(user)
	if err != nil {
		return err
	}
	if err := o.Enter(); err != nil {
		return err
	}
	program, err := resolve(command[0])
	if err != nil {
		return err
	}
	// Opened as root: the service user may not be able to walk to it.
	fd, err := unix.Open(program, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: program, Err: err}
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
	if unix.Access(program, unix.X_OK) == nil {
		return &os.PathError{Op: "exec", Path: program, Err: syscall.Exec(program, command, env)}
	}
	return &os.PathError{Op: "exec", Path: program, Err: execFD(fd, command, env)}
}

// execUnit asks systemd for a group of its own: below its own groups nobody else
// may make one (systemd.resource-control(5), Delegate=).
func (h Host) execUnit(user string, a account, command []string) error {
	program, err := resolve(command[0])
	if err != nil {
		return err
	}
	args := []string{"systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec", "--uid=" + user,
		"--property=Delegate=cpu memory pids io", "--property=LimitNOFILE=65536", "--working-directory=" + a.home}
	for _, kv := range environment(os.Environ(), user, a.home) {
		args = append(args, "--setenv="+kv)
	}
	args = append(append(args, "--", program), command[1:]...)
	self, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return &os.PathError{Op: "exec", Path: self, Err: syscall.Exec(self, args, os.Environ())}
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

// drop gives up root for good: groups first, while that is still allowed.
func drop(a account) error {
	if err := unix.Setgroups([]int{a.gid}); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	if err := unix.Setresgid(a.gid, a.gid, a.gid); err != nil {
		return os.NewSyscallError("setresgid", err)
	}
	if err := unix.Setresuid(a.uid, a.uid, a.uid); err != nil {
		return os.NewSyscallError("setresuid", err)
	}
	if unix.Setresuid(0, 0, 0) == nil {
		return errors.New("root could be had back after it was given up")
	}
	return nil
}

// environment is the caller's, except for what belongs to the caller as a person.
func environment(from []string, user, home string) []string {
	out := slices.DeleteFunc(slices.Clone(from), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"HOME", "USER", "LOGNAME", "SHELL", "MAIL"}, name) ||
			strings.HasPrefix(name, "XDG_") || strings.HasPrefix(name, "SUDO_") || strings.HasPrefix(name, "SSH_")
	})
	return append(out, "HOME="+home, "USER="+user, "LOGNAME="+user)
}

// execFD is execveat(2) with AT_EMPTY_PATH: the program need not have a path that
// this user can walk.
func execFD(fd int, args, env []string) error {
	argv, err := syscall.SlicePtrFromStrings(args)
	if err != nil {
		return err
	}
	envp, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return err
	}
	empty := [1]byte{}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty[0])),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envp[0])), unix.AT_EMPTY_PATH, 0)
	return errno
}
