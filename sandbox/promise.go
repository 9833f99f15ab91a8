package sandbox

import (
	"errors"
	"fmt"

	"cordon/policy"
	"cordon/sandbox/line"
)

// Promise is what a job may use at once in a place: the most that a cell of it, or those
// that run together, are granted. What is promised to all jobs that run is bounded
// (Config.Memory, Config.CPUs). A cell that waits for a job is promised nothing.
type Promise struct {
	Memory int64
	CPUs   float64
}

// Promise tells what a job would be promised. A job that could never be let in, or that Run
// would not take, is an error.
func (r *Runner) Promise(job *Job) (Promise, error) {
	s, err := r.resolve(job)
	if err != nil {
		return Promise{}, err
	}
	needs := append(s.builds(), s.runs()...)
	want := r.want(s, needs)
	return Promise{want.Memory, want.CPUs}, refused(needs, r.line.Check(want))
}

// need is what one cell of a job, or several at once, may use, and where that was asked for.
type need struct {
	field  string
	memory int64
	cpus   float64
}

func needOf(field string, l *policy.Limits) need { return need{field, l.MemoryBytes, l.CPUs} }

// builds are those of the job's programs and of its checker, one after the other.
func (s *Spec) builds() (all []need) {
	if len(s.Job.Build) > 0 {
		all = append(all, needOf("build.limits", &s.Grant.BuildLimits))
	}
	for i, g := range s.Programs {
		if len(s.Job.Programs[i].Build) > 0 {
			all = append(all, needOf(fmt.Sprintf("programs[%d].build.limits", i), &g.BuildLimits))
		}
	}
	if c := s.Job.Checker; c != nil && len(c.Build) > 0 {
		all = append(all, needOf(c.field()+".build.limits", &s.Checker.BuildLimits))
	}
	return all
}

// runs are the run, or the tests: in each, the programs at once and the checker behind them.
func (s *Spec) runs() (all []need) {
	if len(s.Tests) == 0 {
		return []need{s.together(needOf("limits", &s.Grant.Limits))}
	}
	job := false
	for i, g := range s.Tests {
		field := "limits"
		if g != s.Grant && !s.Single {
			field = fmt.Sprintf("tests[%d].limits", i)
		} else if job { // it asks for what another has asked for
			continue
		} else {
			job = true
		}
		all = append(all, s.together(needOf(field, &g.Limits)))
	}
	if c := s.Job.Checker; c != nil && !c.Interactive {
		all = append(all, needOf(c.field()+".limits", &s.Checker.Limits))
	}
	return all
}

// together adds what runs beside the job's own program.
func (s *Spec) together(own need) need {
	more := func(g *policy.Grant, field string) {
		own.field = field
		own.memory += g.Limits.MemoryBytes
		own.cpus += g.Limits.CPUs
	}
	if c := s.Job.Checker; c != nil && c.Interactive {
		more(s.Checker, c.field())
	}
	for _, g := range s.Programs {
		more(g, "programs")
	}
	return own
}

// want is a place for any of some needs. No rate is worth more than the host has.
func (r *Runner) want(s *Spec, needs []need) line.Want {
	w := line.Want{Tenant: s.Job.Tenant, Queued: s.queued}
	for _, n := range needs {
		w.Memory, w.CPUs = max(w.Memory, n.memory), max(w.CPUs, n.cpus)
	}
	if host := r.config.HostCPUs; host > 0 {
		w.CPUs = min(w.CPUs, host)
	}
	return w
}

// refused names the field that asks for more than can be promised.
func refused(needs []need, err error) error {
	var much *line.TooMuch
	if !errors.As(err, &much) {
		return err
	}
	most := needs[0]
	for _, n := range needs[1:] {
		if much.CPUs && n.cpus > most.cpus || !much.CPUs && n.memory > most.memory {
			most = n
		}
	}
	return refusedAs(most.field, err)
}

func refusedAs(field string, err error) error {
	var much *line.TooMuch
	if !errors.As(err, &much) {
		return err
	}
	detail := much.Error() + "; "
	switch {
	case field == "programs":
		detail = "all programs of the job together: " + detail
	case field == "interactor":
		detail = "the program and its interactor together: " + detail
	case much.CPUs:
		field += ".cpus"
	default:
		field += ".memory_bytes"
	}
	if much.Tenant {
		return &InvalidError{field, detail + "ask for less: it would wait for ever"}
	}
	return &InvalidError{field, detail + "ask for less: it would wait for ever. The operator says by --overcommit how much may be promised"}
}
