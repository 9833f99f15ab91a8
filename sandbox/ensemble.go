package sandbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"cordon/internal/undo"
	"cordon/judge"
)

// member is one of the programs of a test that run at once.
type member struct {
	name    string
	spec    *stepSpec
	in      stepInput
	inspect func(remains, Verdict) error
	said    []byte // by an interactor, in a file

	ctx context.Context
	end context.CancelCauseFunc
	out *stepOutcome
	err error
}

// decided: it was ended because of what the interactor had said.
func (m *member) decided() bool { return errors.Is(context.Cause(m.ctx), errDecided) }

func (m *member) ending() ending {
	began := m.out.exec
	if began == 0 { // it never did
		began = m.out.over
	}
	return ending{m.name, &m.out.Step, began, m.out.over, m.spec.limits.WallMillis * int64(time.Millisecond), m.decided()}
}

// errDecided ends a program about which its interactor has said all there is to say, and
// errAlone one whose partners could not be run.
var (
	errDecided = errors.New("the interactor has decided")
	errAlone   = errors.New("another program could not be run")
)

// ensemble is a test while its programs run: the job's own, the further ones, and the
// interactor last.
type ensemble struct {
	*suite
	members []*member
	judge   int // index of the interactor, -1: none
	witness witness
	scribe  *scribe           // nil: no transcript
	over    map[int]*overflow // of those whose words are carried
	undo    undo.Stack
}

// together runs all programs of a test at once, each in its own cell.
func (t *suite) together(ctx context.Context, test *Test, spec *stepSpec, core int, r *TestResult) (*stepOutcome, error) {
	e := &ensemble{suite: t, judge: -1}
	defer e.undo.Run()
	if err := e.gather(test, spec); err != nil {
		return nil, err
	}
	if err := e.place(ctx, core); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e.lay(func() { cancel(errAlone) })
	e.undo.Add(e.witness.close)
	if err := do(stepPipes, func() error { return e.witness.join(e.judge) }); err != nil {
		return nil, err
	}
	e.witness.after = e.shortestWall() / 10 * 9
	for i, m := range e.members {
		m.in.pipes = e.witness.ends(i)
		m.ctx, m.end = context.WithCancelCause(ctx)
		defer m.end(nil)
	}
	var wait sync.WaitGroup
	for i, m := range e.members {
		wait.Go(func() {
			if m.out, m.err = t.runner.runStep(m.ctx, t.kind, m.spec, m.in, m.inspect); m.err != nil {
				cancel(errAlone)
			}
			e.ended(i)
		})
	}
	wait.Wait()
	e.witness.close()
	return e.conclude(r)
}

func (e *ensemble) shortestWall() time.Duration {
	shortest := e.members[0].spec.limits.WallMillis
	for _, m := range e.members {
		shortest = min(shortest, m.spec.limits.WallMillis)
	}
	return time.Duration(shortest) * time.Millisecond
}

// ended lets the others notice. Those that go on when the interactor has found them wrong
// are ended; one that has closed its output is at its end, and about to tell how.
func (e *ensemble) ended(i int) {
	e.witness.look(i)
	if i != e.judge || e.members[i].err == nil && e.opinion(e.members[i]).Accepted {
		return
	}
	for k, m := range e.members[:e.judge] {
		if !e.witness.leaving(k) {
			m.end(errDecided)
		}
	}
}

func (e *ensemble) opinion(m *member) judge.Opinion {
	return e.checker.opinion(&m.out.Step, m.said)
}

// gather makes the members.
func (e *ensemble) gather(test *Test, spec *stepSpec) error {
	job := e.spec.Job
	own := &member{name: MainProgram, spec: spec, in: stepInput{layer: e.layer}}
	if len(job.Outputs) > 0 { // of a single run
		own.inspect = func(left remains, _ Verdict) (err error) {
			e.files, err = collectorOf(own.ctx, e.spec, left).collect(job.Outputs)
			return err
		}
	}
	e.members = append(e.members, own)
	if !job.interactive() {
		if err := e.feed(own, &test.Stdin); err != nil {
			return err
		}
	}
	for i := range e.parts {
		p := &e.parts[i]
		s := e.runner.stepSpec(p.grant.Limits)
		s.args, s.env, s.entries = p.args(), p.env, p.entries
		m := &member{name: p.Name, spec: s, in: stepInput{layer: p.layer}}
		if err := e.feed(m, &p.Stdin); err != nil {
			return err
		}
		e.members = append(e.members, m)
	}
	if !job.interactive() {
		return nil
	}
	s, err := e.checker.interactorSpec(e.suite, test, e.members)
	m := &member{name: Interactor, spec: s, in: stepInput{layer: e.checker.build.Dir}}
	m.inspect = e.checker.feedback(&m.said)
	e.judge, e.members = len(e.members), append(e.members, m)
	return err
}

