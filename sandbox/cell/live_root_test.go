package cell_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"cordon/policy"
	"cordon/rootfs"
	"cordon/sandbox/cell"
)

var update = flag.Bool("update", false, "write testdata/mountinfo.golden anew")

const golden = "testdata/mountinfo.golden"

// testMounts compares all mounts of a cell with the golden list: what is not on
// it cannot be reached.
func testMounts(t *testing.T, k *kit) {
	r := k.run(t, &cell.Program{Args: []string{"/bin/cat", "/proc/self/mountinfo"}})
	got := mounts(t, r.out)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the mounts of a cell are\n%swant (%s)\n%s", got, golden, want)
	}
}

// mounts makes lines of mountinfo (proc_pid_mountinfo(5)) the same on every
// machine: mount point, root and type where the mount is ours, and the options
// that lock something. Left out are the numbers, what a machine has mounted below
// its own /usr and /proc, and system directories that only some machines have.
func mounts(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		end := slices.Index(f, "-")
		if end < 6 || len(f) < end+4 {
			t.Fatalf("mountinfo line %q", line)
		}
		root, point, kind := f[3], f[4], f[end+1]
		top, rest, _ := strings.Cut(point[1:], "/")
		if rest != "" && (top == "usr" || top == "proc") || top == "bin" || top == "sbin" || strings.HasPrefix(top, "lib") {
			continue
		}
		if point == "/usr" || point == "/dev/null" {
			root, kind = "(host)", "(host)"
		}
		locks := strings.Split(f[5], ",")
		locks = slices.DeleteFunc(locks, func(o string) bool { return !slices.Contains([]string{"ro", "rw", "nosuid", "nodev", "noexec"}, o) })
		for _, o := range f[6:end] {
			if strings.HasPrefix(o, "shared:") {
				locks = append(locks, "shared")
			}
		}
		fmt.Fprintln(&out, point, root, kind, strings.Join(locks, ","))
	}
	return out.String()
}

// plan is the real root of this machine, as the daemon makes it.
func plan(t *testing.T, writable bool) cell.Template {
	t.Helper()
	p, err := rootfs.Make(policy.Root{Kind: "host", Writable: writable},
		rootfs.Host{Base: t.TempDir(), FS: rootfs.HostFS{}, CPUs: runtime.NumCPU()}, 16<<20, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return cell.Template{Name: p.Key, Root: p.Template, Cell: p.Cell}
}

// tryScript writes to each place and tells how it went, and looks for the host.
const tryScript = `for f in /f /etc/f /usr/f /usr/local/f /var/f /dev/f /proc/f /sys/f /work/f /tmp/f /dev/shm/f; do
	if (echo x >$f) 2>/dev/null; then echo "$f yes"; else echo "$f no"; fi
done
rm -f /usr/f /usr/local/f 2>/dev/null # where a lock is missing, these are the host's
echo "home $(ls -A /home | wc -l)"
echo "shadow $(ls /etc/shadow 2>&1 | grep -c 'No such')"
echo "user $(id -un) $(id -gn)"
echo "scratch $(ls -A /.scratch /tmp/tmp /tmp/.. /work/.. 2>/dev/null | grep -cx -e shm -e layer0)"
echo "null $(cat /dev/null | wc -c)"
echo "zero $(head -c 5 /dev/zero | wc -c)"
echo "random $(head -c 5 /dev/urandom | wc -c)"
echo "name $(cat /etc/hostname)"
echo "processes $(ls -d /proc/[0-9]* | wc -l)"`

func tryRoot(t *testing.T, k *kit, writable bool) (*cell.Server, map[string]string) {
	t.Helper()
	s := start(t, plan(t, writable))
	r := begin(t, k.warm(t, s, k.open), &cell.Program{Args: []string{"/bin/sh", "-c", tryScript}}, "").end(t)
	if !r.Ended || r.Status != 0 {
		t.Fatalf("%+v", r)
	}
	return s, table(r.out, " ")
}

var everyRoot = map[string]string{"home": "0", "shadow": "1", "user": "job job", "scratch": "0", "null": "0", "zero": "5", "random": "5",
	"name": "cordon", "/work/f": "yes", "/tmp/f": "yes", "/dev/shm/f": "yes", "/proc/f": "no", "/sys/f": "no", "/dev/f": "no"}

func testHostRoot(t *testing.T, k *kit) {
	_, got := tryRoot(t, k, false)
	compare(t, got, everyRoot)
	compare(t, got, map[string]string{"/f": "no", "/etc/f": "no", "/usr/f": "no", "/usr/local/f": "no", "/var/f": "no"})
	if got["processes"] != "4" && got["processes"] != "5" { // init, the shell, its subshell, ls and wc
		t.Errorf("%s processes can be seen", got["processes"])
	}
}

// A writable root takes what the job writes, and the next cell has none of it.
func testWritableRoot(t *testing.T, k *kit) {
	s, got := tryRoot(t, k, true)
	compare(t, got, everyRoot)
	compare(t, got, map[string]string{"/etc/f": "yes", "/usr/local/f": "yes", "/var/f": "yes"})
	r := begin(t, k.warm(t, s, k.open), &cell.Program{Args: []string{"/bin/sh", "-c",
		"ls -d /f /etc/f /var/f /work/f /tmp/f /dev/shm/f 2>/dev/null; rm /etc/hostname && ls /etc/hostname"}}, "").end(t)
	if r.out != "" || !strings.Contains(r.errs, "No such file") {
		t.Errorf("the next cell: %+v", r)
	}
}
