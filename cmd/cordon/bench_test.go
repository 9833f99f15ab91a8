package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cordon/bench"
)

// stored writes a report as --json does.
func stored(t *testing.T, latency float64) string {
	t.Helper()
	value := &bench.Stat{Median: latency, Min: latency / 2, Max: latency * 2}
	r := bench.Report{Version: 1, Machine: bench.Machine{Kernel: "6.0 x86_64", Cgroup: "cgroup-v2", CPUs: 2},
		Figures: []bench.Figure{{ID: "latency_over_bare", Group: bench.Latency, Title: "the latency", Bar: 3, Aim: 2, Value: value, Note: "as noted"},
			{ID: "memory_warm_cell", Group: bench.Memory, Title: "the memory", Unit: "KiB", Bar: 600, Aim: 200, Missing: "left out"}},
		Series:  []bench.Series{{Group: bench.Latency, Name: "POST /v1/run", Clients: 1, Runs: 7, P50: *value, PerSecond: bench.Stat{Median: 400, Min: 300, Max: 500}}},
		Amounts: []bench.Amount{{Group: bench.Latency, Name: "an amount", Unit: "µs", Value: *value}},
		Curves:  []bench.Curve{{ID: "curve", Title: "a curve", Points: []bench.Point{{X: 1, Y: *value}, {X: 10, Y: *value}}}},
		Notes:   []string{"podman is not installed"}}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func benched(args ...string) (string, error) {
	var out bytes.Buffer
	cmd := newBenchCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.Execute()
	return out.String(), err
}

func TestBenchShowsAReport(t *testing.T) {
	this, other := stored(t, 1.5), stored(t, 3)
	plots := filepath.Join(t.TempDir(), "plots")
	text, err := benched("--read", this, "--plot", plots)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cgroup-v2", "the latency", "1.50", "0.75 to 3.00", "≤ 3.00", "≤ 2.00", "aim", "1 figure not measured: left out",
		"POST /v1/run", "400", "an amount", "1.50 µs", "the latency: as noted", "podman is not installed"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if svg, err := os.ReadFile(filepath.Join(plots, "curve.svg")); err != nil || !bytes.Contains(svg, []byte("a curve")) {
		t.Errorf("the plot: %v", err)
	}
	if text, err = benched("--read", this, "--compare", other); err != nil || !strings.Contains(text, "0.50") || !strings.Contains(text, bench.NoValue) {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err = benched("--read", this, "--markdown"); err != nil || !strings.Contains(text, "| the latency | 1.50 | 0.75 to 3.00 | ≤ 3.00 | ≤ 2.00 | aim |") {
		t.Errorf("%v\n%s", err, text)
	}
	text, err = benched("--read", this, "--json")
	var r bench.Report
	if err != nil || json.Unmarshal([]byte(text), &r) != nil || len(r.Figures) != 2 || r.Figures[0].Value.Median != 1.5 {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestBenchChecksItsFlags(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(empty, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--only", "latency,speed"}, `"speed" given, allowed are latency`},
		{[]string{"--quick", "--full"}, "leave one out"},
		{[]string{"--sustain", "-1s"}, "--sustain: -1s given"},
		{[]string{"--soak", "-1"}, "--soak: -1 given"},
		{[]string{"--service", "--jobs", "-1"}, "--jobs: -1 given"},
		{[]string{"--read", empty}, "--read"},
		{[]string{"--compare", "/does/not/exist"}, "--compare"},
		{[]string{"surplus"}, "unknown command"},
	} {
		if _, err := benched(c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}

func TestBenchGroups(t *testing.T) {
	for _, c := range []struct {
		f    benchFlags
		want string
	}{
		{benchFlags{}, ""},
		{benchFlags{only: []string{"latency"}}, "latency"},
		{benchFlags{service: true}, "service"},
		{benchFlags{service: true, only: []string{"latency"}}, "latency service"},
		{benchFlags{scale: true}, "latency peers throughput judging work memory output scale"},
		{benchFlags{plot: "plots", service: true}, "latency peers throughput judging work memory output scale service"},
	} {
		if got := strings.Join(c.f.groups(), " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.f, got, c.want)
		}
	}
}