func (e *ensemble) feed(m *member, stdin *Content) error {
	done, err := m.in.feed(stdin)
	if err == nil {
		e.undo.Add(done)
	}
	return err
}

// place binds the members to cores, where that was asked for. core is that of the job's
// own program, if it is measured.
func (e *ensemble) place(ctx context.Context, core int) error {
	for _, m := range e.members {
		m.in.core = noCore
	}
	e.members[0].in.core = core
	wanted := map[Cores]int{Together: 1, Apart: len(e.members)}[e.spec.Job.Cores]
	if wanted == 0 {
		return nil
	}
	given, err := e.runner.takeCores(ctx, wanted)
	if err != nil {
		return err
	}
	e.undo.Add(func() { e.runner.giveCores(given) })
	for i, m := range e.members {
		m.in.core = given[i%wanted]
	}
	return nil
}

// lay prepares the pipes, with a relay in each where there is to be a transcript. broken is
// called when one of these fails.
func (e *ensemble) lay(broken func()) {
	job := e.spec.Job
	if job.TranscriptBytes > 0 {
		e.scribe = &scribe{room: job.TranscriptBytes}
	}
	names := job.names()
	e.over = map[int]*overflow{}
	for _, p := range job.pipes() {
		j := &joint{from: slices.Index(names, p.From.Program), to: slices.Index(names, p.To.Program), fromFD: p.From.FD, toFD: p.To.FD}
		if e.scribe != nil {
			if e.over[j.from] == nil {
				e.over[j.from] = &overflow{over: make(chan struct{})}
			}
			j.relay = &relay{scribe: e.scribe, from: p.From, to: p.To, limit: e.members[j.from].spec.limits.OutputBytes,
				overflow: e.over[j.from], broken: broken, done: make(chan struct{})}
		}
		e.witness.joints = append(e.witness.joints, j)
	}
}

// conclude judges what has been seen, and writes the account.
func (e *ensemble) conclude(r *TestResult) (*stepOutcome, error) {
	var failed []error
	for _, m := range e.members {
		failed = append(failed, m.err)
	}
	for _, j := range e.witness.joints {
		if j.relay != nil {
			failed = append(failed, j.relay.err)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	end := ensembleEnd{interactor: e.judge}
	end.pipes, end.glimpse = e.witness.seen()
	start := e.members[0].out.exec
	for i, m := range e.members {
		e.over[i].late(&m.out.Step, m.spec.limits.OutputBytes)
		end.programs = append(end.programs, m.ending())
		if m.out.exec > 0 && (m.out.exec < start || start == 0) {
			start = m.out.exec
		}
	}
	if e.judge >= 0 {
		m := e.members[e.judge]
		end.opinion = e.opinion(m)
		r.Checker, r.Points = &m.out.Step, end.opinion.Points
	}
	if e.scribe != nil {
		r.Transcript = e.scribe.since(start)
	}
	e.account(&end, r)
	out := *e.members[0].out // for who runs it again
	out.Verdict, out.Usage = r.Verdict, r.Usage
	return &out, nil
}

// account tells of all programs, and of the test what is decided about it.
func (e *ensemble) account(end *ensembleEnd, r *TestResult) {
	verdict := end.settle()
	r.Step = e.members[0].out.Step
	r.Verdict, r.Message = verdict.Verdict, verdict.Message
	r.Programs, r.Fault = nil, nil
	for _, m := range e.members {
		most := e.spec.Job.KeepOutput
		if m != e.members[0] { // which may have to be compared
			keep(&m.out.Stdout, &m.out.StdoutTruncated, most)
			keep(&m.out.Stderr, &m.out.StderrTruncated, most)
		}
		if len(e.parts) > 0 && m.name != Interactor {
			r.Programs = append(r.Programs, ProgramResult{m.name, m.out.Step})
		}
	}
	if len(e.parts) == 0 {
		return
	}
	for _, i := range verdict.fault {
		r.Fault = append(r.Fault, e.members[i].name)
	}
	r.Usage = e.members[0].out.Usage
	for _, p := range r.Programs[1:] {
		r.Usage.beside(&p.Usage)
	}
	r.ExitCode, r.Signal, r.ExecErrno, r.Events = nil, "", 0, Events{DeniedSyscalls: []DeniedSyscall{}}
}

// beside adds what another program has used at the same time.
func (u *Usage) beside(more *Usage) {
	wall, memory, disk, pids := max(u.WallNanos, more.WallNanos), u.MemoryPeakBytes+more.MemoryPeakBytes, u.DiskBytes+more.DiskBytes, sum(u.PidsPeak, more.PidsPeak)
	u.add(more)
	u.WallNanos, u.MemoryPeakBytes, u.DiskBytes, u.PidsPeak = wall, memory, disk, pids
}
