package seccomp

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// row is one line of a reviewed table in testdata: what must happen, without a
// look at the tables that the program was made from.
type row struct {
	number int
	name   string
	act    uint32        // for arguments that satisfy a way: actAllow, or actTold
	ways   [][]condition // none: any argument
	refuse []refusal     // other ways, answered at once
	errnos []unix.Errno  // with which a reported call can fail
}

var (
	rowShape    = regexp.MustCompile(`^ *(\d+) (\w+) +(\S.*)$`)
	wayShape    = regexp.MustCompile(`^arg(\d) & 0x([0-9a-f]+) == 0x([0-9a-f]+)$`)
	nameShape   = regexp.MustCompile(`\bE[A-Z]+\b`)
	reportShape = regexp.MustCompile(`^E[A-Z]+( \(other families\), E[A-Z]+ \(other protocols\) or E[A-Z]+)? reported$`)
)

// parseRow reads one line of Dump, or says that it is no row.
func parseRow(line string) (row, bool) {
	line, _, _ = strings.Cut(strings.TrimSuffix(line, "\n"), "  # ")
	m := rowShape.FindStringSubmatch(line)
	if m == nil {
		return row{}, false
	}
	number, err := strconv.Atoi(m[1])
	r := row{number: number, name: m[2], act: actReport}
	what := m[3]
	if ways, last, ok := strings.Cut(what, ", else "); ok {
		tell := strings.HasPrefix(ways, "tell and ")
		if ways, ok = strings.CutPrefix(strings.TrimPrefix(ways, "tell and "), "allow if "); ok {
			ok = err == nil && r.parseWays(ways) && r.parseElse(last)
			if tell {
				r.act = actTold
			}
			return r, ok
		}
	}
	for _, name := range nameShape.FindAllString(what, -1) {
		r.errnos = append(r.errnos, errnoOf(name))
	}
	switch {
	case err != nil || slices.Contains(r.errnos, 0):
		return row{}, false
	case what == "allow":
		r.act = actAllow
	case what == "0 at once":
		r.act = actErrno
	case strings.HasSuffix(what, " at once") && len(r.errnos) == 1:
		r.act = actErrno | uint32(r.errnos[0])
	case !reportShape.MatchString(what):
		return row{}, false
	}
	return r, true
}

// parseElse reads what happens when no way holds: calls answered at once, and
// last of all the errnos of a report.
func (r *row) parseElse(text string) bool {
	parts := strings.Split(text, ", else ")
	last := parts[len(parts)-1]
	for _, part := range parts[:len(parts)-1] {
		name, way, ok := strings.Cut(part, " at once if ")
		var one row
		if !ok || errnoOf(name) == 0 || !one.parseWays(way) || len(one.ways) != 1 {
			return false
		}
		r.refuse = append(r.refuse, refusal{one.ways[0], errnoOf(name)})
	}
	for _, name := range nameShape.FindAllString(last, -1) {
		r.errnos = append(r.errnos, errnoOf(name))
	}
	return reportShape.MatchString(last) && !slices.Contains(r.errnos, 0)
}

func (r *row) parseWays(text string) bool {
	r.act = actAllow
	for way := range strings.SplitSeq(text, " or ") {
		var all []condition
		for c := range strings.SplitSeq(way, " and ") {
			m := wayShape.FindStringSubmatch(c)
			if m == nil {
				return false
			}
			arg, _ := strconv.ParseUint(m[1], 10, 8)
			mask, err1 := strconv.ParseUint(m[2], 16, 64)
			value, err2 := strconv.ParseUint(m[3], 16, 64)
			if arg > 5 || err1 != nil || err2 != nil {
				return false
			}
			all = append(all, condition{uint(arg), mask, value})
		}
		r.ways = append(r.ways, all)
	}
	return true
}

func errnoOf(name string) unix.Errno {
	for _, e := range []unix.Errno{unix.EPERM, unix.ENOSYS, unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.ENOTTY, unix.EINVAL} {
		if unix.ErrnoName(e) == name {
			return e
		}
	}
	return 0
}

// decide is the action that the row promises.
func (r row) decide(args [6]uint64) uint32 {
	if len(r.ways) == 0 {
		return r.act
	}
	holds := func(way []condition) bool {
		return !slices.ContainsFunc(way, func(c condition) bool { return args[c.arg]&c.mask != c.value })
	}
	if slices.ContainsFunc(r.ways, holds) {
		return r.act
	}
	for _, other := range r.refuse {
		if holds(other.way) {
			return actErrno | uint32(other.errno)
		}
	}
	return actReport
}

