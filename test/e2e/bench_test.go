package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cordon/bench"
	"cordon/internal/testkit"
)

// TestBench: the benchmark measures what it says, and leaves nothing. What the
// figures are is not looked at: that belongs to the machine.
func TestBench(t *testing.T) {
	groups := []string{bench.Latency, bench.Throughput, bench.Work, bench.Memory, bench.Output, bench.Scale}
	if os.Getenv("CORDON_TEST_SLOW") != "" {
		t.Log("NOT ALL GROUPS: an emulated processor takes minutes for the others")
		groups = []string{bench.Latency, bench.Throughput}
	}
	temporary := t.TempDir()
	plots := filepath.Join(temporary, "plots")
	cmd := testkit.Command(t, "bench", "--quick", "--only", strings.Join(groups, ","), "--soak", "50", "--sustain", "600ms", "--json", "--plot", plots)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	text, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Logf("%s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var r bench.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	asked := func(group string) bool { return strings.Contains(strings.Join(groups, " "), group) }
	for _, f := range r.Figures {
		switch {
		case !asked(f.Group) || strings.Contains(f.ID, "go_judge"):
			if f.Value != nil || f.Missing == "" {
				t.Errorf("%s: %+v, missing %q: it was not asked for", f.ID, f.Value, f.Missing)
			}
		case f.Value == nil:
			t.Errorf("%s: not measured: %s", f.ID, f.Missing)
		case f.Value.Median < f.Value.Min || f.Value.Median > f.Value.Max:
			t.Errorf("%s: %+v", f.ID, f.Value)
		}
	}
	for _, s := range r.Series {
		if s.Runs == 0 || s.P50.Median <= 0 || s.P99.Median < s.P50.Median || s.PerSecond.Median <= 0 {
			t.Errorf("%+v", s)
		}
	}
	if len(r.Machine.Cgroup) < 9 || r.Machine.CPUs == 0 {
		t.Errorf("%+v", r.Machine)
	}
	for _, c := range r.Curves {
		if err := os.Remove(filepath.Join(plots, c.ID+".svg")); err != nil {
			t.Error(err)
		}
	}
	if err := os.Remove(plots); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestBenchTellsOfAPeerThatIsNotThere, and does not leave it out.
func TestBenchTellsOfAPeerThatIsNotThere(t *testing.T) {
	out, err := testkit.Command(t, "bench", "--quick", "--only", "latency", "--peer", "go-judge=http://127.0.0.1:1").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "go-judge: 127.0.0.1:1: connect: connection refused") {
		t.Errorf("%v\n%s", err, out)
	}
}
