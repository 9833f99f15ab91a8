package sandbox

import (
	"os"

	"golang.org/x/sys/unix"

	"cordon/rootfs"
)

// changed hands on what a job has changed of its writable root. Whoever gets it treats it
// as the job's: names and links in it lead anywhere.
func (left remains) changed(to func(upper *os.File) error) error {
	upper, err := openBeneath(int(left.scratch.Fd()), rootfs.Changes, unix.O_DIRECTORY)
	if err != nil {
		return &InvalidError{"writable_root", "what was changed is asked for, and the root is not writable: " + err.Error()}
	}
	defer upper.Close()
	return to(upper)
}
