package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/testkit"
)

// rootProgram tells of the root that it lies in: every mount, whether what jobs
// always have is ours, and whether what the tree holds leads out of it.
const rootProgram = `#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
static void say(const char *what, int result) { printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "ok"); }
int main(int argc, char **argv)
{
	const char *made[] = {"/work/x", "/tmp/x", "/dev/shm/x", "/run/x", "/etc/x", "/var/x"};
	struct sockaddr_un socket_address = {.sun_family = AF_UNIX, .sun_path = "/data/socket"};
	char line[4096];
	struct stat st;
	FILE *mounts = fopen("/proc/self/mountinfo", "r");
	while (mounts && fgets(line, sizeof line, mounts))
		printf("mount %s", line);
	if (stat("/dev/null", &st) == 0)
		printf("null %d %u %u\n", S_ISCHR(st.st_mode) != 0, major(st.st_rdev), minor(st.st_rdev));
	for (unsigned i = 0; i < sizeof made / sizeof *made; i++)
		say(made[i], open(made[i], O_WRONLY | O_CREAT, 0600));
	if (argc > 1) {
		say("outside", open(argv[1], O_RDONLY));
		say("linked", open("/data/link", O_RDONLY));
		say("connect", connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&socket_address, sizeof socket_address));
		say("fifo", open("/data/fifo", O_WRONLY | O_NONBLOCK));
	}
	return 0;
}
`

