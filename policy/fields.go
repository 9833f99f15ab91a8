package policy

import (
	"fmt"
	"strconv"
)

// Field describes one limit: what it is called, its unit, and the bounds that
// hold for every policy. Values are float64 here, so that one table serves all
// limits: every ceiling is far below 2^53, where float64 still counts exactly.
type Field struct {
	Name    string  // as in JSON and YAML
	Unit    string  // "ms", "bytes", "" for counts
	Meaning string  // one line for people
	Floor   float64 // the least that can be enforced or makes a program run
	Ceiling float64 // the most any policy may allow
	Why     string  // where floor and ceiling come from
	Whole   bool    // only whole numbers

	access
}

// access reaches one limit in the four structs that carry it.
type access interface {
	rule(*LimitRules) (r rule, ok bool)
	asked(*LimitRequest) (v float64, ok bool)
	ask(*LimitRequest, string) error
	over(q, more *LimitRequest) // what more asks for wins
	put(*Limits, float64)
	value(*Limits) float64
	merge(parent, child *LimitRules) // fills in what child leaves out
}

// rule is a Rule seen as float64. A nil pointer is a value left out.
type rule struct {
	def, max *float64
	reason   string
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
	day = 24 * 60 * 60 * 1000 // ms
)

// Fields lists every limit in the order of the struct Limits. The slice is
// shared: do not change it.
func Fields() []Field { return fields }

var fields = []Field{
	{"cpu_ms", "ms", "CPU time of the whole group, user and system", 1, 30 * day,
		"a timer cannot wait for less than 1 ms; 30 days is longer than any job", true,
		reach[int64]{func(r *LimitRules) **Rule[int64] { return &r.CPUMillis }, func(q *LimitRequest) **int64 { return &q.CPUMillis }, func(l *Limits) *int64 { return &l.CPUMillis }}},
	{"wall_ms", "ms", "monotonic time from exec to the end of the main process", 1, 7 * day,
		"a timer cannot wait for less than 1 ms; a job that sleeps has no other end, so 7 days is the most", true,
		reach[int64]{func(r *LimitRules) **Rule[int64] { return &r.WallMillis }, func(q *LimitRequest) **int64 { return &q.WallMillis }, func(l *Limits) *int64 { return &l.WallMillis }}},
	{"memory_bytes", "bytes", "everything charged to the group, scratch included; swap is off", mib, tib,
		"below 1 MiB not even the exec of a static program fits", true,
		reach[int64]{func(r *LimitRules) **Rule[int64] { return &r.MemoryBytes }, func(q *LimitRequest) **int64 { return &q.MemoryBytes }, func(l *Limits) *int64 { return &l.MemoryBytes }}},
	{"pids", "", "processes and threads at once", 1, 1 << 22,
		"the program itself is one; the kernel knows at most 2^22 (PID_MAX_LIMIT)", true,
		reach[int64]{func(r *LimitRules) **Rule[int64] { return &r.Pids }, func(q *LimitRequest) **int64 { return &q.Pids }, func(l *Limits) *int64 { return &l.Pids }}},
	{"output_bytes", "bytes", "each of stdout and stderr", 1, gib,
		"the daemon holds the output in its own memory until the answer is sent", true,
		reach[int64]{func(r *LimitRules) **Rule[int64] { return &r.OutputBytes }, func(q *LimitRequest) **int64 { return &q.OutputBytes }, func(l *Limits) *int64 { return &l.OutputBytes }}},
	{"disk_bytes", "bytes", "scratch: /work, /tmp and /dev/shm together; charged to memory as well", 64 * kib, tib,
		"a tmpfs counts whole pages, up to 64 KiB each on arm64", true,
		reach[int64]{func(r *LimitRules) **Rule[int64] { return &r.DiskBytes }, func(q *LimitRequest) **int64 { return &q.DiskBytes }, func(l *Limits) *int64 { return &l.DiskBytes }}},
	{"disk_files", "", "inodes of the scratch", 16, 1 << 24,
		"the directories of the scratch itself need a few; each inode costs kernel memory", true,
		reach[int64]{func(r *LimitRules) **Rule[int64] { return &r.DiskFiles }, func(q *LimitRequest) **int64 { return &q.DiskFiles }, func(l *Limits) *int64 { return &l.DiskFiles }}},
	{"open_files", "", "open file descriptors of one process (RLIMIT_NOFILE)", 8, 1 << 20,
		"standard streams and the dynamic loader need 8; the kernel's own ceiling is 2^20 (fs.nr_open)", true,
		reach[int64]{func(r *LimitRules) **Rule[int64] { return &r.OpenFiles }, func(q *LimitRequest) **int64 { return &q.OpenFiles }, func(l *Limits) *int64 { return &l.OpenFiles }}},
	{"file_bytes", "bytes", "size of one file (RLIMIT_FSIZE)", 1, tib,
		"a limit of 0 would forbid every write; a file cannot outgrow the scratch", true,
		reach[int64]{func(r *LimitRules) **Rule[int64] { return &r.FileBytes }, func(q *LimitRequest) **int64 { return &q.FileBytes }, func(l *Limits) *int64 { return &l.FileBytes }}},
	{"stack_bytes", "bytes", "stack of the main thread (RLIMIT_STACK)", 128 * kib, tib,
		"the kernel grants arguments at least 128 KiB of it (execve(2))", true,
		reach[int64]{func(r *LimitRules) **Rule[int64] { return &r.StackBytes }, func(q *LimitRequest) **int64 { return &q.StackBytes }, func(l *Limits) *int64 { return &l.StackBytes }}},
	{"cpus", "", "CPU rate: 1.5 is one and a half cores' worth", 0.01, 1024,
		"the kernel's smallest quota is 1 ms in a period of 100 ms; more than the machine has does no harm", false,
		reach[float64]{func(r *LimitRules) **Rule[float64] { return &r.CPUs }, func(q *LimitRequest) **float64 { return &q.CPUs }, func(l *Limits) *float64 { return &l.CPUs }}},
}

