package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cordon/cgroup"
)

var update = flag.Bool("update", false, "write the golden files anew")

// files are the texts below a fake host's root; "x:" before a name makes the
// file executable, "s:" setuid.
type files map[string]string

// goodFiles are those of a host where everything is there.
var goodFiles = files{
	"proc/sys/kernel/osrelease":         "6.12.0-test",
	"proc/sys/kernel/core_pattern":      "core",
	"proc/sys/user/max_user_namespaces": "15000",
	"proc/self/status":                  "Name:\tcordon\nNoNewPrivs:\t0\nSeccomp:\t0\n",
	"proc/self/mountinfo":               "30 29 0:26 / /proc rw - proc proc rw\n",
	"proc/swaps":                        "Filename Type Size Used Priority",
	"etc/passwd":                        "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n",
	"etc/subuid":                        "ann:100000:65536",
	"etc/subgid":                        "ann:100000:65536",
	"s:usr/bin/newuidmap":               "",
	"s:usr/bin/newgidmap":               "",
	"dev/net/tun":                       "",
	"cg/memory.peak":                    "1",
	"cg/memory.oom.group":               "0",
	"cg/memory.swap.max":                "max",
	"cg/pids.peak":                      "1",
	"cg/cgroup.kill":                    "",
	"v1/memory.max_usage_in_bytes":      "1",
	"v1/memory.memsw.limit_in_bytes":    "1",
	"v1/memory.oom_control":             "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
	"v1/cgroup.event_control":           "",
	"v1/pids.peak":                      "1",
}

// fake is a host where everything is there, but for the changes.
func fake(t *testing.T, change func(*host, files)) *host {
	t.Helper()
	top := t.TempDir()
	tree := files{}
	for name, text := range goodFiles {
		tree[name] = text
	}
	h := &host{root: top, uid: 1000, path: "/usr/local/bin:/usr/bin", outcomes: map[string]outcome{},
		mapped:   func() (int, error) { return 65536, nil },
		fileCaps: func(string) bool { return false },
		noSuid:   func(string) bool { return false },
	}
	for name := range probes {
		h.outcomes[name] = outcome{Found: name + " works"}
	}
	useV2(h, "io", "cpu", "memory", "pids")
	if change != nil {
		change(h, tree)
	}
	for name, text := range tree {
		mode := os.FileMode(0o644)
		if rest, ok := strings.CutPrefix(name, "x:"); ok {
			name, mode = rest, 0o755
		}
		if rest, ok := strings.CutPrefix(name, "s:"); ok {
			name, mode = rest, 0o755|os.ModeSetuid
		}
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func useV2(h *host, controllers ...string) {
	h.offered = func() (cgroup.Offer, error) { return cgroup.Offer{Version: 2, Controllers: controllers}, nil }
	h.look = func(string) (cgroup.Place, error) {
		p := cgroup.Place{Version: 2, How: "the own group", Dirs: map[string]string{}}
		for _, c := range controllers {
			p.Dirs[c] = h.at("/cg")
		}
		return p, nil
	}
}

func useV1(h *host) {
	all := []string{"cpu", "cpuacct", "memory", "pids"}
	h.offered = func() (cgroup.Offer, error) { return cgroup.Offer{Version: 1, Controllers: all}, nil }
	h.look = func(string) (cgroup.Place, error) {
		p := cgroup.Place{Version: 1, How: "made by cordon setup", Dirs: map[string]string{}}
		for _, c := range all {
			p.Dirs[c] = h.at("/v1")
		}
		return p, nil
	}
}

func noPlace(h *host) {
	h.look = func(string) (cgroup.Place, error) {
		return cgroup.Place{}, errors.Join(cgroup.ErrNoDelegation, errors.New("looked at:\n  /cg (the own group): not writable"))
	}
}

func rowOf(t *testing.T, r *Report, name string) Row {
	t.Helper()
	i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Name == name })
	if i < 0 {
		t.Errorf("no row %q", name)
		return Row{}
	}
	return r.Rows[i]
}

