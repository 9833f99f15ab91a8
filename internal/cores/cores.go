// Package cores is what can be known of this host's processors: which ones we may use,
// how to be bound to one, and what else they were busy with.
package cores

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Own are those that this process may use, in their order.
func Own() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	own := make([]int, 0, set.Count())
	for core := 0; len(own) < cap(own); core++ {
		if set.IsSet(core) {
			own = append(own, core)
		}
	}
	return own, nil
}

// Pin binds a task to a core, and reads that back; 0 is the calling thread. What it
// starts inherits it.
func Pin(task, core int) error {
	var want, got unix.CPUSet
	want.Set(core)
	if err := unix.SchedSetaffinity(task, &want); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	if err := unix.SchedGetaffinity(task, &got); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	if got != want {
		return fmt.Errorf("the kernel did not take core %d: %d cores are allowed", core, got.Count())
	}
	return nil
}
