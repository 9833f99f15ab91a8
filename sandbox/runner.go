package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"cordon/builds"
	"cordon/cgroup"
	"cordon/policy"
	"cordon/rootfs"
	"cordon/sandbox/cell"
	"cordon/sandbox/line"
	"cordon/userns"
)

// Policies resolve a request against a named policy.
type Policies interface {
	Resolve(name string, q policy.Request) (*policy.Grant, error)
}

// Share is what a tenant may have at once; what is 0 is not bounded.
type Share = line.Share

// Config is what a Runner stands on.
type Config struct {
	Policies Policies
	Cgroups  cgroup.Driver
	Host     rootfs.Host
	Images   rootfs.Images // those that jobs can name; nil: none
	// ImageTemplates is how many fork servers of images there are at once; 0 is 8.
	ImageTemplates int
	Ranges         *userns.Ranges // nil: no subordinate range, every job has the service user's id
	// CPUScale is how many times as long as elsewhere a program takes on this host: limits of
	// CPU time and wall time are multiplied by it when they are enforced; 0 is 1.
	CPUScale float64
	Parallel int // jobs that run at once; others wait
	// Queued is how many of these may be from the queue, by Reserve; 0: all.
	Queued int
	// Memory and CPUs are what jobs that run at once may be promised, all together; 0: any.
	Memory int64
	CPUs   float64
	// HostCPUs is what the host has: no job is promised more, whatever its rate; 0: not known.
	HostCPUs float64
	// Tenants bound what each may have of that; nil: all of it. See Runner.Reconsider.
	Tenants  func(name string) Share
	Warm     int // warm cells kept of each kind, at least; 0: none
	WarmMost int // as many as the pool may learn that it needs
	// BuildsDir is where builds are kept, emptied at the start, and BuildsBytes how much
	// of them. Without a directory they are in one of their own, which is gone with Close.
	BuildsDir   string
	BuildsBytes int64
	Logger      *slog.Logger
}

// Runner runs jobs. Its methods may be called concurrently.
type Runner struct {
	config   Config
	pool     *pool
	line     *line.Line
	stopping context.Context // done by Close
	stopped  context.CancelFunc
	stop     <-chan struct{} // stopping.Done()
	jobs     sync.WaitGroup
	mu       sync.Mutex // orders jobs.Add against Close
	closing  bool

	core      uint64 // RLIMIT_CORE of every job
	coreErr   error
	hard      hardLimits
	limitsErr error

	cores      chan int      // that no pinned program has
	manyCores  chan struct{} // who has it may take several of them
	buildsOnce sync.Once
	buildsKept atomic.Pointer[Builds]
	buildsErr  error
}

// New makes a Runner. Nothing is started before the first job or Prepare.
func New(c Config) *Runner {
	r := &Runner{config: c, cores: ownCores(), manyCores: make(chan struct{}, 1)}
	r.stopping, r.stopped = context.WithCancel(context.Background())
	r.stop = r.stopping.Done()
	r.line = line.New(line.Config{All: Share{Places: c.Parallel, Memory: c.Memory, CPUs: c.CPUs}, Queued: c.Queued, Tenants: c.Tenants, Stop: r.stop})
	r.pool = newPool(&r.config)
	r.core, r.coreErr = ownCoreLimit()
	r.hard, r.limitsErr = ownHardLimits()
	_ = cell.HoldProgram() // where it fails, so does every start of a fork server
	return r
}

// Stats are the numbers a monitor wants.
type Stats struct {
	Running   int64 // jobs, and tests of jobs, with a place
	Waiting   int64 // for one
	Tenants   int64 // whose jobs wait
	Memory    int64 // bytes promised to those that run
	CPUs      float64
	MemoryAll int64 // that may be promised; 0: any
	CPUsAll   float64
	WarmCells int64
	Clearing  int64 // cells that have done their work and are being taken down
	Networks  int64 // network namespaces that nobody has used, kept for cells to come
	FreeIDs   int64 // id ranges no cell uses; 0 without subordinate ids
	Leaks     int64 // cells, cgroups or files that could not be taken down
	Builds    builds.Stats
	Kinds     []KindStats
}

