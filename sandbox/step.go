package sandbox

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"cordon/cgroup"
	"cordon/internal/cores"
	"cordon/internal/undo"
	"cordon/sandbox/cell"
)

// running is one step of a job while it has a cell.
type running struct {
	spec     *stepSpec
	warm     *warm
	applied  []AppliedLimit
	baseline cgroup.CPU      // used by the cell's own set-up
	view     *viewing        // nil: nobody looks at the cell
	shown    map[uint64]Kept // files of the service's in the scratch, by the inodes that they cover
	blind    error           // a counter could not be read while the job ran, or the job not be ended

	listened     chan struct{}
	ended        chan struct{} // the main process has ended
	piped        chan struct{} // closed when it has written too much into a pipe; nil: nobody counts
	fatalSyscall string        // what has ended the job, if a call has
	awaited      chan struct{}
	end          cell.End
	endErr       error

	started, sent int64 // monotonic ns
}

// kill ends the cell. Where the signal cannot be sent there are two other ways to
// its end, and the job is ours to answer for: a limit may have been late.
func (r *running) kill() {
	err := do(stepKill, r.warm.cell.Kill)
	r.hurry()
	if err == nil {
		return
	}
	r.blind = errors.Join(err, r.warm.group.Kill())
	r.warm.cell.LetGo()
}

// hurry lets a cell that is at its end get there: what dies is throttled like what
// runs. Where the quota cannot be lifted the end only comes later.
func (r *running) hurry() { _ = r.warm.group.Unthrottle() }

// emptyWithin is how long a group may take to be empty after the job's end.
const emptyWithin = 5 * time.Second

// stepInput is what a step gets besides its spec.
type stepInput struct {
	stdin          *os.File // nil: empty
	core           int      // the cell is bound to it; noCore: to none
	pipes          *ends    // to and from other cells, some instead of stdin and a kept stdout; nil: none
	stdout, stderr io.Writer
	gauge          *Gauge    // nil: nobody looks on
	timeline       *Timeline // nil: nobody wants to know when what is printed
	view           *viewing  // the cell is looked at before the exec; nil: it is not
	talk           *talk     // the input is written while it runs; nil: it is stdin
	layer          *os.File  // a tree to be shown at cell.LayerPath; nil: none
	trace          *Trace    // nil: none
}

// stepOutcome is a step's account and its times.
type stepOutcome struct {
	Step
	setup, run, teardown int64 // ns
	exec, over           int64 // monotonic ns: when it began and ended; exec is 0 when it did not begin
}

// runStep runs one program in one fresh cell. inspect is called when the job has no
// process left and the scratch is still there; it may be nil. The error is ours.
func (r *Runner) runStep(ctx context.Context, k *kind, s *stepSpec, in stepInput, inspect func(remains, Verdict) error) (*stepOutcome, error) {
	var u undo.Stack
	defer u.Run()
	defer r.pool.yield.begin()()
	defer in.pipes.close()
	defer in.talk.close()
	defer in.view.close()
	in.trace = TraceOf(ctx)
	run, err := r.begin(ctx, k, s, in, &u)
	if errors.Is(err, errAway) {
		return r.notBegun(ctx), nil
	}
	if err != nil {
		return nil, err
	}
	in.gauge.Show(run.sample)
	defer in.gauge.Show(nil) // where it fails; before the cell is given up in any case
	watch := &watch{running: run, limits: s.limits, stop: r.stop}
	killed := watch.run(ctx)
	dead := monotonic()
	run.trace(in.trace, dead)
	out, err := run.account(killed, dead)
	in.gauge.Show(nil)
	if err != nil {
		return nil, err
	}
	placeOf(ctx).used(out.Usage.CPUNanos)
	in.trace.Mark("accounted")
	if inspect != nil {
		if err := inspect(remains{run.warm.cell.Scratch, run.shown}, out.Verdict); err != nil {
			return nil, err
		}
	}
	out.exec, out.over = run.warm.cell.ExecNanos(), run.over(dead)
	u.Release()
	r.pool.discard(run.warm)
	out.teardown = monotonic() - out.over
	in.trace.Mark("collected")
	return out, nil
}

// tries is how often a step looks for a cell that lives: one that died while it
// waited has run nothing.
const tries = 3

