package sandbox

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// copyTree copies what a build has left below /work to a directory of the service's:
// regular files, directories and links, readable for everybody, because the cells that
// are shown it have other ids. Special files, set-id bits and owners stay behind. The
// data never comes into the service's memory, and holes stay holes.
//
// Files that the build was shown come along, without a copy where that can be, and do not
// count against maxBytes: the build did not write them.
func copyTree(ctx context.Context, left remains, to *os.File, maxBytes, maxFiles int64) (keptTree, error) {
	c := &treeCopier{ctx: ctx, root: int(to.Fd()), maxBytes: maxBytes, files: maxFiles, copied: map[uint64]string{}, shown: left.shown, names: map[string]bool{}}
	work, err := openBeneath(int(left.scratch.Fd()), "work", unix.O_DIRECTORY)
	if err != nil {
		return keptTree{}, os.NewSyscallError("openat2", err)
	}
	defer work.Close()
	err = c.entries(work, int(to.Fd()), "", 0)
	return keptTree{c.bytes + c.given.bytes, c.names}, err
}

// keptTree is what a copy takes, in bytes, with a page for each inode, and the paths of
// the files in it that the build was shown.
type keptTree struct {
	bytes int64
	shown map[string]bool
}

// treeCopier bounds what is written: the scratch was bounded, but a file with many names
// is one there, and would be many here.
type treeCopier struct {
	ctx             context.Context
	root            int
	bytes, maxBytes int64
	files           int64             // more that there may be
	copied          map[uint64]string // of files with several names: the first, by inode
	shown           map[uint64]Kept   // by inode
	names           map[string]bool   // of those
	given           keptShown         // those
}

// take counts, and says when it is too much, or nobody waits any more.
func (c *treeCopier) take(bytes int64) error {
	if c.bytes += bytes; c.bytes > c.maxBytes {
		return errTreeTooLarge
	}
	return context.Cause(c.ctx)
}

// entries copies what lies in from, which is dir below /work.
func (c *treeCopier) entries(from *os.File, to int, dir string, depth int) error {
	if depth > maxDepth {
		return errTreeTooLarge
	}
	names, err := from.Readdirnames(int(min(c.files+1, 1<<30)))
	if err != nil && err != io.EOF {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if len(path.Join(dir, name)) > maxPath { // made step by step; nobody could name it
			return errTreeTooLarge
		}
		if err := c.entry(int(from.Fd()), to, dir, name, depth); err != nil {
			return err
		}
	}
	return nil
}

func (c *treeCopier) entry(from, to int, dir, name string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return os.NewSyscallError("fstatat", err)
	}
	if c.files--; c.files < 0 {
		return errTreeTooLarge
	}
	if err := c.take(int64(os.Getpagesize())); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return c.directory(from, to, dir, name, depth)
	case unix.S_IFLNK:
		buffer := make([]byte, maxPath+1)
		n, err := unix.Readlinkat(from, name, buffer)
		if err != nil {
			return os.NewSyscallError("readlinkat", err)
		}
		return os.NewSyscallError("symlinkat", unix.Symlinkat(string(buffer[:n]), to, name))
	case unix.S_IFREG:
		return c.file(from, to, dir, name, &st)
	}
	return nil
}