// KindStats are the warm cells of one root and one filter.
type KindStats struct {
	Kind     string
	Policies []string // whose jobs have used it
	Warm     int      // that wait
	Wanted   int      // that should
	Users    int      // that hold the kind now
}

// Stats reads the numbers.
func (r *Runner) Stats() Stats {
	now := r.line.Stats()
	s := Stats{Running: int64(now.Running), Waiting: int64(now.Waiting), Tenants: int64(now.WaitingTenants),
		Memory: now.Memory, CPUs: now.CPUs, MemoryAll: now.All.Memory, CPUsAll: now.All.CPUs, WarmCells: r.pool.warmCells(), Clearing: r.pool.clearing.running(),
		Networks: r.pool.networks.kept(), Kinds: r.pool.stats(), Leaks: r.pool.leaks.Load()}
	if kept := r.buildsKept.Load(); kept != nil {
		s.Builds = kept.Stats()
	}
	if r.config.Ranges != nil {
		s.FreeIDs = int64(r.config.Ranges.Free())
	}
	return s
}

// Prepare makes the fork server and warm cells for a policy ahead of its first
// job, and so proves that every guard can be applied on this host.
func (r *Runner) Prepare(name string) error {
	if !r.enter() {
		return ErrShuttingDown
	}
	defer r.jobs.Done()
	grant, err := r.config.Policies.Resolve(name, policy.Request{})
	if err != nil {
		return err
	}
	if err := r.rlimitsHold(grant); err != nil {
		return err
	}
	if _, err := r.builds(); err != nil { // what an earlier service has left goes now
		return err
	}
	k, err := r.pool.kind(grant)
	if err != nil {
		return err
	}
	defer r.pool.release(k)
	w, err := r.pool.take(k)
	if err != nil {
		return err
	}
	defer r.pool.drop(w)
	return (&running{spec: r.stepSpec(grant.Limits), warm: w}).limit()
}

// rlimitsHold: the service may set what its jobs need.
func (r *Runner) rlimitsHold(g *policy.Grant) error {
	if err := do(stepCoreLimit, func() error { return r.coreErr }); err != nil {
		return err
	}
	return do(stepCheckRlimits, func() error {
		return errors.Join(r.limitsErr, r.hard.check(r.stepSpec(g.Limits).limits, r.core), r.hard.check(r.stepSpec(g.BuildLimits).limits, r.core))
	})
}

// Run runs a job to its end. The error is a refusal (ErrInvalidJob,
// policy.ErrDenied, ErrShuttingDown) or a failure of ours before there was
// anything to tell; everything about the program is in the Result, also
// internal_error with its stage.
func (r *Runner) Run(ctx context.Context, job *Job) (*Result, error) { return r.runIn(ctx, job, nil) }

// runIn is Run, in a place that is taken already, or nil.
func (r *Runner) runIn(ctx context.Context, job *Job, at *place) (*Result, error) {
	if !r.enter() {
		return nil, ErrShuttingDown
	}
	defer r.jobs.Done()
	spec, err := r.resolve(job)
	if err != nil {
		return nil, err
	}
	queued := monotonic()
	if err := r.admit(ctx, spec, at); err != nil {
		return nil, err
	}
	defer spec.place.give()
	if job.Placed != nil {
		job.Placed()
	}
	result := &Result{ID: job.ID, Policy: spec.Grant.Policy, Image: spec.Grant.Root.Image, Isolation: r.isolation(), CPUScale: r.config.CPUScale}
	result.Timings.QueuedNanos = monotonic() - queued
	err = r.runSpec(within(ctx, spec.place), spec, result)
	result.CPUNanos = spec.bill.Load()
	return result, err
}

