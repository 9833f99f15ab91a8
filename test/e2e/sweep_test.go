package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/testkit"
	"cordon/seccomp"
)

// strictPolicy makes the one profile available that no shipped policy has.
const strictPolicy = "name: strict-profile\ndescription: The strict profile.\nextends: default\nseccomp: {profile: strict, reason: tests}\n"

// TestSweep makes every denied call in a real cell, with arguments that would do
// no harm if they were let through: no file has the number -1, and no memory is
// at 0. Each gets the errno that the reviewed table promises and is counted by
// its name. The same calls outside are the control. Two calls are exempt, uprobe
// and uretprobe: newer kernels ask no filter about them, as they put them into
// programs themselves, and answer with SIGILL or ENXIO where they did not.
func TestSweep(t *testing.T) {
	t.Setenv("CORDON_LANGUAGES", "c")
	policies := t.TempDir()
	if err := os.WriteFile(filepath.Join(policies, "strict.yaml"), []byte(strictPolicy), 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("testdata/sweep.c")
	if err != nil {
		t.Fatal(err)
	}
	d := testkit.StartDaemon(t, "--policies", policies)
	s := newService(d.URL, d.Token)
	outside := controlProgram(t)
	for policy, profile := range map[string]string{"default": "default", "ci": "ci", "strict-profile": "strict"} {
		t.Run(profile, func(t *testing.T) {
			sweep(t, s, policy, deniedCalls(t, profile), string(source), outside)
		})
	}
}

// denial is a call that the table denies.
type denial struct {
	number      int
	name        string
	first, rest int // arguments
	errno       unix.Errno
	counted     bool
}

var tableRow = regexp.MustCompile(`^ *(\d+) (\w+) +(\S.*?)(?:  # .*)?$`)

// deniedCalls are the denied calls of a profile with their promised answers, from
// the table by which the filter is reviewed.
func deniedCalls(t *testing.T, profile string) []denial {
	t.Helper()
	var text bytes.Buffer
	if err := seccomp.Dump(&text, seccomp.Rules{Profile: profile}, seccomp.Native()); err != nil {
		t.Fatal(err)
	}
	rows := map[int][]string{}
	for line := range strings.Lines(text.String()) {
		if m := tableRow.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
			number, _ := strconv.Atoi(m[1])
			rows[number] = m[2:]
		}
	}
	var out []denial
	for n := range 1024 {
		row, known := rows[n]
		if !known {
			out = append(out, denial{n, fmt.Sprintf("unknown call %d", n), -1, 0, unix.ENOSYS, true})
			continue
		}
		if d, ok := deniedRow(t, n, row[0], row[1]); ok {
			out = append(out, d)
		}
	}
	// A job is ended after 1000 denied calls.
	if len(out) < 600 || len(out) > 990 {
		t.Fatalf("%d denied calls", len(out))
	}
	return out
}

// deniedRow reads one row of the table; false for a call that no arguments of
// ours have denied, and for one that is not to be made: reboot.
func deniedRow(t *testing.T, n int, name, what string) (denial, bool) {
	t.Helper()
	d := denial{number: n, name: name, first: -1, counted: strings.HasSuffix(what, " reported")}
	if i := strings.LastIndex(what, ", else "); i >= 0 { // only some arguments are denied
		d.rest = -1
		if strings.Contains(what, "== 0xffffffff") { // by which that call only asks
			return d, false
		}
		what = what[i+len(", else "):]
	}
	if what == "allow" || what == "0 at once" || name == "reboot" {
		return d, false
	}
	first, _, _ := strings.Cut(what, " ")
	for _, e := range []unix.Errno{unix.EPERM, unix.ENOSYS, unix.EAFNOSUPPORT, unix.ENOTTY, unix.EINVAL} {
		if unix.ErrnoName(e) == first {
			d.errno = e
			return d, true
		}
	}
	t.Fatalf("%d %s: no errno in %q", n, name, what)
	return d, false
}

func sweep(t *testing.T, s *service, policy string, denied []denial, source string, outside func(*testing.T, string) string) {
	var input strings.Builder
	want := map[string]int64{}
	for _, d := range denied {
		fmt.Fprintln(&input, d.number, d.first, d.rest)
		if d.counted {
			want[d.name]++
		}
	}
	limits := map[string]int64{"cpu_ms": 60_000, "wall_ms": 240_000}
	r := s.run(t, object{"policy": policy, "language": "c", "source": source, "stdin": input.String(), "limits": limits})
	r.want(t, "ok")
	inside, control := answers(r.out(t)), answers(outside(t, input.String()))
	var alike, other []string
	for _, d := range denied {
		unasked := !slices.ContainsFunc(r.Events.DeniedSyscalls, func(c deniedSyscall) bool { return c.Name == d.name })
		if (d.name == "uprobe" || d.name == "uretprobe") && unasked && inside[d.number] == control[d.number] {
			t.Logf("%s: this kernel does not ask a filter", d.name)
			delete(want, d.name)
			continue
		}
		if got := inside[d.number]; got != strconv.Itoa(int(d.errno)) {
			t.Errorf("%d %s: answer %q, want %d, %v", d.number, d.name, got, int(d.errno), d.errno)
		}
		switch {
		case control[d.number] == "":
			t.Errorf("%d %s: no answer outside", d.number, d.name)
		case strings.HasPrefix(d.name, "unknown"): // nobody has it
		case control[d.number] == inside[d.number]:
			alike = append(alike, d.name)
		default:
			other = append(other, d.name)
		}
	}
	t.Logf("%d denied calls; another answer outside: %d; the same outside, so that only the count proves the filter: %d: %s",
		len(denied), len(other), len(alike), strings.Join(alike, " "))
	// What is the same depends on the kernel; a control that never differs is none.
	if len(other) < 40 {
		t.Errorf("only %d denied calls have another answer outside: %s", len(other), strings.Join(other, " "))
	}
	checkCounts(t, r.step, want)
}

// answers reads what the program has printed, by number.
func answers(text string) map[int]string {
	out := map[int]string{}
	for line := range strings.Lines(text) {
		number, answer, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if n, err := strconv.Atoi(number); err == nil {
			out[n] = answer
		}
	}
	return out
}

// checkCounts: what was reported stands in the result, each call by its name and
// as often as it was made, and nothing else.
func checkCounts(t *testing.T, s step, want map[string]int64) {
	t.Helper()
	want = maps.Clone(want)
	for _, d := range s.Events.DeniedSyscalls {
		name := d.Name
		if _, ok := want[name]; !ok { // some say which argument it was
			name, _, _ = strings.Cut(name, " (")
		}
		if want[name] != d.Count {
			t.Errorf("%s: counted %d times, want %d", d.Name, d.Count, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("not counted: %v", want)
	}
}

// controlProgram builds the same program for outside of a cell.
func controlProgram(t *testing.T) func(t *testing.T, input string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sweep")
	if out, err := exec.CommandContext(t.Context(), "gcc", "-O2", "-o", program, "testdata/sweep.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func(t *testing.T, input string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Stdin, cmd.Stderr = strings.NewReader(input), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("outside: %v", err)
		}
		return string(out)
	}
}
