package cell

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// parts are functions whose calls are one step of whoever calls them, or carry
// what is told.
var parts = []string{"own_groups", "are_ids", "is_job", "take_file_ids", "write_text", "write_proc", "keep_capabilities", "receive_message", "send_message", "send_failure"}

// outside are calls that are no step: what is done with their result is on the
// next lines, or they cannot fail, or a failure changes nothing.
var outside = []string{
	"ssize_t n = receive_message(FD_CONTROL, &head, sizeof head, fds, &count);",
	"ssize_t n = receive_message(FD_DAEMON, message, sizeof message, fds, &count);",
	"while (receive_message(FD_CONTROL, &head, sizeof head, fds, &count) > 0)",
	"kill(-main, (int)head.a); // all of them may have left the group: then there is nobody to be told",
	"while (read(FD_SIGNALS, &info, sizeof info) > 0)",
	"signal(SIGCHLD, SIG_DFL); // the server ignores these, and ignoring is inherited",
	"signal(SIGINT, SIG_DFL);",
	"signal(SIGCHLD, SIG_IGN); // children are reaped by the kernel; their pidfds tell of their end",
	"signal(SIGINT, SIG_IGN);  // a terminal's Ctrl-C is for the daemon, which then lets go",
	"syscall(SYS_rt_sigaction, number, action, NULL, sizeof(uint64_t));",
	"syscall(SYS_setfsuid, 0); // tells of no failure: it is read back",
	`prctl(PR_SET_NAME, "cordon-cell", 0, 0, 0);`,
	"syscall(SYS_close_range, FD_DAEMON + 1, ~0U, 0);",                                     // init does it again, as a step
	"if (chdir(order->pack->dir) < 0) { // where it starts, the job says, as it says what", // what comes of it is a verdict, as of execve
	"extern int mount(const char *, const char *, const char *, unsigned long, const void *);",
	"extern int umount2(const char *, int);",
	"ssize_t n = write(to, at, size);", // parts of telling a view, which is a step; what cannot be read is told
	"int fd = open(seen[what], O_RDONLY | O_CLOEXEC), result = 0;",
	"while (result == 0 && (n = read(fd, buffer, sizeof buffer)) != 0) {",
}

var (
	call = regexp.MustCompile(`\b(syscall|prctl|mmap|open|openat|mkdir|mkdirat|chmod|fchmod|fchmodat|chdir|mount|umount2|dup3|dup2|fcntl|setsid|setpgid|` +
		`setrlimit|sigprocmask|signalfd|unshare|setns|sethostname|clone|pipe2|write|read|symlink|symlinkat|linkat|chown|fchown|fstat|socket|ioctl|kill|` +
		`poll|signal|send_message|receive_message|write_text|write_proc)\(`)
	function = regexp.MustCompile(`^[a-z_].*?(\w+)\([^;]*\)$`)
)

// Each call by which the child side can fail is a step: told by its name, and
// made to fail by a test.
func TestCallsAreSteps(t *testing.T) {
	files, err := filepath.Glob("*.c")
	if err != nil {
		t.Fatal(err)
	}
	used, tried := map[string]bool{}, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		in := ""
		for number, line := range strings.Split(string(text), "\n") {
			if m := function.FindStringSubmatch(line); m != nil {
				in = m[1]
				continue
			}
			code := strings.TrimSpace(line)
			switch {
			case strings.HasPrefix(code, "//") || !call.MatchString(code):
			case strings.Contains(code, "TRY(") || strings.Contains(code, "TRY_MAP("):
				tried++
			case slices.Contains(parts, in):
			case slices.Contains(outside, code):
				used[code] = true
			default:
				t.Errorf("%s:%d: no step: %s", file, number+1, code)
			}
		}
	}
	if tried < len(steps)-15 {
		t.Errorf("only %d calls are steps", tried)
	}
	for _, line := range outside {
		if !used[line] {
			t.Errorf("not there any more: %s", line)
		}
	}
}