// resolve has the policy decide about a job, and everything that can be refused before it
// has a place.
func (r *Runner) resolve(job *Job) (*Spec, error) {
	if len(job.Command) == 0 {
		return nil, fmt.Errorf("%w: command: empty; give the program and its arguments", ErrInvalidJob)
	}
	for _, p := range job.Outputs {
		if err := CheckPattern(p); err != nil {
			return nil, err
		}
	}
	grant, err := r.config.Policies.Resolve(job.Policy, job.Request())
	if err != nil {
		return nil, err
	}
	if grant.RequireSubuid && r.config.Ranges == nil {
		return nil, fmt.Errorf("%w: policy %s asks for an own subordinate id for each job and this host has none; "+
			"see cordon doctor", ErrUnsupportedHost, grant.Policy)
	}
	if err := job.checkInteractive(); err != nil {
		return nil, err
	}
	if err := r.checkEnsemble(job); err != nil {
		return nil, err
	}
	spec := &Spec{Job: job, Grant: grant}
	if job.ensemble() && len(job.Tests) == 0 {
		spec.Job, spec.Single = job.single(), true
	}
	return spec, r.resolveTests(spec)
}

// admit waits until the job may run, where it has no place yet that is enough.
func (r *Runner) admit(ctx context.Context, s *Spec, at *place) (err error) {
	s.queued = at != nil
	needs := append(s.builds(), s.runs()...)
	want := r.want(s, needs)
	if at != nil {
		if at.in.Holds(want) {
			s.place, at.bill = at, &s.bill
			return nil
		}
		at.give()
	}
	s.place, err = r.takePlace(ctx, want, &s.bill)
	return refused(needs, err)
}

func (r *Runner) isolation() string {
	if r.config.Ranges == nil {
		return "single-uid"
	}
	return "subuid"
}

// runSpec runs the build, if there is one, and then the run or the tests. Each has a
// cell of its own; what the build left in /work is what the others start from.
func (r *Runner) runSpec(ctx context.Context, s *Spec, result *Result) error {
	if err := r.rlimitsHold(s.Grant); err != nil {
		return r.ours(result, err)
	}
	k, err := r.pool.kind(s.Grant)
	if err != nil {
		return r.ours(result, err)
	}
	defer r.pool.release(k)
	if len(s.Job.Tests) > 0 {
		err = r.runTests(ctx, k, s, result)
	} else {
		err = r.runOnce(ctx, k, s, result)
	}
	if err != nil {
		return r.ours(result, err)
	}
	r.logOurs(result, nil)
	return nil
}

func (r *Runner) runOnce(ctx context.Context, k *kind, s *Spec, result *Result) error {
	if len(s.Job.Build) == 0 {
		files, err := entries(s.Job.Files, s.Grant.Limits.DiskFiles)
		if err != nil {
			return err
		}
		return r.run(ctx, k, s, files, shownOf(s.Job.Files), result)
	}
	b, err := r.build(ctx, k, s.buildSpec(), s.Grant)
	if err != nil {
		return err
	}
	defer b.Release()
	if !result.built(b) {
		return nil
	}
	files, given, err := r.left(b, s.Grant.Limits)
	if errors.Is(err, errTreeTooLarge) {
		result.leftTooMuch(s.Grant.Limits)
		return nil
	}
	if err != nil {
		return err
	}
	return r.run(ctx, k, s, files, given, result)
}