// begin takes a cell, limits it and hands it the job.
func (r *Runner) begin(ctx context.Context, k *kind, s *stepSpec, in stepInput, u *undo.Stack) (*running, error) {
	started := monotonic()
	for try := 1; ; try++ {
		run, err := r.beginOnce(ctx, k, s, in, started, u)
		if !errors.Is(err, cell.ErrGone) || try == tries {
			return run, err
		}
		u.Run()
	}
}

// errAway: nobody waits any more for a step that has not begun.
var errAway = errors.New("the caller has gone, or the service ends")

// notBegun is the account of a step that was given up before its program was started.
func (r *Runner) notBegun(ctx context.Context) *stepOutcome {
	verdict := Cancelled
	if r.ending() || callerGone(ctx) == KilledInterrupted {
		verdict = Interrupted
	}
	return &stepOutcome{Step: Step{Verdict: verdict, Message: Explain(verdict, nil, Limited{}), Events: Events{DeniedSyscalls: []DeniedSyscall{}}}}
}

func (r *Runner) beginOnce(ctx context.Context, k *kind, s *stepSpec, in stepInput, started int64, u *undo.Stack) (*running, error) {
	w, err := r.pool.take(k)
	if err != nil {
		return nil, err
	}
	u.Add(func() { r.pool.drop(w) })
	in.trace.Mark("taken")
	run := &running{spec: s, warm: w, started: started, ended: make(chan struct{}), awaited: make(chan struct{}), listened: make(chan struct{})}
	if err := run.limit(); err != nil {
		return nil, err
	}
	in.trace.Mark("limited")
	if in.core != noCore {
		if err := do(stepPin, func() error { return cores.Pin(w.cell.Pid(), in.core) }); err != nil {
			return nil, err
		}
	}
	if in.layer != nil {
		if err := do(stepLayer, func() error { return w.cell.Layer(in.layer) }); err != nil {
			return nil, err
		}
	}
	if err := run.show(ctx, r.stop, s.shown); err != nil {
		return nil, err
	}
	err = run.start(in, u)
	in.trace.Mark("sent")
	return run, err
}

// limit writes every limit and reads it back before the program can start.
func (r *running) limit() error {
	l, granted := r.spec.limits, r.spec.granted
	applied, err := try(stepSetLimits, func() ([]cgroup.Applied, error) {
		return r.warm.group.SetLimits(cgroup.Limits{MemoryBytes: l.MemoryBytes, Pids: l.Pids + 1, CPUs: l.CPUs})
	})
	if err != nil {
		return err
	}
	values := map[string]float64{"memory_bytes": float64(l.MemoryBytes), "pids": float64(l.Pids), "cpus": l.CPUs}
	for _, a := range applied {
		r.applied = append(r.applied, AppliedLimit{Name: a.Limit, Value: values[a.Limit], EnforcedBy: a.EnforcedBy})
	}
	if err := limitScratch(r.warm.cell.Scratch, l.DiskBytes, l.DiskFiles); err != nil {
		return err
	}
	r.applied = append(r.applied,
		appliedMillis("cpu_ms", l.CPUMillis, granted.CPUMillis, "timer on the group's CPU account, RLIMIT_CPU behind it"),
		appliedMillis("wall_ms", l.WallMillis, granted.WallMillis, "timer on CLOCK_MONOTONIC"),
		AppliedLimit{Name: "output_bytes", Value: float64(l.OutputBytes), EnforcedBy: r.spec.outputBy()},
		AppliedLimit{Name: "disk_bytes", Value: float64(l.DiskBytes), EnforcedBy: "tmpfs size"},
		AppliedLimit{Name: "disk_files", Value: float64(l.DiskFiles), EnforcedBy: "tmpfs nr_inodes"})
	r.applied = append(r.applied, rlimitApplied(l)...)
	r.baseline, err = try(stepBaseline, r.warm.group.CPU)
	return err
}