// reach implements access by pointers into the structs.
type reach[N int64 | float64] struct {
	rules  func(*LimitRules) **Rule[N]
	wanted func(*LimitRequest) **N
	limit  func(*Limits) *N
}

func (a reach[N]) rule(rs *LimitRules) (rule, bool) {
	r := *a.rules(rs)
	if r == nil {
		return rule{}, false
	}
	return rule{asFloat(r.Default), asFloat(r.Max), r.Reason}, true
}

func asFloat[N int64 | float64](v *N) *float64 {
	if v == nil {
		return nil
	}
	f := float64(*v)
	return &f
}

func (a reach[N]) asked(q *LimitRequest) (float64, bool) {
	if v := *a.wanted(q); v != nil {
		return float64(*v), true
	}
	return 0, false
}

func (a reach[N]) ask(q *LimitRequest, text string) error {
	var v N
	var err error
	switch p := any(&v).(type) {
	case *int64:
		*p, err = strconv.ParseInt(text, 10, 64)
	case *float64:
		*p, err = strconv.ParseFloat(text, 64)
	}
	if err != nil {
		return fmt.Errorf("%q is not a number: %w", text, err)
	}
	*a.wanted(q) = &v
	return nil
}

func (a reach[N]) over(q, more *LimitRequest) {
	if v := *a.wanted(more); v != nil {
		*a.wanted(q) = v
	}
}

func (a reach[N]) put(l *Limits, v float64) { *a.limit(l) = N(v) }

func (a reach[N]) value(l *Limits) float64 { return float64(*a.limit(l)) }

func (a reach[N]) merge(parent, child *LimitRules) {
	p, c := *a.rules(parent), a.rules(child)
	if p == nil && *c == nil {
		return
	}
	// Copies all the way down: the documents must stay as they were written.
	merged := clone(or(*c, p))
	if p != nil {
		merged.Default, merged.Max = or(merged.Default, p.Default), or(merged.Max, p.Max)
	}
	merged.Default, merged.Max = clone(merged.Default), clone(merged.Max)
	*c = merged
}
