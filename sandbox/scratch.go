package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"cordon/rootfs"
)

// limitScratch has the cell's tmpfs be of the job's own size: what it is is read in any
// case, and set and read again where it is another.
func limitScratch(scratch *os.File, bytes, files int64) error {
	var st unix.Statfs_t
	stat := func() error { return unix.Fstatfs(int(scratch.Fd()), &st) }
	if err := do(stepSizeBefore, stat); err != nil {
		return err
	}
	inodes := files + int64(st.Files-st.Ffree) // what the cell itself has made is not the job's
	if scratchBytes(&st) == wholePages(bytes) && int64(st.Files) == inodes {
		return nil
	}
	if err := resizeScratch(scratch, bytes, inodes); err != nil {
		return err
	}
	if err := do(stepSizeAfter, stat); err != nil {
		return err
	}
	if err := taken(stepReadBackSize, "disk_bytes", scratchBytes(&st), wholePages(bytes)); err != nil {
		return err
	}
	return taken(stepReadBackInodes, "disk_files", int64(st.Files), inodes)
}

func scratchBytes(st *unix.Statfs_t) int64 { return int64(st.Blocks) * st.Bsize }

func resizeScratch(scratch *os.File, bytes, inodes int64) error {
	fs, err := try(stepPickScratch, func() (int, error) {
		return unix.Fspick(int(scratch.Fd()), "", unix.FSPICK_EMPTY_PATH|unix.FSPICK_CLOEXEC)
	})
	if err != nil {
		return err
	}
	defer unix.Close(fs)
	for name, value := range rootfs.ScratchLimits(bytes, inodes) {
		if err := do(stepSetSize, func() error { return unix.FsconfigSetString(fs, name, value) }); err != nil {
			return err
		}
	}
	return do(stepReconfigure, func() error { return unix.FsconfigReconfigure(fs) })
}

// taken wants what was set to be what the kernel has.
func taken(s step, limit string, got, want int64) error {
	return do(s, func() error {
		if got != want {
			return fmt.Errorf("the kernel did not take %s: it has %d, not %d", limit, got, want)
		}
		return nil
	})
}
