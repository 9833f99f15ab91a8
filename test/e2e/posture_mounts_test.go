package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var updateMounts = flag.Bool("update-mounts", false, "print the lists of mounts as they are")

// checkMounts holds a process's mounts against testdata/mounts-NAME.golden. Each
// line there is: mount point, what of the file system, flags, type, options. Host
// directories and devices are of any type. A line after "?" is there where this
// machine has such a thing. first is init's id, -1 where there is none.
func checkMounts(t *testing.T, name string, pid, first int) {
	t.Helper()
	var got []string
	for line := range strings.Lines(read(t, pid, "mountinfo")) {
		got = append(got, describeMount(t, line, first))
	}
	if *updateMounts {
		t.Logf("mounts-%s\n%s", name, strings.Join(got, "\n"))
	}
	text, err := os.ReadFile(filepath.Join("testdata", "mounts-"+name+".golden"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "? "); ok {
			if point, _, _ := strings.Cut(rest, " "); !hostHas(point) {
				continue
			}
			line = rest
		}
		want = append(want, line)
	}
	if !slices.Equal(got, want) {
		t.Errorf("mounts of %d are not those of mounts-%s.golden:\n%s\nwant\n%s", pid, name, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// hostHas: a directory of the system that is no link, or a part of /proc that
// everybody may read and that is masked therefore.
func hostHas(point string) bool {
	info, err := os.Lstat(point)
	switch {
	case err != nil:
		return false
	case strings.HasPrefix(point, "/proc/"):
		return info.Mode().Perm()&0o004 != 0
	}
	return info.Mode()&os.ModeSymlink == 0
}

// describeMount leaves out numbers and what depends on the host's own disks.
func describeMount(t *testing.T, line string, first int) string {
	t.Helper()
	f := strings.Fields(line) // proc_pid_mountinfo(5)
	dash := slices.Index(f, "-")
	if dash < 6 || len(f) < dash+4 {
		t.Fatalf("mountinfo: %q", line)
	}
	root, point, kind, super := f[3], f[4], f[dash+1], f[dash+3]
	flags := slices.DeleteFunc(strings.Split(f[5], ","), func(o string) bool { return strings.HasSuffix(o, "atime") })
	if dash != 6 {
		t.Errorf("%s takes part in propagation: %v", point, f[6:dash])
	}
	device := strings.HasPrefix(point, "/dev/") && point != "/dev/shm"
	if !slices.Contains(flags, "nosuid") || !slices.Contains(flags, "nodev") && !device {
		t.Errorf("%s is not nosuid,nodev: %s", point, f[5])
	}
	switch {
	case device:
		root, kind, super = "*", "device", ""
	case kind != "tmpfs" && kind != "proc" && kind != "overlay":
		root, kind, super = "*", "host", ""
	}
	return strings.TrimSpace(strings.Join([]string{point, root, strings.Join(flags, ","), kind, options(super, first)}, " "))
}

// options keeps what Cordon has set.
func options(super string, first int) string {
	var out []string
	for _, o := range strings.Split(super, ",") {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "size", "nr_inodes":
			o = key + "=*"
		case "uid", "gid":
			switch value {
			case fmt.Sprint(first):
				o = key + "=init"
			case fmt.Sprint(os.Getuid()), fmt.Sprint(os.Getgid()):
				o = key + "=service"
			}
		case "rw", "ro", "mode", "userxattr":
		case "lowerdir", "upperdir", "workdir":
			for i := range 10 {
				o = strings.ReplaceAll(o, fmt.Sprint("layer", i), "layer*")
			}
		default:
			continue
		}
		out = append(out, o)
	}
	return strings.Join(out, ",")
}
