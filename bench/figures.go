package bench

import (
	"math"
	"slices"
)

// The groups of figures, which can be measured by themselves.
const (
	Latency    = "latency"
	Throughput = "throughput"
	Judging    = "judging"
	Work       = "work"
	Output     = "output"
	Memory     = "memory"
	Scale      = "scale"
	Peers      = "peers"
	Queue      = "service"
)

// Groups in the order in which they are measured.
var Groups = []string{Latency, Peers, Throughput, Judging, Work, Memory, Output, Scale, Queue}

// Figure is one that has a bar.
type Figure struct {
	ID      string  `json:"id"`
	Group   string  `json:"group"`
	Title   string  `json:"title"`
	Unit    string  `json:"unit"` // empty: a ratio
	Bar     float64 `json:"bar"`
	Aim     float64 `json:"aim"`
	AtLeast bool    `json:"at_least"` // more is better, and the bar the least
	Value   *Stat   `json:"value"`    // null when it was not measured
	Missing string  `json:"missing,omitempty"`
	Note    string  `json:"note,omitempty"`
}

// How a figure stands to what was to be reached.
const (
	HeldAim = "aim"
	HeldBar = "bar"
	HeldNot = "NOT HELD"
	NoValue = "not measured"
)

// Held says whether the aim or at least the bar is reached, by the median as it is
// printed: with two decimals.
func (f *Figure) Held() string {
	if f.Value == nil {
		return NoValue
	}
	reaches := func(bar float64) bool {
		value := math.Round(f.Value.Median*100) / 100
		if f.AtLeast {
			return value >= bar
		}
		return value <= bar
	}
	switch {
	case reaches(f.Aim):
		return HeldAim
	case reaches(f.Bar):
		return HeldBar
	}
	return HeldNot
}

