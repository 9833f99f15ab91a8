package sandbox

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A terminal comes from an instance of devpts that exists for it alone and stands nowhere:
// neither in the service's tree nor in the cell's. Of it the job has the one descriptor
// that it is given. It has no /dev/ptmx and no /dev/pts, and so no way to another terminal,
// its own master included; the mounts of its cell are those of every other job.

// terminalEnv is what a program at a terminal has besides.
var terminalEnv = []string{"TERM=xterm-256color"}

// openTerminal gives the slave, for the job, and the master, which does not block. owner
// is the job's user as this process knows it: programs open /dev/stdin by name.
func openTerminal(owner int, size WindowSize) (ends [2]*os.File, err error) {
	mount, err := devpts(owner)
	if err != nil {
		return ends, err
	}
	defer unix.Close(mount)
	fd, err := unix.Openat(mount, "ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return ends, os.NewSyscallError("open ptmx", err)
	}
	slave, err := openSlave(fd, size)
	if err != nil {
		unix.Close(fd)
		return ends, err
	}
	return [2]*os.File{os.NewFile(uintptr(slave), "terminal"), os.NewFile(uintptr(fd), "terminal")}, nil
}

// devpts is a mount of a new instance. It has room for one terminal.
func devpts(owner int) (int, error) {
	fs, err := unix.Fsopen("devpts", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("fsopen devpts", err)
	}
	defer unix.Close(fs)
	id := strconv.Itoa(owner)
	for _, option := range [][2]string{{"uid", id}, {"gid", id}, {"mode", "0600"}, {"ptmxmode", "0600"}, {"max", "1"}} {
		if err := unix.FsconfigSetString(fs, option[0], option[1]); err != nil {
			return -1, os.NewSyscallError("fsconfig "+option[0], err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, os.NewSyscallError("fsconfig create", err)
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	return mount, os.NewSyscallError("fsmount", err)
}

// openSlave asks the master for its slave: by no name, of which there is none.
func openSlave(master int, size WindowSize) (int, error) {
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return -1, os.NewSyscallError("TIOCSPTLCK", err)
	}
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return -1, os.NewSyscallError("TIOCGPTPEER", errno)
	}
	slave := int(fd)
	if err := prepareTerminal(slave, size); err != nil {
		unix.Close(slave)
		return -1, err
	}
	return slave, nil
}

// prepareTerminal: its size, and that a letter may have several bytes.
func prepareTerminal(slave int, size WindowSize) error {
	if err := unix.IoctlSetWinsize(slave, unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Cols}); err != nil {
		return os.NewSyscallError("TIOCSWINSZ", err)
	}
	settings, err := unix.IoctlGetTermios(slave, unix.TCGETS)
	if err != nil {
		return os.NewSyscallError("TCGETS", err)
	}
	settings.Iflag |= unix.IUTF8
	return os.NewSyscallError("TCSETS", unix.IoctlSetTermios(slave, unix.TCSETS, settings))
}
