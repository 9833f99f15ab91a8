package processes

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestSelf(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	below := Below(all, os.Getpid())
	if len(below) == 0 || below[0].Pid != os.Getpid() || below[0].Parent != os.Getppid() || below[0].UID != uint64(os.Getuid()) {
		t.Fatalf("%+v", below)
	}
	p := below[0]
	if p.Ended() || p.First() || p.Inner[0] != strconv.Itoa(os.Getpid()) || !strings.Contains(p.Arguments(), "processes.test") {
		t.Errorf("%+v %q", p, p.Arguments())
	}
	if _, ok := Read(1 << 30); ok {
		t.Error("a pid that no process has was read")
	}
}

func TestParse(t *testing.T) {
	rest := strings.Repeat(" 0", 17) + " 777 0"
	for name, c := range map[string]struct {
		stat, status string
		want         Process
		ok           bool
	}{
		"plain": {"7 (sh) S 3" + rest, "Name:\tsh\nUid:\t5\t6\t6\t6\nNSpid:\t7\t1\n",
			Process{Pid: 7, Parent: 3, UID: 5, Name: "sh", State: "S", Start: "777", Inner: []string{"7", "1"}}, true},
		"a name that lies": {"7 (a) R 1 (b)) Z 3" + rest, "",
			Process{Pid: 7, Parent: 3, Name: "a) R 1 (b)", State: "Z", Start: "777"}, true},
		"short":     {"7 (sh) S 3", "", Process{}, false},
		"no name":   {"7 sh S 3" + rest, "", Process{}, false},
		"no parent": {"7 (sh) S x" + rest, "", Process{}, false},
		"no user":   {"7 (sh) S 3" + rest, "Uid:\tx\n", Process{}, false},
	} {
		got, ok := parse(7, c.stat, c.status)
		if ok != c.ok || ok && (got.String() != c.want.String() || got.Parent != c.want.Parent || got.Start != c.want.Start || !slices.Equal(got.Inner, c.want.Inner)) {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}

func TestComesAndGoes(t *testing.T) {
	for to, want := range map[string]bool{"net:[4026]": true, "/sys/fs/cgroup/pids/x/lane-3/tasks": true, "anon_inode:[eventfd]": true,
		"/s/queue/jetstream/$G/streams/CORDON_JOBS/msgs/1.blk": true, "/s/queue": false, "pipe:[7]": false, "anon_inode:[eventpoll]": false, "/s/store/x": false} {
		if got := ComesAndGoes(to); got != want {
			t.Errorf("%s: %t", to, got)
		}
	}
}