// conditions are all that the row looks at, way by way.
func (r row) conditions() [][]condition { return slices.Concat(r.ways, r.refusals()) }

func (r row) refusals() [][]condition {
	var all [][]condition
	for _, other := range r.refuse {
		all = append(all, other.way)
	}
	return all
}

// looks are the words that a program for the row may load, as bits of loads: to
// what it only tells of the daemon looks.
func (r row) looks() uint32 {
	ways := r.conditions()
	if r.act == actTold {
		ways = r.refusals()
	}
	var bits uint32
	for _, way := range ways {
		for _, c := range way {
			bits |= argumentWords(c.arg)
		}
	}
	return bits
}

// table reads a reviewed table.
func table(t testing.TB, profile string, a Arch) map[int]row {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "rules-"+profile+"-"+a.String()+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]row{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		r, ok := parseRow(line)
		if !ok {
			t.Fatalf("%s-%s: %q is no row", profile, a, line)
		}
		out[r.number] = r
	}
	if len(out) < 300 {
		t.Fatalf("%s-%s: only %d rows", profile, a, len(out))
	}
	return out
}

// TestRows: the reader of the tables refuses what it does not understand, or
// TestReplay would hold a program against nothing.
func TestRows(t *testing.T) {
	for _, line := range []string{
		"", "# profile", "  0 read", "  0 read   ", "x read allow", "  0 read  allowed", "  0 read  EFOO reported",
		"  0 read  reported", "  0 read  at once", "  0 read  allow if , else EPERM reported",
		"  0 read  allow if arg7 & 0x1 == 0x1, else EPERM reported", "  0 read  allow if arg0 & 1 == 1, else EPERM reported",
		"  0 read  allow if arg0 & 0x1 == 0x1", "  0 read  EPERM and more",
		"  0 read  allow if arg0 & 0x1 == 0x1, else EPERM", "  0 read  allow if arg0 & 0x1 == 0x1, else EFOO reported",
		"  0 read  allow if arg0 & 0x1 == 0x1, else EPERM at once, else EPERM reported",
		"  0 read  allow if arg0 & 0x1 == 0x1, else EFOO at once if arg0 & 0x1 == 0x0, else EPERM reported",
		"  0 read  allow if arg0 & 0x1 == 0x1, else EPERM at once if arg0, else EPERM reported",
		"  0 read  tell and allow", "  0 read  tell if arg0 & 0x1 == 0x1, else EPERM reported",
		"  0 read  tell and allow if arg0 & 0x1 == 0x1", "  0 read  tell and EPERM reported",
	} {
		if r, ok := parseRow(line); ok {
			t.Errorf("%q was read as %+v", line, r)
		}
	}
	r, ok := parseRow("  1 call  allow if arg0 & 0xff == 0x1 and arg5 & 0x2 == 0x0 or arg1 & 0x1 == 0x1, else EPERM at once if arg2 & 0xff == 0x7, else EINVAL reported  # why\n")
	if !ok || len(r.ways) != 2 || len(r.ways[0]) != 2 || !slices.Equal(r.errnos, []unix.Errno{unix.EINVAL}) {
		t.Fatalf("got %+v, %v", r, ok)
	}
	for args, want := range map[[6]uint64]uint32{
		{0x101}: actAllow, {0x101, 0, 0, 0, 0, 2}: actReport, {2, 3}: actAllow, {2, 2}: actReport,
		{2, 2, 7}: actErrno | uint32(unix.EPERM), {2, 3, 7}: actAllow,
	} {
		if got := r.decide(args); got != want {
			t.Errorf("%v: %s, want %s", args, actText(got), actText(want))
		}
	}
	r, ok = parseRow("  1 call  tell and allow if arg0 & 0xff == 0x1, else EPERM at once if arg2 & 0xff == 0x7, else EINVAL reported")
	if !ok || r.looks() != argumentWords(2) {
		t.Fatalf("got %+v, %v", r, ok)
	}
	for args, want := range map[[6]uint64]uint32{{0x101}: actTold, {1, 0, 7}: actTold, {2}: actReport, {2, 0, 7}: actErrno | uint32(unix.EPERM)} {
		if got := r.decide(args); got != want {
			t.Errorf("%v: %s, want %s", args, actText(got), actText(want))
		}
	}
}