// TestHostileRoots runs jobs in directory trees that hold links, files and FIFOs
// where Cordon puts what is its own. Each cell has the same mounts as one in a plain
// tree, and nothing is made or changed where the links lead.
func TestHostileRoots(t *testing.T) {
	outside, program := t.TempDir(), filepath.Join(t.TempDir(), "look")
	try(t, os.WriteFile(program+".c", []byte("#define _GNU_SOURCE\n"+rootProgram), 0o600))
	if out, err := exec.CommandContext(t.Context(), "gcc", "-static", "-O1", "-o", program, program+".c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	marker := filepath.Join(outside, "marker")
	try(t, os.WriteFile(marker, []byte("untouched"), 0o666))
	try(t, os.Mkdir(filepath.Join(outside, "null"), 0o777))
	d := testkit.StartDaemon(t, "--languages", "sh", "--warm", "0")
	s := newService(d.URL, d.Token)
	want := lookFrom(t, s, plainTree(t, program), "")
	if !strings.Contains(want, "null 1 1 3\n") || !strings.Contains(want, "/work/x ok\n") || !strings.Contains(want, "/etc/x EROFS\n") {
		t.Fatalf("in a plain tree: %s", want)
	}
	before := listing(t, outside)
	for name, make := range hostile(outside, marker) {
		t.Run(name, func(t *testing.T) {
			root := plainTree(t, program)
			for _, place := range []string{"dev", "proc", "sys", "work", "tmp", "run", "etc", "var", "home", "root", ".scratch", ".mask", ".lower"} {
				try(t, make(filepath.Join(root, place)))
			}
			tree := listing(t, root)
			for _, more := range []object{{}, {"writable_root": true}} {
				got := lookFrom(t, s, root, marker, more)
				if len(more) == 0 && got != want+"outside ENOENT\nlinked ENOENT\nconnect ENOENT\nfifo ENOENT\n" {
					t.Errorf("the cell is another than in a plain tree:\n%swant\n%s", got, want)
				}
				if !strings.Contains(got, "null 1 1 3\n") || !strings.Contains(got, "outside ENOENT\n") {
					t.Errorf("%v: %s", more, got)
				}
			}
			if now := listing(t, root); now != tree {
				t.Errorf("the tree was\n%sand is\n%s", tree, now)
			}
		})
	}
	if after := listing(t, outside); after != before {
		t.Errorf("what the links lead to was\n%sand is\n%s", before, after)
	}
	// The control: who makes a directory or a file through such a link makes it there.
	link := filepath.Join(t.TempDir(), "dev")
	try(t, os.Symlink(outside, link))
	try(t, os.WriteFile(filepath.Join(link, "zero"), nil, 0o600))
	if listing(t, outside) == before {
		t.Error("control: this test does not see a file that was made through a link")
	}
	t.Run("doors", func(t *testing.T) { doors(t, s, plainTree(t, program), marker) })
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hostile are the ways to have something else where a directory is expected.
func hostile(outside, marker string) map[string]func(string) error {
	return map[string]func(string) error{
		"links out":          func(p string) error { return os.Symlink(outside, p) },
		"relative links out": func(p string) error { return os.Symlink("../../../../../../../.."+outside, p) },
		"dangling links":     func(p string) error { return os.Symlink(filepath.Join(outside, "not-there", filepath.Base(p)), p) },
		"links to files":     func(p string) error { return os.Symlink(marker, p) },
		"magic links":        func(p string) error { return os.Symlink("/proc/self/root"+outside, p) },
		"files":              func(p string) error { return os.WriteFile(p, []byte("x"), 0o666) },
		"FIFOs":              func(p string) error { return unix.Mkfifo(p, 0o666) },
		"full directories": func(p string) error {
			for _, inner := range []string{"null", "zero", "shm", "file", "dir", "passwd", "self"} {
				if err := os.MkdirAll(p, 0o777); err != nil {
					return err
				}
				if err := os.Symlink(marker, filepath.Join(p, inner)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// plainTree has the program and an empty directory.
func plainTree(t *testing.T, program string) string {
	t.Helper()
	root := t.TempDir()
	text, err := os.ReadFile(program)
	try(t, err)
	try(t, os.WriteFile(filepath.Join(root, "look"), text, 0o755))
	try(t, os.Mkdir(filepath.Join(root, "data"), 0o755))
	try(t, os.Chmod(root, 0o755))
	return root
}

// lookFrom runs the program in a root. Of a mount it keeps what is the same for
// every root: its place, its options and the type.
func lookFrom(t *testing.T, s *service, root, marker string, more ...object) string {
	t.Helper()
	job := object{"policy": "dev", "command": []string{"/look"}, "root_dirs": []string{root}}
	if marker != "" {
		job["command"] = []string{"/look", marker}
	}
	for _, o := range more {
		for k, v := range o {
			job[k] = v
		}
	}
	r := s.run(t, job)
	r.want(t, "ok")
	var out strings.Builder
	for line := range strings.Lines(r.out(t)) {
		if f := strings.Fields(line); f[0] == "mount" {
			dash := slices.Index(f, "-")
			line = fmt.Sprintln("mount", f[4], f[5], f[6], f[dash+1])
		}
		out.WriteString(line)
	}
	return out.String()
}

// listing is all there is below a directory, with everything that a change leaves a
// trace in.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(name, &st)
		}
		fmt.Fprintln(&out, name, st.Ino, st.Mode, st.Uid, st.Gid, st.Nlink, st.Size, st.Mtim, st.Ctim)
		return err
	})
	try(t, err)
	return out.String()
}

// doors: a socket and a FIFO of the host that a tree holds lead nowhere from inside,
// and neither does a link. Outside all of them do.
func doors(t *testing.T, s *service, root, marker string) {
	data := filepath.Join(root, "data")
	t.Chdir(data) // a socket's name is short
	l, err := net.Listen("unix", "socket")
	try(t, err)
	defer l.Close()
	try(t, unix.Mkfifo("fifo", 0o666))
	reader, err := os.OpenFile("fifo", os.O_RDONLY|unix.O_NONBLOCK, 0)
	try(t, err)
	defer reader.Close()
	try(t, os.Symlink(marker, "link"))
	for _, name := range []string{"socket", "fifo"} {
		try(t, os.Chmod(name, 0o777))
	}
	for _, more := range []object{{}, {"writable_root": true}} {
		if got := lookFrom(t, s, root, marker, more); !strings.HasSuffix(got, "outside ENOENT\nlinked ENOENT\nconnect ECONNREFUSED\nfifo ENXIO\n") {
			t.Errorf("%v: %s", more, got)
		}
	}
	if c, err := net.Dial("unix", "socket"); err != nil {
		t.Errorf("control: %v", err)
	} else {
		c.Close()
	}
	for name, flags := range map[string]int{"fifo": os.O_WRONLY | unix.O_NONBLOCK, "link": os.O_RDONLY} {
		if f, err := os.OpenFile(name, flags, 0); err != nil {
			t.Errorf("control: %v", err)
		} else {
			f.Close()
		}
	}
}