func TestGoodHostIsReady(t *testing.T) {
	r := fake(t, nil).report("")
	for _, row := range r.Rows {
		if row.Status != OK || row.Fix != "" || row.Found == "" || row.Lost == "" {
			t.Errorf("%+v", row)
		}
	}
	if !r.Ready || r.Summary() != "ready: jobs can run with every limit" {
		t.Error(r.Summary())
	}
}

// Every row that is not ok says what was found, what is lost and what to do.
func TestRows(t *testing.T) {
	for name, c := range rowCases {
		t.Run(name, func(t *testing.T) {
			r := fake(t, c.change).report("")
			row := rowOf(t, r, c.row)
			if row.Status != c.status || !strings.Contains(row.Found, c.found) || !strings.Contains(row.Fix, c.fix) {
				t.Errorf("got %+v\nwant status %s, found %q, fix %q", row, c.status, c.found, c.fix)
			}
			if row.Status != OK && (row.Fix == "" || row.Lost == "" || row.Found == "") {
				t.Errorf("a row that helps nobody: %+v", row)
			}
			if row.Status == OK && row.Fix != "" {
				t.Errorf("a row that is ok needs no fix: %+v", row)
			}
			if lacking := slices.Contains(r.Lacking(), c.row); lacking != (row.Needed && c.status == Missing) || lacking && r.Ready {
				t.Errorf("lacking %v, ready %v", r.Lacking(), r.Ready)
			}
		})
	}
}

// Each row of the report has a case in which it is not ok.
func TestEveryRowCanFail(t *testing.T) {
	for _, row := range fake(t, nil).report("").Rows {
		fails := false
		for _, c := range rowCases {
			fails = fails || c.row == row.Name && c.status != OK
		}
		if !fails {
			t.Errorf("no case in which %q is not ok", row.Name)
		}
	}
}

func TestToolchainRow(t *testing.T) {
	c, go1 := Toolchain{ID: "c", Version: "12.2"}, Toolchain{ID: "go", Missing: "install go"}
	for name, one := range map[string]struct {
		tools []Toolchain
		err   error
		want  Status
		found string
	}{
		"some":   {[]Toolchain{c, go1}, nil, OK, "1 of 2: c"},
		"none":   {[]Toolchain{go1}, nil, Missing, "none"},
		"failed": {nil, errors.New("no search"), Degraded, "no search"},
	} {
		if row := toolchainRow(one.tools, one.err); row.Status != one.want || row.Found != one.found || row.Needed || (row.Fix == "") != (one.want == OK) {
			t.Errorf("%s: %+v", name, row)
		}
	}
}

func TestGoldenJSON(t *testing.T) {
	r := fake(t, func(h *host, f files) {
		useV1(h)
		delete(f, "etc/subuid")
		h.outcomes["killable"] = outcome{Problem: "install a filter with a listener", Errno: "EINVAL"}
	})
	report := r.report("")
	report.Toolchains = []Toolchain{{ID: "c", Version: "12.2"}, {ID: "go", Missing: "install go"}}
	got, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(bytes.ReplaceAll(got, []byte(r.root), []byte("ROOT")), '\n')
	const name = "testdata/report.json"
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the report has changed; look at the difference, then run go test with -update: %v\n%s", err, got)
	}
}

func TestSummary(t *testing.T) {
	r := &Report{Rows: []Row{{Name: "a", Needed: true, Status: Missing}, {Name: "b", Status: Missing}, {Name: "c", Needed: true, Status: Degraded}}}
	if got := r.Summary(); got != "not ready: 1 needed feature is missing: a" {
		t.Error(got)
	}
	r.Rows = append(r.Rows, Row{Name: "d", Needed: true, Status: Missing})
	if got := r.Summary(); got != "not ready: 2 needed features are missing: a, d" {
		t.Error(got)
	}
}