func (r *Runner) run(ctx context.Context, k *kind, s *Spec, files []cell.Entry, given []shown, result *Result) error {
	g, job := s.Grant, s.Job
	spec := r.stepSpec(g.Limits)
	spec.args, spec.entries, spec.shown, spec.env = job.Command, files, given, mergeEnv(job.baseEnv(), job.RunEnv, job.Env)
	job.placed(spec)
	if job.Interactive != nil && job.Interactive.Terminal {
		spec.terminal, spec.env = true, mergeEnv(job.baseEnv(), terminalEnv, job.RunEnv, job.Env)
	}
	in := stepInput{core: noCore, stdin: job.StdinFile, stdout: job.Stdout, stderr: job.Stderr, gauge: job.Gauge, timeline: job.Timeline}
	out, measured, err := r.measured(ctx, job.Measure, func(core int) (*stepOutcome, error) {
		in := in
		in.core = core
		if job.Inspect {
			var err error
			if in.view, err = newViewing(); err != nil {
				return nil, err
			}
			defer func() { result.Inside = in.view.inside }()
		}
		if job.Interactive != nil {
			in.talk = &talk{wanted: job.Interactive}
		} else if in.stdin == nil {
			done, err := in.feed(&job.Stdin)
			if err != nil {
				return nil, err
			}
			defer done()
		}
		return r.runStep(ctx, k, spec, in, func(left remains, v Verdict) error {
			var err error
			if result.Files, err = collectorOf(ctx, s, left).collect(job.Outputs); err != nil || v != OK || job.Changed == nil {
				return err
			}
			return left.changed(job.Changed)
		})
	})
	if err != nil {
		return err
	}
	result.Measured = measured
	result.Step = out.Step
	if job.KeepTimeline {
		result.Timeline = job.Timeline.Marks(0)
	}
	result.add(out)
	if e := job.Expect; e != nil && result.Verdict == OK {
		result.Difference, err = r.compare(ctx, e, &result.Step)
	}
	return err
}

// feed makes a content the program's input; done lets go of them.
func (in *stepInput) feed(stdin *Content) (done func(), err error) {
	if stdin.Size() == 0 {
		return func() {}, nil
	}
	in.stdin, err = try(stepStdin, stdin.input)
	return func() { in.stdin.Close() }, err
}

// add sums a step's times.
func (r *Result) add(o *stepOutcome) {
	r.Timings.SetupNanos += o.setup
	r.Timings.RunNanos += o.run
	r.Timings.TeardownNanos += o.teardown
}

func (r *Result) addTimings(t *Timings) {
	r.Timings.SetupNanos += t.SetupNanos
	r.Timings.RunNanos += t.RunNanos
	r.Timings.TeardownNanos += t.TeardownNanos
}

// ours turns a failed stage of ours into a Result that names it: the caller gets
// the job's id and the stage, and no verdict about the program. A refusal of the
// job stays an error.
func (r *Runner) ours(result *Result, err error) error {
	var stage *StageError
	if !errors.As(err, &stage) {
		return err
	}
	r.logOurs(result, stage)
	result.Step = Step{Verdict: InternalError, Message: stage.Error(), Events: Events{DeniedSyscalls: []DeniedSyscall{}}}
	return nil
}

// logOurs tells the operator of a job that failed through us: by the stage, or,
// where the cell told of it, by the Result's own message.
func (r *Runner) logOurs(result *Result, stage *StageError) {
	log := r.config.Logger.With("job", result.ID)
	if stage != nil {
		log.Error("job could not be run", "stage", stage.Stage, "op", stage.Op, "error", stage)
	} else if result.Verdict == InternalError {
		log.Error("job could not be run", "error", result.Message)
	}
}

// ending: the service stops, and begins nothing more.
func (r *Runner) ending() bool { return r.stopping.Err() != nil }

func (r *Runner) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return false
	}
	r.jobs.Add(1)
	return true
}

// Close ends running jobs as interrupted, then every cell and fork server.
// Callers that want jobs to end by themselves wait before.
func (r *Runner) Close() {
	r.mu.Lock()
	closing := r.closing
	r.closing = true
	r.mu.Unlock()
	if closing {
		return
	}
	r.stopped()
	r.jobs.Wait()
	r.pool.close()
	if kept := r.buildsKept.Load(); kept != nil {
		if err := kept.Close(); err != nil {
			r.config.Logger.Warn("builds are left", "error", err)
		}
	}
}
