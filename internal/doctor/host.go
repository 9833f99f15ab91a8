package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"cordon/cgroup"
	"cordon/userns"
)

// serviceUser is the account that cordon setup makes.
const serviceUser = "cordon"

// host is everything the checks look at. Tests give another tree and other answers.
type host struct {
	roots  []string // that policies show besides those of every root
	root   string   // put before every path; "" on a real host
	uid    int      // on the host, also when inside
	inside bool     // in the daemon's user namespace
	path   string   // as in PATH

	mapped   func() (int, error) // ids above 0 of the own user namespace
	offered  func() (cgroup.Offer, error)
	look     func(path string) (cgroup.Place, error)
	fileCaps func(path string) bool // has file capabilities
	noSuid   func(path string) bool // lies on a mount that ignores setuid bits
	outcomes map[string]outcome     // by name of the probe
}

func thisHost(o Options) (*host, error) {
	if os.Getenv(probeMark) != "" {
		return nil, errors.New("doctor: called from one of its own probes; the program that links it must run them (doctor.RunProbe)")
	}
	h := &host{uid: os.Geteuid(), inside: o.Inside, roots: o.Roots, path: os.Getenv("PATH"),
		mapped: userns.Mapped, offered: cgroup.Offered, look: cgroup.Look, fileCaps: hasFileCaps, noSuid: onNoSuid}
	if !o.Inside && h.uid != 0 {
		h.look = lookAround
	}
	if o.Inside {
		text, err := h.read("/proc/self/uid_map")
		if err != nil {
			return nil, fmt.Errorf("doctor: %w", err)
		}
		if h.uid, err = outerID(text); err != nil {
			return nil, fmt.Errorf("doctor: %w", err)
		}
	}
	return h, nil
}

// lookAround is from where a service of this user would look: where nothing is
// delegated to this process, the user's own systemd is asked for a scope, as at a
// service's start.
func lookAround(path string) (cgroup.Place, error) {
	p, err := cgroup.Look(path)
	if path != "" || !errors.Is(err, cgroup.ErrNoDelegation) {
		return p, err
	}
	if err := cgroup.Settle(path); err != nil {
		return p, err
	}
	return cgroup.Look(path)
}

// outerID is what the first line of an id map says about the id 0.
func outerID(idMap string) (int, error) {
	f := strings.Fields(idMap)
	if len(f) < 3 || f[0] != "0" {
		return 0, fmt.Errorf("uid_map %q: three numbers, the first 0, wanted", idMap)
	}
	n, err := strconv.ParseUint(f[1], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("uid_map %q: three numbers, the first 0, wanted", idMap)
	}
	return int(n), nil
}

func (h *host) at(path string) string { return filepath.Join(h.root, path) }

// read is a whole small file without the space around it.
func (h *host) read(path string) (string, error) {
	text, err := os.ReadFile(h.at(path))
	return strings.TrimSpace(string(text)), err
}

// sysctl reads a number below /proc/sys; ok is false where the kernel has no
// such setting.
func (h *host) sysctl(name string) (value int64, ok bool, err error) {
	text, err := h.read("/proc/sys/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	value, err = strconv.ParseInt(text, 10, 64)
	return value, err == nil, err
}

// status is one field of the own process, such as NoNewPrivs (proc_pid_status(5)).
func (h *host) status(field string) string {
	text, err := h.read("/proc/self/status")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == field {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// account is a line of /etc/passwd.
type account struct {
	name string
	uid  int
}

func (h *host) accounts() []account {
	text, err := h.read("/etc/passwd")
	if err != nil {
		return nil
	}
	var out []account
	for line := range strings.Lines(text) {
		f := strings.Split(line, ":")
		if len(f) < 3 {
			continue
		}
		if uid, err := strconv.ParseUint(f[2], 10, 32); err == nil {
			out = append(out, account{f[0], int(uid)})
		}
	}
	return out
}

// runner is the account that jobs are run by: the caller, or, when root asks,
// the service user. found is false when root asks and there is none yet.
func (h *host) runner() (a account, found bool) {
	for _, a := range h.accounts() {
		if h.uid == 0 && a.name == serviceUser || h.uid != 0 && a.uid == h.uid {
			return a, true
		}
	}
	if h.uid != 0 { // an id without a name: newuidmap knows it by number
		return account{strconv.Itoa(h.uid), h.uid}, true
	}
	return account{name: serviceUser}, false
}

// errText is an error as a table can hold it: the errno's name first.
func errText(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno) + " (" + errno.Error() + ")"
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

func hasFileCaps(path string) bool {
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}

func onNoSuid(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && s.Flags&unix.MS_NOSUID != 0
}
