package rooms

import (
	"fmt"
	"go/ast"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// calls are all calls of functions of other packages, by the package's own path.
func calls(s source, tell func(pkg, name string, call *ast.CallExpr)) {
	names := map[string]string{}
	for _, i := range s.file.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		name := p[strings.LastIndexByte(p, '/')+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = p
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] != "" {
				tell(names[x.Name], sel.Sel.Name, call)
			}
		}
		return true
	})
}

// words are the identifiers and the texts in an expression.
func words(e ast.Node) (out []string) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			out = append(out, n.Name)
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil {
				out = append(out, text)
			}
		}
		return true
	})
	return out
}

// opening are the calls that give a descriptor, and take a flag by which an exec
// closes it. What package os opens has it always.
var opening = map[string]string{"Open": "O_CLOEXEC", "Openat": "O_CLOEXEC", "Pipe2": "O_CLOEXEC", "Socket": "SOCK_CLOEXEC", "Socketpair": "SOCK_CLOEXEC",
	"MemfdCreate": "MFD_CLOEXEC", "Eventfd": "EFD_CLOEXEC", "EpollCreate1": "EPOLL_CLOEXEC", "InotifyInit1": "IN_CLOEXEC", "Fspick": "FSPICK_CLOEXEC",
	"OpenTree": "OPEN_TREE_CLOEXEC", "Fsopen": "FSOPEN_CLOEXEC", "Fsmount": "FSMOUNT_CLOEXEC"}

// open are those that cannot take one.
var open = []string{"Pipe", "Dup", "Dup2", "EpollCreate", "InotifyInit", "Creat", "Accept"}

// broken are the places where a source does what docs/threat-model.md says that
// none does.
func broken(s source) (out []string) {
	tell := func(n ast.Node, format string, args ...any) {
		out = append(out, s.set.Position(n.Pos()).String()+": "+fmt.Sprintf(format, args...))
	}
	for _, i := range s.imports {
		if in(i, "archive", "compress") && s.room != "image" {
			tell(s.file, "imports %s: only images are unpacked, in their room", i)
		}
	}
	calls(s, func(pkg, name string, call *ast.CallExpr) {
		all := words(call)
		system := pkg == "golang.org/x/sys/unix" || pkg == "syscall"
		flag, opens := opening[name]
		switch {
		case pkg == "os/exec" && slices.ContainsFunc(all, func(w string) bool { return w == "-c" || shells[filepath.Base(w)] }):
			tell(call, "a shell is started")
		case system && opens && !slices.Contains(all, flag), system && slices.Contains(open, name),
			system && name == "FcntlInt" && slices.Contains(all, "F_DUPFD"):
			tell(call, "%s without close on exec", name)
		case in(s.room, "image") && pkg == "os" && slices.Contains([]string{"RemoveAll", "Chown", "Lchown", "Chmod", "Rename", "Link", "Symlink"}, name):
			tell(call, "%s by a name: what an image has is only reached by descriptors", name)
		case pkg == "os" && in(s.room, jobRooms...) && slices.Contains([]string{"RemoveAll", "Chown", "Lchown", "Chmod", "Rename", "Link", "Symlink"}, name),
			pkg == "path/filepath" && in(s.room, jobRooms...) && (name == "Walk" || name == "WalkDir" || name == "Glob"):
			tell(call, "%s by a name: what a job wrote is only reached by descriptors", name)
		}
	})
	ast.Inspect(s.file, func(n ast.Node) bool {
		if how, ok := n.(*ast.CompositeLit); ok && typeName(how.Type) == "OpenHow" && !slices.Contains(words(how), "O_CLOEXEC") {
			tell(how, "openat2 without close on exec")
		}
		if lit, ok := n.(*ast.BasicLit); ok {
			for _, word := range []string{"notify_on_release", "release_agent", "devpts", "/dev/ptmx", "/dev/console"} {
				if word == "devpts" && s.set.Position(lit.Pos()).Filename == terminals {
					continue
				}
				if strings.Contains(lit.Value, word) {
					tell(lit, "names %s", word)
				}
			}
		}
		return true
	})
	return out
}

// terminals is the one source that makes them, each in an instance of devpts that stands nowhere.
const terminals = "sandbox/terminal.go"

var shells = map[string]bool{"sh": true, "bash": true, "dash": true, "zsh": true, "ksh": true, "busybox": true}

// jobRooms are the rooms that hold what a job has written.
var jobRooms = []string{"sandbox", "rootfs", "seccomp"}

