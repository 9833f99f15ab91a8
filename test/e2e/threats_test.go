package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/testkit"
)

// TestThreats has what docs/threat-model.md promises and no other suite tries:
// what a job finds when many are started at once, in /proc and /dev, in the
// objects of the kernel that have no files, and in its account.
func TestThreats(t *testing.T) {
	before := programHash(t)
	// The service is started as by a shell that has a descriptor too many.
	passed, err := unix.Dup(2)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(passed)
	d := testkit.StartDaemon(t, "--languages", "sh", "--parallel", "64")
	s := newService(d.URL, d.Token)
	t.Run("many_at_once", func(t *testing.T) { manyAtOnce(t, d, s) })
	t.Run("many_starts", func(t *testing.T) { manyStarts(t, s) })
	t.Run("fields", func(t *testing.T) { unknownFields(t, s) })
	t.Run("surroundings", func(t *testing.T) { surroundings(t, s) })
	t.Run("names_of_the_service", func(t *testing.T) { namesOfTheService(t, s) })
	t.Run("objects_without_files", func(t *testing.T) { objectsWithoutFiles(t, d, s) })
	t.Run("fresh_account", func(t *testing.T) { freshAccount(t, s) })
	if programHash(t) != before {
		t.Error("the program that the jobs were run by has changed on disk")
	}
}

func programHash(t *testing.T) [sha256.Size]byte {
	t.Helper()
	text, err := os.ReadFile(testkit.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(text)
}

// manyAtOnce runs jobs that are all there at one time: each has only its three
// descriptors, and ids that no other one has. The daemon, which starts and ends
// others meanwhile, holds nothing that an exec would pass on.
func manyAtOnce(t *testing.T, d *testkit.Daemon, s *service) {
	jobs, stay := 64, "5"
	if os.Getenv(slowVar) != "" {
		t.Logf("%s is set: 8 jobs instead of 64", slowVar)
		jobs, stay = 8, "20"
	}
	job := object{"command": shell("echo /proc/self/fd/*; cat /proc/self/uid_map; sleep " + stay), "limits": object{"wall_ms": 300_000}}
	results := make([]*result, jobs)
	var wait sync.WaitGroup
	for i := range jobs {
		wait.Go(func() { results[i] = s.run(t, job) })
	}
	for most, began := 0.0, time.Now(); most < float64(jobs); most = max(most, running(t, s)) {
		if time.Since(began) > 2*time.Minute {
			t.Errorf("at most %v of %d jobs at once", most, jobs)
			break
		}
	}
	closedOnExec(t, d)
	releaseQuietly(t, d)
	wait.Wait()
	owner := map[string]int{}
	for i, r := range results {
		fds, ids, _ := strings.Cut(r.out(t), "\n")
		// The last is the directory that the shell reads.
		if r.Verdict != "ok" || fds != "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3" {
			t.Errorf("job %d: %s", i, r)
		}
		f := strings.Fields(ids) // two lines: inside, in the daemon's namespace, length
		if len(f) != 6 {
			t.Fatalf("job %d has the id map %q", i, ids)
		}
		for _, id := range []string{f[1], f[4]} {
			if other, taken := owner[id]; taken || id == "0" {
				t.Errorf("jobs %d and %d had the id %s at one time", other, i, id)
			}
			owner[id] = i
		}
	}
}

// closedOnExec looks at every descriptor of the daemon that is no standard stream.
func closedOnExec(t *testing.T, d *testkit.Daemon) {
	t.Helper()
	daemon := testkit.Descendants(t, d.Pid)[2].Pid // behind RootlessKit's two
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", daemon))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range infos {
		if n, _ := strconv.Atoi(filepath.Base(name)); n < 3 {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			continue // closed meanwhile
		}
		_, rest, _ := strings.Cut(string(text), "flags:")
		flags, err := strconv.ParseUint(strings.Fields(rest + " x")[0], 8, 64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if seen++; flags&unix.O_CLOEXEC == 0 {
			to, _ := os.Readlink(strings.Replace(name, "fdinfo", "fd", 1))
			t.Errorf("%s (%s) would be passed on by an exec: %s", name, to, text)
		}
	}
	if seen < 20 {
		t.Errorf("only %d descriptors of the daemon could be seen", seen)
	}
}

// releaseQuietly: no group of a cell has a program called when it is empty
// (cgroup v1, release_agent).
func releaseQuietly(t *testing.T, d *testkit.Daemon) {
	t.Helper()
	groups := testkit.Groups(t, testkit.Descendants(t, d.Pid))
	for _, dir := range groups {
		text, err := os.ReadFile(filepath.Join(dir, "notify_on_release")) // v2 has none
		if err == nil && strings.TrimSpace(string(text)) != "0" || err != nil && !os.IsNotExist(err) {
			t.Errorf("%s: notify_on_release is %q, %v", dir, text, err)
		}
	}
	if len(groups) == 0 {
		t.Error("no groups are seen while jobs run")
	}
}

// manyStarts starts a thousand jobs, as many at a time as the service takes, while
// the service opens files for all of them. The same command outside tells of a
// descriptor that was passed on.
func manyStarts(t *testing.T, s *service) {
	starts, callers := 1024, 64
	if os.Getenv(slowVar) != "" {
		t.Logf("%s is set: 40 starts instead of 1024", slowVar)
		starts, callers = 40, 8
	}
	if out, err := exec.CommandContext(t.Context(), "ls", "/proc/self/fd").Output(); err != nil || len(strings.Fields(string(out))) < 5 {
		t.Errorf("control: with a descriptor passed on there are %q, %v", out, err) // by TestThreats
	}
	job := object{"command": []string{"ls", "/proc/self/fd"}, "stdin": "x", "files": []object{{"path": "a", "content": "x"}}, "outputs": []string{"a"}}
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for range starts / callers {
				if r := s.run(t, job); r.Verdict != "ok" || r.out(t) != "0\n1\n2\n3\n" { // 3 is what ls reads
					t.Errorf("descriptors of a job: %s", r)
				}
			}
		})
	}
	wait.Wait()
}