func (c *treeCopier) directory(from, to int, dir, name string, depth int) error {
	if err := unix.Mkdirat(to, name, 0o755); err != nil {
		return os.NewSyscallError("mkdirat", err)
	}
	f, err := openBeneath(from, name, unix.O_DIRECTORY)
	if err != nil {
		return os.NewSyscallError("openat2", err)
	}
	defer f.Close()
	made, err := unix.Openat(to, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	defer unix.Close(made)
	return c.entries(f, made, path.Join(dir, name), depth+1)
}

// file copies one, or gives the copy another name where the file had several.
func (c *treeCopier) file(from, to int, dir, name string, st *unix.Stat_t) error {
	if given, ok := c.shown[st.Ino]; ok {
		c.names[path.Join(dir, name)] = true
		return c.given.keep(c.ctx, given, to, name)
	}
	if st.Nlink > 1 {
		if first, ok := c.copied[st.Ino]; ok {
			return os.NewSyscallError("linkat", unix.Linkat(c.root, first, to, name, 0))
		}
		c.copied[st.Ino] = path.Join(dir, name)
	}
	return c.regular(from, to, name, st)
}

func (c *treeCopier) regular(from, to int, name string, st *unix.Stat_t) error {
	f, err := openBeneath(from, name, 0)
	if err != nil {
		return os.NewSyscallError("openat2", err)
	}
	defer f.Close()
	mode := st.Mode&0o777 | 0o444
	if mode&0o111 != 0 {
		mode |= 0o111
	}
	made, err := unix.Openat(to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	defer unix.Close(made)
	if err := unix.Fchmod(made, mode); err != nil { // whatever the umask is
		return os.NewSyscallError("fchmod", err)
	}
	if err := c.data(int(f.Fd()), made, st.Size); err != nil {
		return err
	}
	return os.NewSyscallError("ftruncate", unix.Ftruncate(made, st.Size)) // a hole at the end
}

// data copies the parts of a file that hold any (lseek(2), SEEK_DATA).
func (c *treeCopier) data(from, to int, size int64) error {
	for at := int64(0); at < size; {
		start, err := unix.Seek(from, at, unix.SEEK_DATA)
		if err == unix.ENXIO { // only a hole is left
			return nil
		}
		if err != nil {
			return os.NewSyscallError("lseek", err)
		}
		if at, err = unix.Seek(from, start, unix.SEEK_HOLE); err != nil {
			return os.NewSyscallError("lseek", err)
		}
		if err := c.take(at - start); err != nil {
			return err
		}
		if err := send(c.ctx, from, to, start, at); err != nil {
			return err
		}
	}
	return nil
}

// send copies within the kernel.
func send(ctx context.Context, from, to int, at, end int64) error {
	if _, err := unix.Seek(to, at, unix.SEEK_SET); err != nil {
		return os.NewSyscallError("lseek", err)
	}
	for at < end {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := unix.Sendfile(to, from, &at, int(min(end-at, 16<<20)))
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("sendfile", err)
		}
		if n == 0 && err == nil { // shorter than it was: nobody writes here any more
			return os.NewSyscallError("sendfile", unix.EIO)
		}
	}
	return nil
}

// writeTree writes files of a job as copyTree would copy them.
func writeTree(ctx context.Context, files []cell.Entry, given []shown, to *os.File) (int64, error) {
	root, err := os.OpenRoot(to.Name())
	if err != nil {
		return 0, err
	}
	defer root.Close()
	var bytes int64
	for i := range files { // directories and files first, links last
		e := &files[i]
		bytes += int64(os.Getpagesize()) + int64(len(e.Data))
		if err := root.MkdirAll(path.Dir(e.Path), 0o755); err != nil {
			return 0, err
		}
		switch e.Kind {
		case cell.Dir:
			err = root.MkdirAll(e.Path, 0o755)
		case cell.Symlink:
			err = root.Symlink(e.Target, e.Path)
		default:
			err = writeFile(root, e)
		}
		if err != nil {
			return 0, err
		}
	}
	var kept keptShown
	for _, f := range given {
		bytes += int64(os.Getpagesize())
		if err := writeShown(ctx, root, f, &kept); err != nil {
			return 0, err
		}
	}
	return bytes + kept.bytes, nil
}

func writeShown(ctx context.Context, root *os.Root, f shown, kept *keptShown) error {
	dir := path.Dir(f.path)
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	in, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer in.Close()
	return kept.keep(ctx, f.from, int(in.Fd()), path.Base(f.path))
}

func writeFile(root *os.Root, e *cell.Entry) error {
	mode := os.FileMode(e.Mode)&0o777 | 0o444
	if mode&0o111 != 0 {
		mode |= 0o111
	}
	f, err := root.OpenFile(e.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(e.Data)
	return errors.Join(err, f.Chmod(mode), f.Close())
}
