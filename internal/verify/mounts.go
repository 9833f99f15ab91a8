package verify

import (
	"fmt"
	"slices"
	"strings"
)

// writable are the mount points of a cell that a job may write to.
var writable = []string{"/work", "/tmp", "/dev/shm", "/proc"}

// strayMounts says of each line of a mountinfo (proc_pid_mountinfo(5)) what does
// not belong into a cell.
func strayMounts(mountinfo string) []string {
	var out []string
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		dash := slices.Index(f, "-")
		if len(f) < 6 || dash < 0 || dash+1 >= len(f) {
			out = append(out, "not understood: "+line)
			continue
		}
		point, options, kind := f[4], strings.Split(f[5], ","), f[dash+1]
		if why := stray(point, options, kind); why != "" {
			out = append(out, fmt.Sprintf("%s (%s, %s): %s", point, kind, f[5], why))
		}
	}
	return out
}

func stray(point string, options []string, kind string) string {
	device := strings.HasPrefix(point, "/dev/") && point != "/dev/shm"
	switch {
	case strings.HasPrefix(kind, "cgroup") || kind == "sysfs" || kind == "securityfs" || kind == "debugfs" || kind == "devpts" || strings.HasPrefix(kind, "fuse"):
		return "a file system of this kind"
	case !slices.Contains(options, "nosuid"):
		return "without nosuid"
	case !device && !slices.Contains(options, "nodev"):
		return "without nodev"
	case !device && !slices.Contains(writable, point) && !slices.Contains(options, "ro"):
		return "can be written to"
	}
	return ""
}
