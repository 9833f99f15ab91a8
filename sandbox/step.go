package sandbox

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"cordon/cgroup"
	"cordon/internal/undo"
	"cordon/sandbox/cell"
	"cordon/seccomp"
)

// running is one step of a job while it has a cell.
type running struct {
	spec     *stepSpec
	warm     *warm
	applied  []AppliedLimit
	baseline cgroup.CPU // used by the cell's own set-up
	blind    error      // a counter could not be read while the job ran, or the job not be ended

	stdout, stderr *stream
	listener       *seccomp.Listener
	listened       chan struct{}
	ended          chan struct{} // the main process has ended
	denied         chan struct{} // the filter's reader wants the end
	fatalSyscall   string
	awaited        chan struct{}
	end            cell.End
	endErr         error

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

// emptyWithin is how long a group may take to be empty after its init is gone.
const emptyWithin = 5 * time.Second

// stepInput is what a step gets besides its spec.
type stepInput struct {
	stdin          *os.File // nil: empty
	stdout, stderr io.Writer
}

// stepOutcome is a step's account and its times.
type stepOutcome struct {
	Step
	setup, run, teardown int64 // ns
}

// runStep runs one program in one fresh cell. inspect is called when the group is
// empty and the scratch still there; it may be nil. The error is ours.
func (r *Runner) runStep(ctx context.Context, k *kind, s *stepSpec, in stepInput, inspect func(*os.File, Verdict) error) (*stepOutcome, error) {
	var u undo.Stack
	defer u.Run()
	run, err := r.begin(k, s, in, &u)
	if err != nil {
		return nil, err
	}
	watch := &watch{running: run, limits: s.limits, stop: r.stop}
	killed := watch.run(ctx)
	out, err := run.account(killed)
	if err != nil {
		return nil, err
	}
	if inspect != nil {
		if err := inspect(run.warm.cell.Scratch, out.Verdict); err != nil {
			return nil, err
		}
	}
	teardown := monotonic()
	u.Run()
	out.teardown = monotonic() - teardown
	return out, nil
}

// tries is how often a step looks for a cell that lives: one that died while it
// waited has run nothing.
const tries = 3

// begin takes a cell, limits it and hands it the job.
func (r *Runner) begin(k *kind, s *stepSpec, in stepInput, u *undo.Stack) (*running, error) {
	started := monotonic()
	for try := 1; ; try++ {
		run, err := r.beginOnce(k, s, in, started, u)
		if !errors.Is(err, cell.ErrGone) || try == tries {
			return run, err
		}
		u.Run()
	}
}

func (r *Runner) beginOnce(k *kind, s *stepSpec, in stepInput, started int64, u *undo.Stack) (*running, error) {
	w, err := r.pool.take(k)
	if err != nil {
		return nil, err
	}
	u.Add(func() { r.pool.drop(w) })
	run := &running{spec: s, warm: w, started: started, ended: make(chan struct{}), denied: make(chan struct{}, 1),
		awaited: make(chan struct{}), listened: make(chan struct{})}
	if err := run.limit(); err != nil {
		return nil, err
	}
	return run, run.start(in, u)
}

// limit writes every limit and reads it back before the program can start.
func (r *running) limit() error {
	l := r.spec.limits
	applied, err := try(stepSetLimits, func() ([]cgroup.Applied, error) {
		return r.warm.group.SetLimits(cgroup.Limits{MemoryBytes: l.MemoryBytes, Pids: l.Pids + 1, CPUs: l.CPUs})
	})
	if err != nil {
		return err
	}
	values := map[string]float64{"memory_bytes": float64(l.MemoryBytes), "pids": float64(l.Pids), "cpus": l.CPUs}
	for _, a := range applied {
		r.applied = append(r.applied, AppliedLimit{a.Limit, values[a.Limit], a.EnforcedBy})
	}
	if err := limitScratch(r.warm.cell.Scratch, l.DiskBytes, l.DiskFiles); err != nil {
		return err
	}
	r.applied = append(r.applied,
		AppliedLimit{"cpu_ms", float64(l.CPUMillis), "timer on the group's CPU account, RLIMIT_CPU behind it"},
		AppliedLimit{"wall_ms", float64(l.WallMillis), "timer on CLOCK_MONOTONIC"},
		AppliedLimit{"output_bytes", float64(l.OutputBytes), "capped pipe"},
		AppliedLimit{"disk_bytes", float64(l.DiskBytes), "tmpfs size"},
		AppliedLimit{"disk_files", float64(l.DiskFiles), "tmpfs nr_inodes"})
	r.applied = append(r.applied, rlimitApplied(l)...)
	r.baseline, err = try(stepBaseline, r.warm.group.CPU)
	return err
}

// start hands the job to the cell and starts everything that follows it.
func (r *running) start(in stepInput, u *undo.Stack) error {
	stdout, stderr, err := r.pipes(in)
	if err != nil {
		return err
	}
	defer stdout.Close()
	defer stderr.Close()
	if err := r.own(stdout, stderr); err != nil {
		r.stdout.read.Close()
		r.stderr.read.Close()
		return err
	}
	go r.stdout.drain()
	go r.stderr.drain()
	stdin := in.stdin
	if stdin == nil {
		if stdin, err = try(stepNoStdin, func() (*os.File, error) { return cell.Input(nil) }); err != nil {
			return err
		}
		defer stdin.Close()
	}
	r.listener, err = try(stepListen, func() (*seccomp.Listener, error) {
		return seccomp.NewListener(r.warm.cell.Listener, r.warm.kind.program, r.deny)
	})
	if err != nil {
		return err
	}
	r.warm.cell.Listener = nil // the listener's now
	u.Add(func() { r.listener.Close(); <-r.listened })
	go func() { defer close(r.listened); r.listener.Run() }()
	r.sent = monotonic()
	program := &cell.Program{Args: r.spec.args, Env: r.spec.env, Entries: r.spec.entries,
		Rlimits: rlimits(r.spec.limits, r.spec.core), Umask: 0o022}
	err = do(stepStartJob, func() error { return r.warm.cell.Run(program, cell.Stdio{In: stdin, Out: stdout, Err: stderr}) })
	if err != nil {
		return err
	}
	go func() {
		defer close(r.awaited)
		r.endErr = do(stepAwait, func() (err error) {
			r.end, err = r.warm.cell.Await(func() { close(r.ended) })
			return err
		})
	}()
	return nil
}

// pipes makes both streams; the write ends are the caller's to close.
func (r *running) pipes(in stepInput) (stdout, stderr *os.File, err error) {
	make := func(s step, tee io.Writer, theirs **os.File) (*stream, error) {
		return try(s, func() (ours *stream, err error) {
			ours, *theirs, err = newStream(r.spec.limits.OutputBytes, tee)
			return ours, err
		})
	}
	if r.stdout, err = make(stepStdout, in.stdout, &stdout); err != nil {
		return nil, nil, err
	}
	if r.stderr, err = make(stepStderr, in.stderr, &stderr); err != nil {
		r.stdout.read.Close()
		stdout.Close()
		return nil, nil, err
	}
	return stdout, stderr, nil
}

// own gives the pipes to the job's user: programs open /dev/stdout and /dev/stderr
// by name.
func (r *running) own(files ...*os.File) error {
	if r.warm.firstID == 0 { // a single id: they are its user's
		return nil
	}
	for _, f := range files {
		if err := do(stepGivePipes, func() error { return f.Chown(r.warm.firstID+1, r.warm.firstID+1) }); err != nil {
			return err
		}
	}
	return nil
}

// deny is called by the listener when a call asks for the end of the job.
func (r *running) deny(name string) {
	select {
	case r.denied <- struct{}{}:
		r.fatalSyscall = name
	default:
	}
}

// account reads, once and after the last process is gone, what the step used.
func (r *running) account(killed KillReason) (*stepOutcome, error) {
	dead := monotonic()
	<-r.awaited
	<-r.stdout.done
	<-r.stderr.done
	ctx, cancel := context.WithTimeout(context.Background(), emptyWithin)
	defer cancel()
	if err := do(stepWaitEmpty, func() error { return r.warm.group.WaitEmpty(ctx) }); err != nil {
		// The pid namespace is gone, so nothing of ours can be left; if there is
		// something all the same it must not live on.
		return nil, errors.Join(err, r.warm.group.Kill())
	}
	used, err := try(stepUsage, r.warm.group.Usage)
	if err != nil {
		return nil, err
	}
	<-r.listened
	e := r.evidence(killed, used)
	out := &stepOutcome{Step: r.step(e, used, dead)}
	if exec := r.warm.cell.ExecNanos(); exec > 0 {
		out.setup, out.run = exec-r.started, out.Usage.WallNanos
	} else {
		out.setup = dead - r.started
	}
	return out, nil
}
