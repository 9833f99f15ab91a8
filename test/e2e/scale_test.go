package e2e

import (
	"strings"
	"testing"

	"cordon/internal/testkit"
)

// A service on a slow host gives programs more time, and says so. One without a scale
// says nothing of the kind.
func TestCPUScale(t *testing.T) {
	spins := object{"language": "sh", "source": "while :; do :; done\n", "limits": object{"cpu_ms": 200}}
	for scale, limit := range map[string]float64{"1": 200, "2": 400} {
		d := testkit.StartDaemon(t, "--languages", "sh", "--cpu-scale", scale)
		s := newService(d.URL, d.Token)
		r := s.run(t, spins)
		used := float64(r.Usage.CPUNanos) / 1e6
		if r.Verdict != "cpu_limit" || used < limit || used >= 2*limit || !strings.Contains(r.Message, "the limit is "+map[string]string{"1": "200", "2": "400"}[scale]+" ms (cpu_ms)") {
			t.Errorf("scale %s: after %.1f ms of CPU time\n%s", scale, used, r.step)
		}
		l, wall, memory := r.Limits["cpu_ms"], r.Limits["wall_ms"], r.Limits["memory_bytes"]
		if scale == "1" {
			if l.Value != 200 || l.Asked != 0 || wall.Asked != 0 || r.CPUScale != 0 || strings.Contains(d.Log(), "cpu_scale") {
				t.Errorf("%+v, %+v, scale %v", l, wall, r.CPUScale)
			}
			continue
		}
		if l.Value != 400 || l.Asked != 200 || wall.Value != 2*wall.Asked || memory.Asked != 0 || r.CPUScale != 2 || !strings.Contains(d.Log(), "cpu_scale=2") {
			t.Errorf("%+v, %+v, %+v, scale %v", l, wall, memory, r.CPUScale)
		}
	}
}
