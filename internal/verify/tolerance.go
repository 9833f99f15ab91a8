package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"cordon/test/victims"
)

// Tolerance is how far from its limit, or from the truth, a figure came out.
type Tolerance struct {
	Name string  `json:"name"`
	Unit string  `json:"unit"`
	Min  float64 `json:"min"`
	Mid  float64 `json:"median"`
	Max  float64 `json:"max"`
	Runs int     `json:"runs"`
}

// Tolerances are those of one kernel.
type Tolerances struct {
	Kernel string      `json:"kernel"`
	Cgroup string      `json:"cgroup"`
	Loaded bool        `json:"loaded"`
	Rows   []Tolerance `json:"rows"`
}

// measure is one job of a series and what is read of its result.
type measure struct {
	name, unit string
	row        victims.Row
	verdict    string
	read       func(*result) float64
}

const ms, mib = 1e6, float64(1 << 20)

func usage(name string, minus, per float64) func(*result) float64 {
	return func(r *result) float64 { return (float64(r.Usage[name]) - minus) / per }
}

// measures: how late a limit is, and how true a figure.
func measures() []measure {
	long := map[string]any{"cpu_ms": 60000, "wall_ms": 120000}
	with := func(name string, value any) map[string]any {
		limits := map[string]any{"cpu_ms": 60000, "wall_ms": 120000}
		limits[name] = value
		return limits
	}
	all := []measure{
		{"CPU limit 500 ms, one thread: used past it", "ms", victims.Row{Command: victim("spin"), Limits: with("cpu_ms", 500)}, "cpu_limit", usage("cpu_ns", 500*ms, ms)},
		{"CPU limit 500 ms, four threads on up to 2 CPUs: used past it", "ms",
			victims.Row{Command: victim("spin_threads", "4"), Limits: map[string]any{"cpu_ms": 500, "wall_ms": 120000, "cpus": 2}}, "cpu_limit", usage("cpu_ns", 500*ms, ms)},
		{"95 % of a CPU limit of 500 ms: reported more than spent", "ms", victims.Row{Command: victim("spin", "475"), Limits: with("cpu_ms", 500)}, "ok", usage("cpu_ns", 475*ms, ms)},
		{"wall limit 300 ms: over it", "ms", victims.Row{Command: victim("sleep", "60"), Limits: with("wall_ms", 300)}, "wall_limit", usage("wall_ns", 300*ms, ms)},
		{"sleep of 1 s: reported more than that", "ms", victims.Row{Command: victim("sleep", "1"), Limits: long}, "ok", usage("wall_ns", 1000*ms, ms)},
		{"wall limit: CPU of a sleeper", "ms", victims.Row{Command: victim("sleep", "60"), Limits: with("wall_ms", 300)}, "wall_limit", usage("cpu_ns", 0, ms)},
	}
	for _, touched := range []int{8, 32, 56} {
		all = append(all, measure{fmt.Sprintf("%d MiB touched of 64: peak above that", touched), "MiB",
			victims.Row{Command: victim("touch", strconv.Itoa(touched))}, "ok", usage("memory_peak_bytes", float64(touched)*mib, mib)})
	}
	return append(all,
		measure{"68 MiB touched of 64: peak past the limit", "MiB", victims.Row{Command: victim("touch", "68")}, "memory_limit", usage("memory_peak_bytes", 64*mib, mib)},
		measure{"threads without end, 32 processes: peak past the limit", "", victims.Row{Command: victim("threads")}, "ok", usage("pids_peak", 32, 1)},
		measure{"output of exactly the limit, 64 KiB: bytes missing", "bytes", victims.Row{Command: victim("flood", "1", "64")}, "ok",
			func(r *result) float64 { return float64(65536 - len(r.stdout())) }},
		measure{"output of 1 KiB more: bytes kept past the limit", "bytes", victims.Row{Command: victim("flood", "1", "65")}, "output_limit",
			func(r *result) float64 { return float64(len(r.stdout()) - 65536) }},
		measure{"file of exactly the limit, 4 MiB: bytes past it", "bytes",
			victims.Row{Command: victim("out_big", "out", "4194304"), Outputs: []string{"out"}, Limits: map[string]any{"file_bytes": 4 << 20}}, "ok",
			func(r *result) float64 { return float64(r.Files[0].Size - 4<<20) }},
		measure{"file of one byte more: bytes past the limit", "bytes",
			victims.Row{Command: victim("out_big", "out", "4194305"), Outputs: []string{"out"}, Limits: map[string]any{"file_bytes": 4 << 20}}, "signaled",
			func(r *result) float64 { return float64(r.Files[0].Size - 4<<20) }})
}

// Measure runs every series so often, in turns, so that a disturbance meets all.
// A verdict that is not the promised one is an error: then there is nothing to
// be precise about.
func Measure(ctx context.Context, o Options, runs int) (t *Tolerances, err error) {
	s, err := newSession(ctx, o, []victims.Row{{}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	all := measures()
	values := make([][]float64, len(all))
	for range runs {
		for i, m := range all {
			a, err := s.service.post(ctx, s.request(&m.row))
			if err != nil {
				return nil, err
			}
			if a.status != 200 || a.result.Verdict != m.verdict || len(m.row.Outputs) != len(a.result.Files) {
				return nil, fmt.Errorf("%s: answered %d, want %s: %.1000s", m.name, a.status, m.verdict, a.body)
			}
			values[i] = append(values[i], m.read(&a.result))
		}
	}
	t = &Tolerances{Kernel: kernel(), Cgroup: s.cgroupVersion(ctx), Loaded: o.Loaded}
	for i, m := range all {
		v := slices.Sorted(slices.Values(values[i]))
		t.Rows = append(t.Rows, Tolerance{m.name, m.unit, v[0], v[len(v)/2], v[len(v)-1], len(v)})
	}
	return t, nil
}

// Markdown prints the figures as a table.
func (t *Tolerances) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s, %s | least | median | most | runs |\n| --- | --- | --- | --- | --- |\n",
		(&Report{Kernel: t.Kernel, Cgroup: t.Cgroup}).Key(), load(&Report{Loaded: t.Loaded}))
	for _, r := range t.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d |\n", r.Name, figure(r.Min, r.Unit), figure(r.Mid, r.Unit), figure(r.Max, r.Unit), r.Runs)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func figure(v float64, unit string) string {
	text := strconv.FormatFloat(v, 'f', 2, 64)
	if unit == "" || unit == "bytes" {
		text = strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strings.TrimSpace(text + " " + unit)
}