// unknownFields: what would move a wall, or send the service somewhere, cannot even
// be asked for. Without the field the request runs.
func unknownFields(t *testing.T, s *service) {
	for _, field := range []string{"", `"cwd":"/proc/self/fd/7"`, `"mounts":[{"type":"proc","target":"/x"}]`, `"user":"0"`, `"groups":[0]`,
		`"callback_url":"http://127.0.0.1/"`, `"image":"debian"`, `"archive":"x.tar"`, `"devices":["/dev/kvm"]`, `"network":"host"`, `"privileged":true`} {
		body := strings.TrimSuffix(`{"command":["true"],`+field, ",") + "}"
		status, header, answer := s.send(t, http.MethodPost, "/v1/run", s.token, []byte(body))
		name, _, _ := strings.Cut(strings.Trim(field, `"`), `"`)
		switch {
		case field == "":
			if status != http.StatusOK {
				t.Errorf("without a further field: %d %s", status, answer)
			}
		case status < 400 || status >= 500 || !strings.Contains(string(answer), name):
			t.Errorf("%s: %d %s; want a 4xx that names it", field, status, answer)
		default:
			checkProblem(t, status, header, answer)
		}
	}
}

// readable are the entries of /proc, besides the processes', that a job may find
// with something in them: SECURITY.md says what they tell. A kernel that has more
// needs a decision: to cover it (rootfs/cell.go), or to put it here.
var readable = strings.Fields(`buddyinfo bus cpuinfo crypto dma execdomains fb filesystems fs iomem ioports loadavg locks mdstat meminfo mounts mtrr
	net pagetypeinfo pressure schedstat self softirqs stat swaps sys sysvipc thread-self tty uptime version vmstat zoneinfo`)

// surroundings: /dev and /proc hold what is known, and no socket can be reached by
// a path. Outside there is more of each.
func surroundings(t *testing.T, s *service) {
	const look = `echo dev $(ls -A /dev); echo sockets $(find / -xdev -type s 2>/dev/null | head -n 5)
cd /proc; for f in *; do case $f in [0-9]*) continue;; esac
if [ -d "$f" ]; then [ -z "$(ls -A "$f" 2>/dev/null)" ] || echo "proc $f"; elif [ -n "$(head -c 1 "$f" 2>/dev/null | tr '\000' x)" ]; then echo "proc $f"; fi; done`
	r := s.run(t, object{"command": shell(look), "limits": object{"cpu_ms": 30_000, "wall_ms": 120_000}})
	r.want(t, "ok")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", look).Output()
	if err != nil {
		t.Fatal(err)
	}
	inside, outside := strings.Split(strings.TrimSpace(r.out(t)), "\n"), string(out)
	if want := "dev fd full null random shm stderr stdin stdout urandom zero"; inside[0] != want {
		t.Errorf("%q, want %q", inside[0], want)
	}
	if inside[1] != "sockets" {
		t.Errorf("a job reaches %s", inside[1])
	}
	for _, line := range inside[2:] {
		if name, ok := strings.CutPrefix(line, "proc "); !ok || !slices.Contains(readable, name) {
			t.Errorf("/%s can be read by jobs, and nobody has decided that it may", line)
		}
	}
	if len(inside) < 12 || strings.Contains(outside, inside[0]+"\n") || strings.Count(outside, "\nproc ") <= len(inside)-2 {
		t.Errorf("this shows nothing: inside %q, outside %q", inside, outside)
	}
}

