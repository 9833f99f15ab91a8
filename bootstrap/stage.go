package bootstrap

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"cordon/image"
)

// StageCommand is the hidden command that becomes mmdebstrap.
const StageCommand = "__debian-root"

// nobody has this id in Debian, beyond those of a small range.
const nobody = 65534

// idMap shows the ids of images as 0 and those that follow. Where they are fewer than
// Debian has, the last of them is nobody's.
func idMap(o image.Owners) []syscall.SysProcIDMap {
	if o.Count > nobody {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(o.First), Size: int(o.Count)}}
	}
	return []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(o.First), Size: int(o.Count) - 1},
		{ContainerID: nobody, HostID: int(o.First + o.Count - 1), Size: 1}}
}

// stage is mmdebstrap as root of images, in namespaces of its own: when the first process
// of them ends, and it ends with this one, so does everything that it has started.
func stage(o image.Owners, args []string) *exec.Cmd {
	c := &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{"cordon", StageCommand}, args...)}
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		UidMappings: idMap(o), GidMappings: idMap(o), GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{}, Pdeathsig: syscall.SIGKILL, Setsid: true,
	}
	return c
}

// start starts a program in a directory and tells when it has ended. The directory is
// only the program's: this process stays where it is. A program's first directory is the
// one thing that it takes along into mounts of its own without a name, and it is not
// allowed to walk to this one.
func start(c *exec.Cmd, dir string) (ended <-chan error, err error) {
	done, started := make(chan error, 1), make(chan error)
	go func() {
		// Never unlocked: a thread with a directory of its own is of no further use. It
		// lives as long as the program, which is told to end with its thread.
		runtime.LockOSThread()
		err := os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_FS))
		if err == nil {
			err = os.NewSyscallError("chdir", unix.Chdir(dir))
		}
		if err == nil {
			err = c.Start()
		}
		started <- err
		if err == nil {
			done <- c.Wait()
		}
	}()
	return done, <-started
}

// Stage is the inner half: it has the directory that it was given as /tmp, a /proc of its own
// processes, and becomes the program.
func Stage(args []string) error {
	if len(args) == 0 || os.Getpid() != 1 {
		return errors.New("this command is for Cordon itself")
	}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"make the mounts private", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"mount the directory of work", func() error { return unix.Mount(".", "/tmp", "", unix.MS_BIND|unix.MS_REC, "") }},
		{"mount /proc", func() error {
			return unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}},
		{"set the host's name", func() error { return unix.Sethostname([]byte("localhost")) }},
		{"enter /tmp", func() error { return unix.Chdir("/tmp") }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return &os.PathError{Op: "exec", Path: args[0], Err: unix.Exec(args[0], args, os.Environ())}
}
