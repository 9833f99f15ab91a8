package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cordon/policy"
	"cordon/rootfs"
)

// staticRoot is a directory tree with one static program, /hello, that needs
// nothing else.
func staticRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(t.TempDir(), "hello.c")
	text := `#include <stdio.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
int main(int argc, char **argv)
{
	printf("hello");
	for (int i = 1; i < argc; i++)
		printf(" %s:%s", argv[i], open(argv[i], O_WRONLY | O_CREAT, 0600) < 0 ? strerror(errno) : "made");
	printf("\n");
	return 0;
}
`
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-static", "-O1", "-o", filepath.Join(root, "hello"), source).CombinedOutput(); err != nil {
		t.Fatalf("gcc, which the program itself is built with: %v\n%s", err, out)
	}
	return root
}

func TestDirsRoot(t *testing.T) {
	l := newLab(t)
	root := staticRoot(t)
	over := t.TempDir()
	for _, d := range []string{over, filepath.Join(root, "data")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	job := &Job{Policy: "dev", Command: []string{"/hello", "/x", "/data/x", "/hello", "/work/x", "/tmp/x", "/dev/shm/x", "/etc/passwd"}, RootDirs: []string{over, root}}
	want := "hello /x:Read-only file system /data/x:Read-only file system /hello:Text file busy" +
		" /work/x:made /tmp/x:made /dev/shm/x:made /etc/passwd:Read-only file system\n"
	if got := l.output(t, job); strings.ReplaceAll(got, "/hello:Read-only file system", "/hello:Text file busy") != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	for _, d := range []string{root, over, filepath.Join(root, "data")} {
		if _, err := os.Lstat(filepath.Join(d, "x")); err == nil {
			t.Errorf("%s has been written to", d)
		}
	}
	// Nothing of the host is there, not even a shell.
	if r := l.run(t, &Job{Policy: "dev", Command: []string{"/bin/sh"}, RootDirs: []string{root}}); r.Verdict != ExecFailed {
		t.Errorf("a shell in a root without one: %s", r.Verdict)
	}
}

func TestWritableRoot(t *testing.T) {
	l := newLab(t)
	job := shell("cat /etc/mark /usr/local/mark /opt/mark 2>/dev/null; for f in /etc/mark /usr/local/mark /opt/mark; do echo $f > $f || exit 1; done; cat /etc/mark /usr/local/mark /opt/mark")
	job.Policy, job.WritableRoot = "dev", true
	for range 2 { // fresh each time: the second sees nothing of the first
		if got, want := l.output(t, job), "/etc/mark\n/usr/local/mark\n/opt/mark\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	job.WritableRoot = false
	if r := l.run(t, job); r.Verdict != Nonzero || !strings.Contains(string(r.Stderr), "Read-only file system") {
		t.Errorf("a root that is not writable: %s, %s", r.Verdict, r.Stderr)
	}
}

// The layers of a writable root are ours: they do not make a small limit
// impossible.
func TestWritableRootWithFewFiles(t *testing.T) {
	l := newLab(t)
	job := shell("echo > /etc/mark; echo > a; echo > b")
	job.Policy, job.WritableRoot = "dev", true
	job.Limits = policy.LimitRequest{DiskFiles: ptr[int64](16), DiskBytes: ptr[int64](64 << 10)}
	l.output(t, job)
}

func TestFixedSurroundings(t *testing.T) {
	l := newLab(t)
	for script, want := range map[string]string{
		"pwd":                 "/work",
		"id -u; id -g; id -G": "1000\n1000\n1000",
		"uname -n":            "cordon",
		"ls -A /home; ls /root 2>&1 | grep -c denied": "1",
		"echo $HOME $USER $TMPDIR":                    "/work job /tmp",
		"ls /proc/self/fd | wc -l":                    "4", // 0, 1, 2 and ls's own
		"grep -E 'NoNewPrivs|Seccomp:|CapEff|CapPrm|CapBnd|CapAmb' /proc/self/status | tr -d '\\t' | tr '\\n' ' '": "CapPrm:0000000000000000 CapEff:0000000000000000 CapBnd:0000000000000000 CapAmb:0000000000000000 NoNewPrivs:1 Seccomp:2",
		"umask": "0022",
	} {
		if got := strings.TrimSpace(l.output(t, shell(script+"; true"))); got != want {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
}

// Two jobs that run at the same time: other ids, other files, other processes.
func TestJobsDoNotSeeEachOther(t *testing.T) {
	l := newLab(t)
	const n = 3
	var ids []int
	type running struct {
		in     *os.File
		done   chan *Result
		output *signal
	}
	var jobs []running
	for i := range n {
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		job := shell(fmt.Sprintf("for d in /work /tmp /dev/shm; do ls -A $d; echo > $d/mark%d; done; sleep 1000 & echo ready; read x; "+
			"for d in /work /tmp /dev/shm; do ls -A $d; done; set -- /proc/[0-9]*; echo $#; cat /proc/self/uid_map", i))
		job.StdinFile = in
		r := running{out, make(chan *Result, 1), newSignal()}
		job.Stdout = r.output
		go func() {
			result, err := l.Run(context.Background(), job)
			if err != nil {
				t.Error(err)
			}
			r.done <- result
		}()
		jobs = append(jobs, r)
	}
	for _, r := range jobs {
		r.output.wait(t)
	}
	for i, r := range jobs {
		if _, err := r.in.WriteString("go on\n"); err != nil {
			t.Fatal(err)
		}
		r.in.Close()
		result := <-r.done
		if result == nil || result.Verdict != OK {
			t.Fatalf("%+v", result)
		}
		mark := fmt.Sprintf("mark%d\n", i)
		// init, the shell and its sleep.
		text, found := strings.CutPrefix(string(result.Stdout), "ready\n"+mark+mark+mark+"3\n")
		if !found {
			t.Errorf("job %d: %q", i, result.Stdout)
			continue
		}
		for line := range strings.Lines(text) {
			f := strings.Fields(line) // inside, in the daemon's namespace, length
			id, err := strconv.Atoi(f[1])
			if err != nil || f[2] != "1" || id == 0 {
				t.Errorf("id map %q: never the service user, one id at a time", text)
			}
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 2*n {
		t.Errorf("ids of %d jobs at once: %v", n, ids)
	}
}

// rooted gives every job this root.
type rooted struct {
	Policies
	root policy.Root
}

// Resolve puts the root in.
func (r rooted) Resolve(name string, q policy.Request) (*policy.Grant, error) {
	g, err := r.Policies.Resolve(name, q)
	if err == nil {
		g.Root = r.root
	}
	return g, err
}

// Directories that a policy adds to the host's root, also such as lie in another
// or are shown anyway. They are those that every Linux has.
func TestHostRootWithMore(t *testing.T) {
	for name, dirs := range map[string][]string{
		"one": {"/var/lib"}, "inner last": {"/var", "/var/lib"}, "inner first": {"/var/lib", "/var"},
		"below a system directory": {"/usr/share", "/var/lib"}, "by the name of a link": {"/usr/bin", "/bin", "/var/lib"},
		"a file": {"/usr/bin/env", "/etc/mtab", "/var/lib"},
	} {
		for _, writable := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " writable ", writable), func(t *testing.T) {
				l := newLab(t, func(c *Config) {
					c.Policies = rooted{c.Policies, policy.Root{Kind: policy.RootHost, Dirs: dirs, Writable: writable}}
				})
				job := shell("test -d /var/lib && test -n \"$(ls /var/lib)\" && ls /usr/share > /dev/null && env true && echo > /work/x")
				if below := mountedBelow(t, dirs); writable && below != "" { // as on a host where containers run
					if _, err := l.Run(t.Context(), job); err == nil || !strings.Contains(err.Error(), below) {
						t.Fatalf("%v: %s is not named", err, below)
					}
					return
				}
				l.output(t, job)
			})
		}
	}
}

// mountedBelow is a mount below one of these directories; "": there is none.
func mountedBelow(t *testing.T, dirs []string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		below, err := rootfs.MountBelow(dir, text)
		if err != nil {
			t.Fatal(err)
		}
		if below != "" {
			return below
		}
	}
	return ""
}

// An empty input is the host's device, of which a job can change nothing: not even the
// times, which any user may set who may write to it.
func TestEmptyInputCannotBeTouched(t *testing.T) {
	const probe = `utime(undef, undef, *STDIN) ? print "changed" : print "$!"`
	cmd := exec.Command("perl", "-e", probe) // the control: with the device itself as input
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd.Stdin = null
	if out, err := cmd.Output(); err != nil || string(out) != "changed" {
		t.Fatalf("outside: %q, %v", out, err)
	}
	job := shell("exec perl -e '" + probe + "'")
	if got := newLab(t).output(t, job); got != "Read-only file system" {
		t.Errorf("%q", got)
	}
}
