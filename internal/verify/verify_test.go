package verify

import (
	"os"
	"os/user"
	"slices"
	"strings"
	"testing"

	"cordon/internal/testkit"
	"cordon/test/victims"
)

// TestCorpus runs every row on this kernel.
func TestCorpus(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Binary: testkit.Binary(t), User: me.Username}
	if os.Getenv("CORDON_TEST_SLOW") != "" {
		t.Log("NOT ALL ROWS: A-08 is about 100 ms, which an emulated processor may lose")
		o.Rows = without(t, "A-08")
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range r.Rows {
		t.Run(o.ID, func(t *testing.T) {
			t.Logf("%s: %s", o.Title, o.cell())
			for _, p := range o.Problems {
				t.Errorf("%s: %s", o.Record, p)
			}
		})
	}
	known, ok, err := victims.Vacuous(r.Key())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("kernel %q: vacuous probes: %s", r.Key(), strings.Join(r.Vacuous(), " "))
	if !ok {
		t.Logf("NOBODY HAS LISTED this kernel's vacuous probes: add %q to test/victims/vacuous.yaml", r.Key())
		return
	}
	for _, probe := range r.Vacuous() {
		if !slices.Contains(known, probe) {
			t.Errorf("%s proves nothing on kernel %q, and is not in test/victims/vacuous.yaml", probe, r.Key())
		}
	}
}

func without(t *testing.T, id string) (ids []string) {
	t.Helper()
	rows, err := victims.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.ID != id {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// TestMissing holds in one place what is not there yet.
func TestMissing(t *testing.T) {
	rows, err := victims.Load()
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	covered := map[string]bool{}
	for _, r := range rows {
		if r.Missing != "" {
			missing = append(missing, r.ID)
		}
		for _, id := range append([]string{r.ID}, r.Also...) {
			covered[id] = true
		}
		if r.Special && specials[r.ID] == nil {
			t.Errorf("%s: special, and there is no code for it", r.ID)
		}
	}
	var want []string
	if !slices.Equal(missing, want) {
		t.Errorf("rows that wait for a part: %v, want %v", missing, want)
	}
	for n := 1; n <= 72; n++ {
		if id := "A-" + twoDigits(n); !covered[id] {
			t.Errorf("%s: no row", id)
		}
	}
}

func twoDigits(n int) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }

// TestRecords: what can go wrong is seen.
func TestRecords(t *testing.T) {
	two := 2
	row := &victims.Row{Expect: victims.Expect{Verdict: []string{"ok"}, Exit: &two, Bytes: map[string]int{"stdout": 1},
		Usage: map[string][2]int64{"cpu_ns": {1, 2}}, Events: map[string][2]int64{"oom_kill": {1, 1}}, Denied: []string{"mount"},
		Files: map[string]victims.File{"a": {Error: "not_regular"}}}}
	o := &Outcome{}
	judge(row, &result{Verdict: "nonzero", Files: []file{{Path: "a", Content: "secret"}}}, o)
	o.close()
	for _, word := range []string{"verdict", "exit_code", "stdout", "usage.cpu_ns is 0", "events.oom_kill", "denied_syscalls", `file "a"`, "limits.memory_bytes"} {
		if !strings.Contains(strings.Join(o.Problems, "\n"), word) {
			t.Errorf("nothing about %s in %q", word, o.Problems)
		}
	}
	if o.Record != Escaped {
		t.Errorf("record %s", o.Record)
	}
	for want, o := range map[string]*Outcome{
		Vacuous:   {Probes: 2, Vacuous: []string{"a", "b"}},
		Contained: {Probes: 2, Vacuous: []string{"a"}},
		Wrong:     {Problems: []string{"x"}},
		Missing:   {Missing: "x"},
	} {
		if o.close(); o.Record != want {
			t.Errorf("%+v is not %s", o, want)
		}
	}
}

func TestControl(t *testing.T) {
	for _, c := range []struct {
		inside  string
		outside map[string]string
		reach   []string
		vacuous bool
	}{
		{"EPERM", map[string]string{"x": "ok"}, []string{"ok"}, false},
		{"EPERM", map[string]string{"x": "EPERM"}, []string{"ok"}, true},
		{"EPERM", map[string]string{"x": "EPERM"}, []string{"*"}, true},
		{"EPERM", map[string]string{"x": "ENOKEY"}, []string{"*"}, false},
		{"EPERM", map[string]string{}, []string{"*"}, true},
	} {
		o := &Outcome{}
		o.control("x", c.inside, c.outside, c.reach)
		if (len(o.Vacuous) == 1) != c.vacuous || o.Probes != 1 {
			t.Errorf("%+v: %+v", c, o)
		}
	}
}

func TestStrayMounts(t *testing.T) {
	const good = "1 2 0:1 / / ro,nosuid,nodev - overlay o rw\n3 1 0:2 / /work rw,nosuid,nodev - tmpfs t rw\n4 1 0:3 /null /dev/null rw,nosuid - devtmpfs d rw\n"
	if out := strayMounts(good); len(out) > 0 {
		t.Errorf("%q", out)
	}
	for _, bad := range []string{
		"1 2 0:1 / / rw,nosuid,nodev - overlay o rw\n",
		"1 2 0:1 / /usr ro,nodev - ext4 o rw\n",
		"1 2 0:1 / /usr ro,nosuid - ext4 o rw\n",
		"1 2 0:1 / /sys/fs/cgroup ro,nosuid,nodev - cgroup2 o rw\n",
		"1 2\n",
	} {
		if len(strayMounts(bad)) != 1 {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestDifferences(t *testing.T) {
	before := &state{Processes: map[string]int{"init": 2}, Groups: 1, Fds: map[string]int{"file": 3}, Mounts: "a", Guard: "g"}
	if d := before.differences(before); len(d) > 0 {
		t.Errorf("%q", d)
	}
	now := &state{Processes: map[string]int{"init": 3}, Groups: 2, Fds: map[string]int{"file": 4}, Mounts: "b", Guard: "h", Strangers: []string{"1 x"}}
	if d := before.differences(now); len(d) != 6 {
		t.Errorf("%q", d)
	}
}
