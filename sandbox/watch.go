package sandbox

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"cordon/policy"
)

// hurryAfter is when what is left of a cell is helped to its end. Most have got
// there long before.
const hurryAfter = 20 * time.Millisecond

// stuckAfter is how long init may take to end after its main process has.
const stuckAfter = 2 * time.Second

// minCPUCheck keeps the CPU timer from firing without end when a cell creeps up
// to its limit.
const minCPUCheck = time.Millisecond

// watch holds the limits that no kernel counter enforces: CPU time, wall time,
// output, and the caller's patience. It returns when no process of the job is left,
// with the reason why it ended the cell, if it did.
type watch struct {
	running *running
	limits  policy.Limits
	killed  KillReason
	stop    <-chan struct{} // the service ends
}

func (w *watch) kill(reason KillReason) {
	if w.killed == NotKilled {
		w.killed = reason
	}
	w.running.kill()
}

func (w *watch) run(ctx context.Context) KillReason {
	r := w.running
	wall := time.NewTimer(time.Duration(w.limits.WallMillis) * time.Millisecond)
	defer wall.Stop()
	cpu := time.NewTimer(time.Duration(w.limits.CPUMillis) * time.Millisecond / time.Duration(runtime.NumCPU()))
	defer cpu.Stop()
	var after *time.Timer // of what is left behind the program
	var slow, stuck <-chan time.Time
	ended, overOut, overErr, overPipe, oom := r.ended, r.warm.stdout.over, r.warm.stderr.over, r.piped, r.warm.group.OOM()
	done, stop, awaited := ctx.Done(), w.stop, r.awaited
	for {
		select {
		case <-r.warm.cell.Dead():
			return w.killed
		case <-ended: // only strays may be left: no limit of the program applies any more
			ended, oom = nil, nil
			wall.Stop()
			cpu.Stop()
			after = time.NewTimer(hurryAfter)
			defer after.Stop()
			slow = after.C
		case <-awaited: // what init tells is over
			awaited = nil
			if r.endErr != nil { // nobody would learn how the program ends
				w.kill(KilledBlind)
			} else if r.alone() {
				return w.killed
			}
		case <-slow:
			r.hurry()
			after.Reset(stuckAfter)
			slow, stuck = nil, after.C
		case <-stuck:
			w.kill(KilledStuck)
		case <-wall.C:
			w.wallFired(wall)
		case <-cpu.C:
			w.cpuFired(cpu)
		case <-overOut:
			overOut = nil
			w.kill(KilledOutput)
		case <-overErr:
			overErr = nil
			w.kill(KilledOutput)
		case <-overPipe:
			overPipe = nil
			w.kill(KilledOutput)
		case <-oom:
			oom = nil
			w.kill(KilledOOM)
		case r.fatalSyscall = <-r.warm.denied:
			w.kill(KilledSyscall)
		case <-done:
			done = nil
			w.kill(callerGone(ctx))
		case <-stop:
			stop = nil
			w.kill(KilledInterrupted)
		}
	}
}

// callerGone: a service that ends cancels what is left of its requests with that
// as the cause.
func callerGone(ctx context.Context) KillReason {
	if errors.Is(context.Cause(ctx), ErrShuttingDown) {
		return KilledInterrupted
	}
	return KilledCancelled
}

// wallFired: the limit counts from the exec, the timer from before it.
func (w *watch) wallFired(t *time.Timer) {
	limit := w.limits.WallMillis * int64(time.Millisecond)
	exec := w.running.warm.cell.ExecNanos()
	if exec == 0 {
		exec = w.running.sent // still being prepared: that may not last for ever either
		limit += int64(prepareAllowance)
	}
	if left := exec + limit - monotonic(); left > 0 {
		t.Reset(time.Duration(left))
		return
	}
	w.kill(KilledWall)
}

// prepareAllowance is how long a job's process may take to place its files.
const prepareAllowance = 10 * time.Second

// cpuFired kills at the limit, or waits for as long as the rest must at least take.
// A limit that cannot be watched any more is not guessed: the job ends as ours.
func (w *watch) cpuFired(t *time.Timer) {
	left, err := w.cpuLeft()
	switch {
	case err != nil:
		w.running.blind = err
		w.kill(KilledBlind)
	case left > 0:
		t.Reset(max(left, minCPUCheck))
	default:
		w.kill(KilledCPU)
	}
}

// cpuLeft is the shortest time in which the group can use up its CPU time: the
// rest of it divided by the processors. A rate does not help: within one of its
// periods every processor may run. Until the exec, time is Cordon's own.
func (w *watch) cpuLeft() (time.Duration, error) {
	limit := w.limits.CPUMillis * int64(time.Millisecond)
	cpus := int64(runtime.NumCPU())
	if w.running.warm.cell.ExecNanos() == 0 {
		return time.Duration(limit / cpus), nil
	}
	used, err := try(stepWatchCPU, w.running.cpuUsed)
	return time.Duration((limit - used) / cpus), err
}

// monotonic is CLOCK_MONOTONIC in nanoseconds: the clock init uses, too. The
// runtime reads that clock without a system call, but only tells differences.
func monotonic() int64 { return clockAtStart + int64(time.Since(started)) }

var started, clockAtStart = func() (time.Time, int64) {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // cannot fail for this clock
	return time.Now(), t.Nano()
}()
