package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"cordon/rootfs"
)

// limitScratch gives the cell's tmpfs the job's own size and reads it back.
func limitScratch(scratch *os.File, bytes, files int64) error {
	fs, err := try(stepPickScratch, func() (int, error) {
		return unix.Fspick(int(scratch.Fd()), "", unix.FSPICK_EMPTY_PATH|unix.FSPICK_CLOEXEC)
	})
	if err != nil {
		return err
	}
	defer unix.Close(fs)
	var st unix.Statfs_t
	stat := func() error { return unix.Fstatfs(int(scratch.Fd()), &st) }
	if err := do(stepSizeBefore, stat); err != nil {
		return err
	}
	inodes := files + int64(st.Files-st.Ffree) // what the cell itself has made is not the job's
	for name, value := range rootfs.ScratchLimits(bytes, inodes) {
		if err := do(stepSetSize, func() error { return unix.FsconfigSetString(fs, name, value) }); err != nil {
			return err
		}
	}
	if err := do(stepReconfigure, func() error { return unix.FsconfigReconfigure(fs) }); err != nil {
		return err
	}
	if err := do(stepSizeAfter, stat); err != nil {
		return err
	}
	page := int64(os.Getpagesize())
	if err := taken(stepReadBackSize, "disk_bytes", int64(st.Blocks)*st.Bsize, (bytes+page-1)/page*page); err != nil {
		return err
	}
	return taken(stepReadBackInodes, "disk_files", int64(st.Files), inodes)
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
