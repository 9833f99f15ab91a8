package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type idRange struct{ first, count uint64 }

func (t *Traces) subordinate(uid uint64) bool {
	return slices.ContainsFunc(t.ids, func(r idRange) bool { return uid >= r.first && uid-r.first < r.count })
}

// subordinate reads the ranges of this user (subuid(5)).
func subordinate(tb testing.TB) []idRange {
	tb.Helper()
	me, err := user.Current()
	if err != nil {
		tb.Fatal(err)
	}
	file, err := os.Open("/etc/subuid")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	var out []idRange
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f := strings.Split(lines.Text(), ":")
		if len(f) != 3 || f[0] != me.Username && f[0] != me.Uid {
			continue
		}
		first, err1 := strconv.ParseUint(f[1], 10, 32)
		count, err2 := strconv.ParseUint(f[2], 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			tb.Fatalf("/etc/subuid: %q: %v", lines.Text(), err)
		}
		out = append(out, idRange{first, count})
	}
	if len(out) == 0 {
		tb.Fatalf("%s has no range in /etc/subuid: jobs cannot be told by their ids; run cordon setup as root", me.Username)
	}
	return out
}

// userOf is the real user id of a process.
func userOf(pid int) (uint64, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(text), "\nUid:")
	line, _, _ := strings.Cut(rest, "\n")
	f := strings.Fields(line)
	if len(f) < 1 {
		return 0, false
	}
	uid, err := strconv.ParseUint(f[0], 10, 32)
	return uid, err == nil
}
