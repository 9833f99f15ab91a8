package doctor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// probe tries one ability in a fresh process, which flags put into namespaces of
// its own, as root of a user namespace of one id.
type probe struct {
	flags uintptr
	try   func() outcome
}

var probes map[string]probe

func init() { // the nesting probe refers to the table through its own start
	const inMounts = unix.CLONE_NEWUSER | unix.CLONE_NEWNS
	probes = map[string]probe{
		"userns":      {unix.CLONE_NEWUSER, tryUserns},
		"namespaces":  {unix.CLONE_NEWUSER, tryNamespaces},
		"nesting":     {unix.CLONE_NEWUSER, tryNesting},
		"oom_score":   {unix.CLONE_NEWUSER, tryOOMScore},
		"proc":        {inMounts | unix.CLONE_NEWPID, tryProc},
		"tmpfs":       {inMounts, tryTmpfs},
		"overlay":     {inMounts, tryOverlay},
		"bind":        {inMounts, tryBind},
		"seccomp":     {0, trySeccomp},
		"killable":    {0, tryKillable},
		"clone3":      {0, tryClone3},
		"pidfd":       {0, tryPidfd},
		"memfd":       {0, tryMemfd},
		"openat2":     {0, tryOpenat2},
		"close_range": {0, tryCloseRange},
	}
}

// namespaces a cell has, in the order in which a failure is told.
var namespaces = []struct {
	name string
	flag uintptr
}{
	{"user", unix.CLONE_NEWUSER}, {"mount", unix.CLONE_NEWNS}, {"pid", unix.CLONE_NEWPID}, {"net", unix.CLONE_NEWNET},
	{"ipc", unix.CLONE_NEWIPC}, {"uts", unix.CLONE_NEWUTS}, {"cgroup", unix.CLONE_NEWCGROUP},
}

// tryUserns uses a capability, because AppArmor lets the namespace be made and
// takes the capabilities in it away.
func tryUserns() outcome {
	if err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {
		return problem("a user namespace is made, but its capabilities are refused: unshare", err)
	}
	if err := unix.Sethostname([]byte("cordon")); err != nil {
		return problem("a user namespace is made, but its capabilities are refused: sethostname", err)
	}
	return outcome{Found: "made one and used its capabilities"}
}

func tryNamespaces() outcome {
	for _, n := range namespaces[1:] {
		if err := unix.Unshare(int(n.flag)); err != nil {
			return problem("new "+n.name+" namespace", err)
		}
	}
	if err := loopbackUp(); err != nil {
		return problem("bring lo up", err)
	}
	return outcome{Found: "mount, pid, net (own lo up), ipc, uts, cgroup"}
}

// loopbackUp sets IFF_UP as netdevice(7) tells.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// tryNesting does what every cell does against user namespaces inside jobs, and
// proves that the limit holds.
func tryNesting() outcome {
	const file = "/proc/sys/user/max_user_namespaces"
	if err := os.WriteFile(file, []byte("0"), 0); err != nil {
		return problem("write 0 to "+file+" of the own namespace", err)
	}
	cmd := exec.Command("/proc/self/exe", ProbeCommand, "none")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
	err := cmd.Run()
	if !errors.Is(err, unix.ENOSPC) {
		return outcome{Problem: fmt.Sprintf("a nested user namespace should answer ENOSPC, and answered %v", err)}
	}
	return outcome{Found: "a job can be kept from making user namespaces"}
}

// tryOOMScore writes what every cell writes.
func tryOOMScore() outcome {
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("900"), 0); err != nil {
		return problem("write /proc/self/oom_score_adj", err)
	}
	return outcome{Found: "writable"}
}

// tryClone3 asks for a start inside something that is no cgroup: EBADF proves
// that the kernel knows the request (Linux 5.7), without a right to any group.
func tryClone3() outcome {
	const asked = "clone3 with CLONE_INTO_CGROUP"
	r, w, err := os.Pipe()
	if err != nil {
		return problem("pipe", err)
	}
	defer r.Close()
	defer w.Close()
	cmd := exec.Command("/proc/self/exe", ProbeCommand, "none")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(r.Fd())}
	switch err := cmd.Run(); {
	case errors.Is(err, unix.EBADF):
		return outcome{Found: asked}
	case err == nil:
		return outcome{Problem: asked + " should answer EBADF for a pipe, and started a process"}
	default:
		return problem(asked, err)
	}
}

func tryPidfd() outcome {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return problem("pidfd_open", err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, 0, nil, 0); err != nil {
		return problem("pidfd_send_signal", err)
	}
	return outcome{Found: "pidfd"}
}

// tryMemfd checks that a sealed file refuses to be written.
func tryMemfd() outcome {
	fd, err := unix.MemfdCreate("probe", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return problem("memfd_create", err)
	}
	defer unix.Close(fd)
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return problem("F_ADD_SEALS", err)
	}
	if _, err := unix.Write(fd, []byte{1}); err != unix.EPERM {
		return outcome{Problem: fmt.Sprintf("writing to a sealed memfd should answer EPERM, and answered %v", err)}
	}
	return outcome{Found: "memfd seals"}
}

// tryOpenat2 checks that the way out of a directory is closed.
func tryOpenat2() outcome {
	dir, err := unix.Open("/proc/self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return problem("open /proc/self", err)
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH}
	fd, err := unix.Openat2(dir, "..", &how)
	if err == nil {
		unix.Close(fd)
		return outcome{Problem: "openat2 with RESOLVE_BENEATH left its directory"}
	}
	if err != unix.EXDEV {
		return problem("openat2", err)
	}
	return outcome{Found: "openat2"}
}

// tryCloseRange closes the descriptors from 1000 on, of which there are none of
// this process's own.
func tryCloseRange() outcome {
	if err := unix.CloseRange(1000, ^uint(0)>>32, 0); err != nil {
		return problem("close_range", err)
	}
	return outcome{Found: "close_range"}
}
