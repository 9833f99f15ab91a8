package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// machine is a directory that plays the machine. Its programs do to the files
// what the real ones do, and everything is written down.
type machine struct {
	t        *testing.T
	root     string
	commands []string
	fail     string // a command that begins so fails
	handover fakeHandover
}

const basePasswd = "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\n"

// newMachine is a plain machine where cordon was never set up.
func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir()}
	for _, d := range []string{"run", "var/lib", "usr/local/bin", "etc/systemd/system", "etc/apparmor.d", "proc/sys/kernel"} {
		if err := os.MkdirAll(filepath.Join(m.root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.put("etc/passwd", basePasswd)
	m.put("etc/subuid", "alice:100000:65536\n")
	m.put("etc/subgid", "alice:100000:65536\n")
	return m
}

func (m *machine) put(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) get(name string) string {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.root, name))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

func (m *machine) has(name string) bool {
	_, err := os.Stat(filepath.Join(m.root, name))
	return err == nil
}

// user writes a user who may own files here: this test's own ids.
func (m *machine) user(name, home string) string {
	return fmt.Sprintf("%s:x:%d:%d:Cordon:%s:/usr/sbin/nologin\n", name, os.Getuid(), os.Getgid(), home)
}

// command plays useradd, userdel, usermod, systemctl and apparmor_parser.
func (m *machine) command(name string, args ...string) error {
	line := strings.Join(append([]string{name}, args...), " ")
	m.commands = append(m.commands, line)
	if m.fail != "" && strings.HasPrefix(line, m.fail) {
		return fmt.Errorf("%s: exit status 1", line)
	}
	user := args[len(args)-1]
	switch name {
	case "useradd":
		m.put("etc/passwd", m.get("etc/passwd")+m.user(user, args[slices.Index(args, "--home-dir")+1]))
	case "userdel":
		if !strings.Contains(m.get("etc/passwd"), "\n"+user+":") {
			return fmt.Errorf("userdel: user '%s' does not exist", user)
		}
		for _, file := range []string{"etc/passwd", "etc/subuid", "etc/subgid"} {
			m.drop(file, user+":")
		}
	case "usermod":
		return m.usermod(args[:len(args)-1], user)
	}
	return nil
}

func (m *machine) usermod(args []string, user string) error {
	files := map[string]string{"subuids": "etc/subuid", "subgids": "etc/subgid"}
	for i := 0; i+1 < len(args); i += 2 {
		_, what, _ := strings.Cut(strings.TrimPrefix(args[i], "--"), "-")
		var first, last uint64
		if _, err := fmt.Sscanf(args[i+1], "%d-%d", &first, &last); err != nil {
			return err
		}
		line := fmt.Sprintf("%s:%d:%d\n", user, first, last-first+1)
		switch file := files[what]; {
		case strings.HasPrefix(args[i], "--add"):
			m.put(file, m.get(file)+line)
		default: // a range that is not there is no error
			m.drop(file, line)
		}
	}
	return nil
}

// drop takes away the lines that begin so.
func (m *machine) drop(file, begin string) {
	var kept strings.Builder
	for line := range strings.Lines(m.get(file)) {
		if !strings.HasPrefix(line, begin) {
			kept.WriteString(line)
		}
	}
	m.put(file, kept.String())
}

// fakeHandover is a machine's cgroup.
type fakeHandover struct {
	managed bool
	owner   int // 0: not made
	calls   []string
	fail    error
}

func (f *fakeHandover) String() string    { return "/fake/cordon" }
func (f *fakeHandover) Managed() bool     { return f.managed }
func (f *fakeHandover) Done(uid int) bool { return f.owner != 0 && f.owner == uid }
func (f *fakeHandover) Left(uid int) bool { return f.Done(uid) }

func (f *fakeHandover) Do(uid, gid int) error {
	f.calls = append(f.calls, fmt.Sprintf("do %d %d", uid, gid))
	if f.fail == nil {
		f.owner = uid
	}
	return f.fail
}

func (f *fakeHandover) Undo() error {
	f.calls = append(f.calls, "undo")
	if f.fail == nil {
		f.owner = 0
	}
	return f.fail
}

func (f *fakeHandover) Enter(int, int) error { return errors.New("not in these tests") }

// setup runs cordon setup there and returns what it told.
func (m *machine) setup(o Options) (string, error) {
	m.t.Helper()
	if os.Geteuid() == 0 {
		m.t.Fatal("as root a mistake here would change this machine: run the tests as an ordinary user, with go test -exec test/as-service-user")
	}
	if o.User == "" {
		o.User = ServiceUser
	}
	var out bytes.Buffer
	o.Out = &out
	o.Host = Host{Root: m.root, Fake: true, Command: m.command, Handover: &m.handover}
	m.commands, m.handover.calls = nil, nil
	err := Run(o)
	return out.String(), err
}

// must is setup where it has to work.
func (m *machine) must(o Options) string {
	m.t.Helper()
	out, err := m.setup(o)
	if err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// tree is every file with its mode and text, but for the lock.
func (m *machine) tree() map[string]string {
	m.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(m.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() == "cordon-setup.lock" {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + string(content)
		}
		out[strings.TrimPrefix(path, m.root)] = text
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// unchanged compares two trees by name.
func unchanged(t *testing.T, before, after map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if got, ok := after[name]; !ok {
			t.Errorf("%s is gone", name)
		} else if got != before[name] {
			t.Errorf("%s was %.80q and is %.80q", name, before[name], got)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[name]; !ok {
			t.Errorf("%s is new", name)
		}
	}
}

// locked: nobody else could run setup now.
func (m *machine) locked() bool {
	f, err := os.Open(filepath.Join(m.root, "run/cordon-setup.lock"))
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK
}
