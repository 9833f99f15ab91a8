package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// Shared is kept under its SHA-256: nobody writes to it any more, and everybody who has
// a descriptor of it or sees a mount of it may read and execute it. So jobs can be shown
// the file itself, and nothing is copied.
type Shared interface {
	Kept
	SHA256() string // in hexadecimal digits
}

// shown is a file of the service's that a job sees, read-only, at its path below /work.
type shown struct {
	path string
	from Kept
}

// isShown: the file is shared, and the job did not ask for one that it may change.
func (f *File) isShown() bool {
	_, shared := f.Kept.(Shared)
	return shared && f.Mode.IsRegular() && f.Mode&0o222 == 0
}

// shownOf are those of a job's files that are shown to it; entries has the others.
func shownOf(files []File) []shown {
	var out []shown
	for i := range files {
		if f := &files[i]; f.isShown() {
			out = append(out, shown{f.Path, f.Kept})
		}
	}
	return out
}

// placedBytes is what a job's files take in its scratch.
func placedBytes(files []File) (n int64) {
	for i := range files {
		if f := &files[i]; !f.isShown() {
			n += wholePages(f.size())
		}
	}
	return n
}

// show shows a cell the step's files, some at a time, and notes where in the scratch they
// stand. A file is open only as long as that takes: the mount keeps it.
func (r *running) show(ctx context.Context, stop <-chan struct{}, files []shown) error {
	if len(files) == 0 {
		return nil
	}
	owner := r.warm.owner(r.spec.user)
	if err := do(stepShow, func() error { return r.giveWork(owner) }); err != nil {
		return err
	}
	for left := files; len(left) > 0; {
		select {
		case <-ctx.Done():
			return errAway
		case <-stop:
			return errAway
		default:
		}
		n := atOnce(left)
		if err := r.showSome(left[:n], owner); err != nil {
			return err
		}
		left = left[n:]
	}
	return do(stepLookShown, func() error { return r.find(files) })
}

// giveWork gives /work to whom the job's files are to belong to, where that is not the one
// whom a waiting cell has it for: who is not root of an image. Nothing of the job has run yet.
func (r *running) giveWork(owner int) error {
	if !r.warm.kind.ids.job || owner == r.warm.owner(nil) {
		return nil
	}
	return os.NewSyscallError("fchownat", unix.Fchownat(int(r.warm.cell.Scratch.Fd()), "work", owner, owner, unix.AT_SYMLINK_NOFOLLOW))
}

// atOnce is how many of the files one message has room for.
func atOnce(files []shown) int {
	bytes := 0
	for i, f := range files {
		bytes += len(f.path) + 1
		if i == cell.MostShown || bytes > cell.MostPathBytes {
			return i
		}
	}
	return len(files)
}

func (r *running) showSome(files []shown, owner int) error {
	opened := make([]cell.Shown, 0, len(files))
	defer func() {
		for _, f := range opened {
			f.File.Close()
		}
	}()
	for _, f := range files {
		file, err := try(stepReadKept, f.from.Open)
		if err != nil {
			return err
		}
		opened = append(opened, cell.Shown{Path: f.path, File: file})
	}
	return do(stepShow, func() error { return r.warm.cell.Show(opened, owner) })
}

// find notes the empty files that the mounts cover, by inode. The job can neither remove
// nor replace them, and a link to one it cannot make: it comes to the mount. It can give
// a directory above them another name.
func (r *running) find(files []shown) error {
	work, err := openBeneath(int(r.warm.cell.Scratch.Fd()), "work", unix.O_DIRECTORY)
	if err != nil {
		return os.NewSyscallError("openat2", err)
	}
	defer work.Close()
	r.shown = make(map[uint64]Kept, len(files))
	for _, f := range files {
		var st unix.Stat_t
		if err := unix.Fstatat(int(work.Fd()), f.path, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return os.NewSyscallError("fstatat", err)
		}
		r.shown[st.Ino] = f.from
	}
	return nil
}

// remains are what a step has left: its scratch, and which files of it stand for one
// that was shown.
type remains struct {
	scratch *os.File
	shown   map[uint64]Kept // by inode
}

// keptShown counts the files that were shown and are kept. Several names of one take its
// room once.
type keptShown struct {
	linked map[string]bool // by hash
	bytes  int64
}

func (k *keptShown) keep(ctx context.Context, from Kept, dir int, name string) error {
	copied, err := keepShown(ctx, from, dir, name)
	same, ok := from.(Shared)
	if copied || !ok || !k.linked[same.SHA256()] {
		k.bytes += from.Bytes()
	}
	if ok && !copied {
		if k.linked == nil {
			k.linked = map[string]bool{}
		}
		k.linked[same.SHA256()] = true
	}
	return err
}

// keepShown gives a file that was shown a name where a build is kept: another name of
// the same file, where both lie in one file system, else a copy.
func keepShown(ctx context.Context, from Kept, dir int, name string) (copied bool, err error) {
	f, err := from.Open()
	if err != nil {
		return false, err
	}
	defer f.Close()
	switch err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), dir, name, unix.AT_SYMLINK_FOLLOW); err {
	case nil:
		return false, nil
	case unix.EXDEV, unix.EMLINK, unix.EPERM, unix.EOPNOTSUPP: // another file system or mount, or one without links
		return true, copyShown(ctx, f, from.Bytes(), dir, name)
	default:
		return false, os.NewSyscallError("linkat", err)
	}
}

func copyShown(ctx context.Context, f *os.File, size int64, dir int, name string) error {
	made, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	err = send(ctx, int(f.Fd()), made, 0, size)
	if err == nil {
		err = os.NewSyscallError("fchmod", unix.Fchmod(made, 0o555))
	}
	return errors.Join(err, os.NewSyscallError("close", unix.Close(made)))
}

// builtFile is a file that a build was shown, in what is kept of it. It is Kept as long
// as the build is in use.
type builtFile struct {
	dir  *os.File
	path string
	size int64
}

// Open opens it.
func (f builtFile) Open() (*os.File, error) { return openBeneath(int(f.dir.Fd()), f.path, 0) }

// Bytes is its size.
func (f builtFile) Bytes() int64 { return f.size }