// start hands the job to the cell and starts everything that follows it.
func (r *running) start(in stepInput, u *undo.Stack) error {
	w := r.warm
	stdin := in.stdin
	if stdin == nil {
		stdin = w.stdin
	}
	if in.talk != nil {
		var err error
		if stdin, err = in.talk.open(w); err != nil {
			return err
		}
	}
	if in.timeline != nil {
		in.timeline.Begin(r.sinceExec)
		w.stdout.heard = func(n int) { in.timeline.Heard(0, n) }
		w.stderr.heard = func(n int) { in.timeline.Heard(1, n) }
	}
	w.stdout.start(r.spec.limits.OutputBytes, in.stdout)
	w.stderr.start(r.spec.limits.OutputBytes, in.stderr)
	u.Add(func() { w.listener.Close(); <-r.listened })
	go func() { defer close(r.listened); w.listener.Run() }()
	stdio := cell.Stdio{In: stdin, Out: w.stdout.theirs, Err: w.stderr.theirs}
	if in.talk != nil && in.talk.wanted.Terminal {
		stdio.Err, stdio.Terminal = stdio.Out, true
	}
	if in.view != nil {
		stdio.View = in.view.theirs
	}
	if in.pipes != nil {
		in.pipes.into(&stdio)
		r.piped = in.pipes.over
	}
	r.sent = monotonic()
	program := &cell.Program{Args: r.spec.args, Env: r.spec.env, Entries: r.spec.entries,
		Rlimits: rlimits(r.spec.limits, r.spec.core), Umask: 0o022}
	err := do(stepStartJob, func() error {
		return w.cell.Run(program, stdio)
	})
	w.stdout.handedOver()
	w.stderr.handedOver()
	if err != nil { // a cell that has died while it waited: the pipes are for another one
		return err
	}
	in.pipes.close()
	if r.view = in.view; r.view != nil {
		r.view.begin(r)
	}
	in.talk.began()
	go func() {
		defer close(r.awaited)
		r.endErr = do(stepAwait, func() (err error) {
			r.end, err = w.cell.Await(func() { close(r.ended) })
			return err
		})
	}()
	return nil
}

// sinceExec is how long the program has run, in ns; 0: it has not begun.
func (r *running) sinceExec() int64 {
	exec := r.warm.cell.ExecNanos()
	if exec == 0 {
		return 0
	}
	return monotonic() - exec
}

// trace notes what has happened since the job was sent.
func (r *running) trace(t *Trace, dead int64) {
	if t == nil {
		return
	}
	t.at("exec", r.warm.cell.ExecNanos())
	<-r.awaited
	t.at("ended", r.end.EndNanos)
	t.at("gone", dead)
}

// over is when the program's own time was over: what follows is ours.
func (r *running) over(dead int64) int64 {
	if r.end.Ended {
		return r.end.EndNanos
	}
	return dead
}

// alone: init has told all that it had to tell, and so that there is no process of
// the job any more, and that none can be born. Its own end, and that of the cell's
// namespaces, is then part of clearing up, for which no result waits.
func (r *running) alone() bool {
	select {
	case <-r.awaited:
		return r.endErr == nil && r.end.Complete
	default:
		return false
	}
}

// account reads, once and after the last process is gone, what the step used. dead
// is when that was.
func (r *running) account(killed KillReason, dead int64) (*stepOutcome, error) {
	<-r.awaited
	<-r.warm.stdout.done
	<-r.warm.stderr.done
	if r.view != nil {
		<-r.view.done
		if r.view.err != nil {
			return nil, r.view.err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), emptyWithin)
	defer cancel()
	var init int64 // at its end, but perhaps not there yet
	if r.alone() {
		init = 1
	}
	if err := do(stepWaitEmpty, func() error { return r.warm.group.WaitFew(ctx, init) }); err != nil {
		// Init has told that it is alone, or its pid namespace is gone: so nothing of
		// the job can be left. If there is something all the same it must not live on.
		return nil, errors.Join(err, r.warm.group.Kill())
	}
	used, err := try(stepUsage, r.warm.group.Usage)
	if err != nil {
		return nil, err
	}
	r.warm.listener.Close() // who could report is gone
	<-r.listened
	select {
	case r.fatalSyscall = <-r.warm.denied: // the last call, with no time left to act
	default:
	}
	e := r.evidence(killed, used)
	out := &stepOutcome{Step: r.step(e, used, dead)}
	if exec := r.warm.cell.ExecNanos(); exec > 0 {
		out.setup, out.run = exec-r.started, out.Usage.WallNanos
	} else {
		out.setup = dead - r.started
	}
	return out, nil
}