// figures are all that a full run has, in the order of the table.
func figures() []Figure {
	return []Figure{
		{ID: "latency_over_bare", Group: Latency, Title: "POST /v1/run, one client without a pause, p50, over vfork+exec", Bar: 3, Aim: 2},
		{ID: "latency_over_go_judge", Group: Latency, Title: "the same over go-judge's", Bar: 0.5, Aim: 0.3},
		{ID: "paced_over_bare", Group: Latency, Title: "POST /v1/run, 5 ms after the last answer, p50, over vfork+exec", Bar: 3, Aim: 2},
		{ID: "paced_over_go_judge", Group: Latency, Title: "the same over go-judge's", Bar: 0.5, Aim: 0.3},
		{ID: "throughput_2_over_go_judge", Group: Throughput, Title: "jobs/s at 2 clients over go-judge's", Bar: 1.6, Aim: 2.5, AtLeast: true},
		{ID: "throughput_4_over_go_judge", Group: Throughput, Title: "jobs/s at 4 clients over go-judge's", Bar: 1.6, Aim: 2.5, AtLeast: true},
		{ID: "throughput_8_over_go_judge", Group: Throughput, Title: "jobs/s at 8 clients over go-judge's", Bar: 1.6, Aim: 2.5, AtLeast: true},
		{ID: "sustained_over_prototype", Group: Throughput, Title: "jobs/s sustained over the bare prototype's", Bar: 0.8, Aim: 1.2, AtLeast: true},
		{ID: "p99_over_p50", Group: Latency, Title: "p99 over p50 at one client", Bar: 3, Aim: 2},
		{ID: "judging_new", Group: Judging, Title: "C++ submission with 50 tests, over compiling it and 50 times vfork+exec", Bar: 1.25, Aim: 1.1},
		{ID: "judging_again", Group: Judging, Title: "the same submission again, over 50 times vfork+exec", Bar: 1.35, Aim: 1},
		{ID: "work_cpu", Group: Work, Title: "CPU-bound job, CPU time inside over outside", Bar: 1.01, Aim: 1},
		{ID: "work_getpid", Group: Work, Title: "1 M getpid, inside over outside", Bar: 1.15, Aim: 1.05},
		{ID: "work_stat", Group: Work, Title: "stat storm, inside over outside", Bar: 1.15, Aim: 1.05},
		{ID: "work_gcc", Group: Work, Title: "gcc -O2 of a C program, inside over outside", Bar: 1.15, Aim: 1.05},
		{ID: "work_python", Group: Work, Title: "python importing 50 modules, inside over outside", Bar: 1.15, Aim: 1.05},
		{ID: "output_over_cat", Group: Output, Title: "stdout of 1 GiB through the service over cat", Bar: 1.5, Aim: 1.1},
		{ID: "memory_warm_cell", Group: Memory, Title: "memory of an idle warm cell (PSS)", Unit: "KiB", Bar: 600, Aim: 200},
		{ID: "memory_sleeping_job", Group: Memory, Title: "memory of a sleeping job above the program's own", Unit: "KiB", Bar: 1024, Aim: 400},
		{ID: "memory_daemon_idle", Group: Memory, Title: "RSS of the idle daemon", Unit: "MiB", Bar: 60, Aim: 35},
		{ID: "memory_daemon_growth", Group: Memory, Title: "RSS of the daemon after jobs over idle", Bar: 1.05, Aim: 1},
		{ID: "scale_jobs_done", Group: Throughput, Title: "cost of a job, last third of the jobs over the first", Bar: 1.1, Aim: 1},
		{ID: "scale_running", Group: Scale, Title: "growth with running jobs (exponent)", Bar: 1, Aim: 0.5},
		{ID: "scale_policies", Group: Scale, Title: "growth with policies (exponent)", Bar: 1, Aim: 0.1},
		{ID: "scale_root_files", Group: Scale, Title: "growth with the root's files (exponent)", Bar: 1, Aim: 0.1},
		{ID: "scale_root_dirs", Group: Scale, Title: "growth with the root's directories (exponent)", Bar: 1, Aim: 0.5},
		{ID: "scale_output", Group: Scale, Title: "growth with the output's size (exponent)", Bar: 1, Aim: 1},
		{ID: "scale_input_files", Group: Scale, Title: "growth with input files (exponent)", Bar: 1, Aim: 1},
		{ID: "queue_accepted_1", Group: Queue, Title: "durable jobs/s accepted, one client, over POST /v1/run", Bar: 0.5, Aim: 1, AtLeast: true},
		{ID: "queue_accepted_8", Group: Queue, Title: "the same, 8 clients", Bar: 1, Aim: 2, AtLeast: true},
		{ID: "queue_latency", Group: Queue, Title: "submit to result by events, one client, p50, over POST /v1/run", Bar: 4, Aim: 2},
		{ID: "queue_tail", Group: Queue, Title: "the same, p99", Bar: 4, Aim: 2},
		{ID: "queue_memory", Group: Queue, Title: "memory of the daemon for each job that waits", Unit: "KiB", Bar: 16, Aim: 4},
		{ID: "queue_drain", Group: Queue, Title: "jobs/s of a full queue over POST /v1/run with 8 clients", Bar: 0.7, Aim: 1, AtLeast: true},
		{ID: "queue_recovery", Group: Queue, Title: "start after kill -9 with a full queue over that with an empty one", Bar: 3, Aim: 1.5},
		{ID: "queue_flood", Group: Queue, Title: "p95 wait of one tenant while another floods, in mean job lengths", Bar: 2, Aim: 1},
	}
}

// set tells a figure.
func (r *Report) set(id string, value Stat, note string) {
	f := r.Figure(id)
	f.Value, f.Note, f.Missing = &value, note, ""
}

// missing tells why figures are not there.
func (r *Report) missing(why string, ids ...string) {
	for _, id := range ids {
		if f := r.Figure(id); f.Value == nil {
			f.Missing = why
		}
	}
}

// missingGroup does so for all of a group that are not there yet.
func (r *Report) missingGroup(why, group string) {
	for i := range r.Figures {
		if f := &r.Figures[i]; f.Group == group && f.Value == nil && f.Missing == "" {
			f.Missing = why
		}
	}
}

// Good: every figure that was measured holds its bar.
func (r *Report) Good() bool {
	return !slices.ContainsFunc(r.Figures, func(f Figure) bool { return f.Held() == HeldNot })
}