// namesOfTheService: the abstract socket by which the service claims its ids
// (docs/adr/0006) can be connected to on the host, but not from a cell.
func namesOfTheService(t *testing.T, s *service) {
	text, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	_, name, found := strings.Cut(string(text), fmt.Sprintf("@cordon-ids-%d-", os.Getuid()))
	if !found {
		t.Fatalf("no claim is seen:\n%s", text)
	}
	name = fmt.Sprintf("cordon-ids-%d-%s", os.Getuid(), strings.Fields(name)[0])
	c, err := net.Dial("unixpacket", "@"+name)
	if err != nil {
		t.Fatalf("control: %v", err)
	}
	c.Close()
	program := `use Socket; socket(S, AF_UNIX, SOCK_SEQPACKET, 0) or die $!; print connect(S, pack_sockaddr_un("\0" . $ARGV[0])) ? "ok" : $!`
	if r := s.run(t, object{"command": []string{"perl", "-e", program, name}}); r.Verdict != "ok" || r.out(t) != "Connection refused" {
		t.Errorf("a job connects to @%s: %s", name, r)
	}
}

// objectsWithoutFiles: what System V IPC keeps under a number is the cell's own,
// for a job at the same time and for the next one. Only the policy ci has the calls.
func objectsWithoutFiles(t *testing.T, d *testkit.Daemon, s *service) {
	const look = `print join(" ", map { defined $_ ? "found" : "none" } shmget(4242, 0, 0), msgget(4242, 0), semget(4242, 0, 0)), "\n";`
	const leave = `sub IPC_CREAT { 512 } defined shmget(4242, 4096, IPC_CREAT|0666) && defined msgget(4242, IPC_CREAT|0666) && defined semget(4242, 1, IPC_CREAT|0666) or die $!;`
	perl := func(program string) object {
		return object{"policy": "ci", "command": []string{"perl", "-e", program}, "limits": object{"wall_ms": 120_000}}
	}
	stay := "3"
	if os.Getenv(slowVar) != "" {
		stay = "10"
	}
	first := start(t, d, s, perl(leave+look+"sleep "+stay+";"+look))
	second := s.run(t, perl(look))
	r, ok := <-first
	if !ok || r.Verdict != "ok" || r.out(t) != strings.Repeat("found found found\n", 2) {
		t.Errorf("control: the job itself does not find what it made: %s", r.step)
	}
	third := s.run(t, perl(look))
	for when, r := range map[string]*result{"at the same time": second, "afterwards": third} {
		if r.Verdict != "ok" || r.out(t) != "none none none\n" {
			t.Errorf("another job, %s: %s", when, r)
		}
	}
}

// freshAccount: the counters of one job are not where the next one's begin.
func freshAccount(t *testing.T, s *service) {
	heavy := s.run(t, object{"command": []string{"perl", "-e", `$x = "x" x 100_000_000; 1 while ++$i < 3_000_000`}, "limits": object{"memory_bytes": 256 << 20}})
	heavy.want(t, "ok")
	if heavy.Usage.MemoryPeakBytes < 100_000_000 || heavy.Usage.CPUNanos < 50_000_000 {
		t.Errorf("control: it has used little: %s", heavy)
	}
	for range 5 {
		r := s.run(t, object{"command": []string{"true"}, "limits": object{"memory_bytes": 256 << 20}})
		r.want(t, "ok")
		if r.Usage.MemoryPeakBytes > heavy.Usage.MemoryPeakBytes/2 || r.Usage.CPUNanos > heavy.Usage.CPUNanos/2 {
			text, _ := json.Marshal(r.Usage)
			t.Errorf("true, behind a job that used much: %s", text)
		}
	}
}