// TestSourcesKeepTheRules reads every source of the program for what it must not do.
func TestSourcesKeepTheRules(t *testing.T) {
	seen := 0
	for _, s := range parse(t, os.DirFS(top(t))) {
		if in(s.room, "test", "internal/testkit", "internal/verify") { // these look at the program from outside
			continue
		}
		seen++
		for _, b := range broken(s) {
			t.Error(b)
		}
	}
	if seen < 100 {
		t.Errorf("%d sources read", seen)
	}
	bad := fstest.MapFS{"sandbox/bad.go": {Data: []byte(`package sandbox
import ("archive/tar"; "os"; run "os/exec"; "path/filepath"; "golang.org/x/sys/unix")
func f() {
	run.Command("/bin/sh", "x")
	run.CommandContext(nil, "env", "sh", "-c")
	unix.Open("x", unix.O_RDONLY, 0)
	unix.Openat2(0, "x", &unix.OpenHow{Flags: unix.O_PATH})
	unix.Dup(1)
	unix.FcntlInt(0, unix.F_DUPFD, 3)
	os.RemoveAll("x")
	os.Chown("x", 0, 0)
	filepath.WalkDir("x", nil)
	_ = "/sys/fs/cgroup/notify_on_release"
	unix.Fsopen("devpts", 0)
	unix.Open("x", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	run.Command("newuidmap", "1")
}
`)}}
	if got := broken(parse(t, bad)[0]); len(got) != 13 {
		t.Errorf("of thirteen faults these are seen:\n%s", strings.Join(got, "\n"))
	}
}

// starting are the C functions that would start a program by way of a shell, or by a
// search that is not ours.
var starting = regexp.MustCompile(`\b(system|popen|wordexp|execlp|execvp|execvpe|posix_spawnp)\s*\(`)

// Every descriptor that the child side opens is closed by an exec, but for the three
// streams; and no shell is started there either.
func TestChildSideKeepsTheRules(t *testing.T) {
	opens := regexp.MustCompile(`\b(open|openat|pipe2|socket|signalfd|dup|dup2|dup3|recvmsg|SYS_memfd_create)\(|F_DUPFD|SYS_open_tree|SYS_openat2`)
	found := 0
	sources, err := filepath.Glob(filepath.Join(top(t), "sandbox/cell/*.c"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code := regexp.MustCompile(`//.*`).ReplaceAllString(string(text), "")
		if m := starting.FindString(code); m != "" {
			t.Errorf("%s: %s", name, m)
		}
		for line := range strings.Lines(code) {
			if !opens.MatchString(line) {
				continue
			}
			if found++; !strings.Contains(line, "CLOEXEC") && !strings.Contains(line, "STEP_PLACE_STDIO") {
				t.Errorf("%s: without close on exec: %s", name, line)
			}
		}
	}
	if found < 12 {
		t.Errorf("%d places are seen that open something", found)
	}
	if !starting.MatchString(`x = system("ls")`) {
		t.Error("a call of system is not seen")
	}
}

// TestNoSetID: no file of this tree has a set-id bit, and the only modes that are
// given to files by the build are those of a plain program.
func TestNoSetID(t *testing.T) {
	err := filepath.WalkDir(top(t), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 && !d.IsDir() {
			t.Errorf("%s: mode %v", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(top(t), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	modes := regexp.MustCompile(`install .*-m (\d+)|chmod (\S+)|setcap`).FindAllStringSubmatch(string(text), -1)
	if len(modes) != 1 || modes[0][1] != "755" {
		t.Errorf("the Makefile gives the modes %q, want 755 alone", modes)
	}
}

// goFloor is the first version of Go without the faults of os.Root and archive/tar
// that docs/threat-model.md names.
var goFloor = [3]int{1, 26, 8}

// TestGoVersion: no older version builds this, and none has built these tests.
func TestGoVersion(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	stated := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(text)
	if stated == nil {
		t.Fatal("go.mod states no version")
	}
	for what, text := range map[string]string{"go.mod": string(stated[1]), "this build": strings.TrimPrefix(runtime.Version(), "go")} {
		var v [3]int
		if n, _ := fmt.Sscanf(text, "%d.%d.%d", &v[0], &v[1], &v[2]); n < 2 || slices.Compare(v[:], goFloor[:]) < 0 {
			t.Errorf("%s has Go %q, at least %v is wanted", what, text, goFloor)
		}
	}
}
