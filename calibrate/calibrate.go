// Package calibrate measures how fast this host's processors are, against a reference
// machine, and how sure that can be: so that limits of time can mean the same work on
// hosts of different speed.
package calibrate

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/cores"
)

// Options are how to measure.
type Options struct {
	Cores  []int         // one after the other
	Length time.Duration // on each of them
}

// leastRounds of all kernels on each core, however short the time is.
const leastRounds = 5

// Run measures. Times are CPU times, as limits are: what others take of a core is told
// as noise, and is no slowness of the host.
func Run(o Options) (*Report, error) {
	if len(o.Cores) == 0 {
		return nil, errors.New("no core to measure")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nothing of ours runs in between
	started := time.Now()
	before, err := cores.ReadNoise()
	if err != nil {
		return nil, err
	}
	var found []Core
	for _, core := range o.Cores {
		c, err := onCore(core, o.Length)
		if err != nil {
			return nil, fmt.Errorf("core %d: %w", core, err)
		}
		found = append(found, *c)
	}
	after, err := cores.ReadNoise()
	if err != nil {
		return nil, err
	}
	r := summarize(found)
	r.Date, r.Machine = started.UTC().Truncate(time.Second), thisMachine()
	r.judge(after.Since(before), time.Since(started))
	return r, nil
}

// onCore measures in a thread of its own, which ends with it: no other goroutine is ever
// bound to the core.
func onCore(core int, length time.Duration) (c *Core, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		if err = cores.Pin(0, core); err == nil {
			c, err = here(core, length)
		}
	}()
	<-ended
	return c, err
}

// here measures on the core that this thread is bound to.
func here(core int, length time.Duration) (*Core, error) {
	all, done, err := kernels()
	if err != nil {
		return nil, err
	}
	defer done()
	times, err := rounds(all, length)
	if err != nil {
		return nil, err
	}
	return newCore(core, all, times), nil
}

// measurement is what each kernel took, in all its repetitions.
type measurement [][]time.Duration

// rounds runs the kernels in turns, so that what changes with time changes all of them.
// The first tenth is not counted: a core that was idle comes to its speed meanwhile.
func rounds(all []kernel, length time.Duration) (measurement, error) {
	for started := time.Now(); ; {
		if _, err := round(all); err != nil {
			return nil, err
		}
		if time.Since(started) > length/10 {
			break
		}
	}
	m := make(measurement, len(all))
	for started := time.Now(); len(m[0]) < leastRounds || time.Since(started) < length-length/10; {
		times, err := round(all)
		if err != nil {
			return nil, err
		}
		for i, t := range times {
			m[i] = append(m[i], t)
		}
	}
	return m, nil
}

func round(all []kernel) ([]time.Duration, error) {
	var times []time.Duration
	for i := range all {
		before, err := threadTime()
		if err != nil {
			return nil, err
		}
		if err := all[i].once(); err != nil {
			return nil, err
		}
		after, err := threadTime()
		if err != nil {
			return nil, err
		}
		times = append(times, after-before)
	}
	return times, nil
}

// threadTime is the CPU time of the calling thread.
func threadTime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0, fmt.Errorf("clock_gettime: %w", err)
	}
	return time.Duration(t.Nano()), nil
}
