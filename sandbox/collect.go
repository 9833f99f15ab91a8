package sandbox

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// What the job left is read only when its group is empty, from the scratch's own
// file descriptor, beneath its /work, never through a link (CVE-2024-28185, go-judge
// issue 176 and their kin). Names are data of the job: nothing is built from them.
const resolveBeneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// openBeneath opens a file of the scratch for reading. It cannot block (a FIFO)
// and cannot leave the scratch.
func openBeneath(dir int, name string, flags uint64) (*os.File, error) {
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{
		Flags:   flags | unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK,
		Resolve: resolveBeneath,
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Reasons why a file was not collected.
const (
	notFound   = "not_found"
	notRegular = "not_regular"
	tooLarge   = "too_large"
	tooMany    = "too_many"
	storeFull  = "store_full"
)

// collectOutputs reads the files that match the patterns, in order of the
// patterns and then by name. A pattern that matches nothing is reported. maxBytes
// bounds one file and all together: holes and hard links cost a job nothing, but
// what is read of them costs the service.
func collectOutputs(scratch *os.File, patterns []string, maxFiles, maxBytes int64) ([]OutputFile, error) {
	c := &collector{left: remains{scratch: scratch}, files: maxFiles, bytes: maxBytes}
	return c.collect(patterns)
}

// collector collects what a step has left.
type collector struct {
	ctx          context.Context
	left         remains
	files, bytes int64  // more that there may be
	keep         Keeper // nil: they are read
	work         *os.File
}

// collectorOf is that of a job's run. What is kept is bounded by what the job could
// write, what is returned by the policy's output_file_bytes.
func collectorOf(ctx context.Context, s *Spec, left remains) *collector {
	c := &collector{ctx: context.WithoutCancel(ctx), left: left, files: s.Grant.Caps.Outputs, bytes: s.Grant.Caps.OutputFile, keep: s.Job.Keep}
	if c.keep != nil {
		c.bytes = s.Grant.Limits.DiskBytes
	}
	return c
}

func (c *collector) collect(patterns []string) (out []OutputFile, err error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	c.work, err = try(stepOpenWork, func() (*os.File, error) { return openBeneath(int(c.left.scratch.Fd()), "work", unix.O_DIRECTORY) })
	if err != nil { // made with the cell, and the job has no name for it
		return nil, err
	}
	defer c.work.Close()
	seen := map[string]bool{}
	m := &matcher{work: c.work, effort: maxEffort}
	for _, pattern := range patterns {
		names, err := m.match(pattern)
		if errors.Is(err, errEffort) {
			out = append(out, OutputFile{Path: pattern, Error: tooMany})
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			out = append(out, OutputFile{Path: pattern, Error: notFound})
		}
		for _, name := range names {
			if seen[name] {
				continue
			}
			seen[name] = true
			if int64(len(out)) >= c.files {
				return append(out, OutputFile{Path: pattern, Error: tooMany}), nil
			}
			f, err := c.file(name)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
	}
	return out, nil
}

// file collects one. The size is asked of the open file, and the read is limited as
// well. The error is ours: a service that is short of something blames no file.
func (c *collector) file(name string) (OutputFile, error) {
	reason := notRegular
	f, err := try(stepOpenOutput, func() (*os.File, error) {
		f, err := openBeneath(int(c.work.Fd()), path.Clean(name), 0)
		switch err {
		case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG, unix.EINVAL, unix.EXDEV: // no such name below /work
			reason = notFound
		}
		return f, ours(err)
	})
	if err != nil {
		return OutputFile{}, err
	}
	if f == nil {
		return OutputFile{Path: name, Error: reason}, nil
	}
	defer f.Close()
	var st unix.Stat_t
	if err := do(stepStatOutput, func() error { return unix.Fstat(int(f.Fd()), &st) }); err != nil {
		return OutputFile{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return OutputFile{Path: name, Error: notRegular}, nil
	}
	size := st.Size
	if given, ok := c.left.shown[st.Ino]; ok {
		if shared, ok := given.(Shared); ok && c.keep != nil { // it is kept already
			return OutputFile{Path: name, Size: shared.Bytes(), SHA256: shared.SHA256()}, nil
		}
		instead, err := try(stepReadKept, given.Open)
		if err != nil {
			return OutputFile{}, err
		}
		defer instead.Close()
		f, size = instead, given.Bytes()
	}
	if size > c.bytes {
		return OutputFile{Path: name, Size: size, Error: tooLarge}, nil
	}
	if c.keep != nil {
		return c.keepFile(name, f, size)
	}
	return c.readFile(name, f, size)
}

func (c *collector) readFile(name string, f *os.File, size int64) (OutputFile, error) {
	data, err := try(stepReadOutput, func() ([]byte, error) { return io.ReadAll(io.LimitReader(f, c.bytes+1)) })
	if err != nil {
		return OutputFile{}, err
	}
	if int64(len(data)) > c.bytes {
		return OutputFile{Path: name, Size: size, Error: tooLarge}, nil
	}
	c.bytes -= int64(len(data))
	return OutputFile{Path: name, Size: int64(len(data)), Data: data}, nil
}

// keepFile hands a file to who keeps it, a piece at a time.
func (c *collector) keepFile(name string, f *os.File, size int64) (OutputFile, error) {
	out := OutputFile{Path: name, Size: size}
	err := do(stepKeepOutput, func() (err error) {
		out.SHA256, err = c.keep.Keep(c.ctx, size, f)
		switch {
		case errors.Is(err, ErrNoRoom):
			out.Error, err = storeFull, nil
		case errors.Is(err, ErrTooLong):
			out.Error, err = tooLarge, nil
		}
		return err
	})
	if out.Error == "" {
		c.bytes -= size
	}
	return out, err
}

// ours keeps an error by which the service is short of something. Any other says
// something about the file.
func ours(err error) error {
	switch err {
	case unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EIO:
		return err
	}
	return nil
}

// maxEffort bounds what the patterns of one job may cost, in steps of path.Match:
// about a second. A job chooses both the names and the patterns, and the time is the
// service's.
const maxEffort = 200_000_000

var errEffort = errors.New("the patterns cost too much")

// matcher finds the files that patterns name.
type matcher struct {
	work   *os.File
	effort int
}

// match lists the files below /work that a pattern names. Without a special
// character that is the pattern itself, whether it exists or not.
func (m *matcher) match(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "*?[\\") {
		return []string{pattern}, nil
	}
	names := []string{""}
	for part := range strings.SplitSeq(path.Clean(pattern), "/") {
		var next []string
		for _, dir := range names {
			entries, err := try(stepListOutputs, func() ([]string, error) { return list(m.work, dir) })
			if err != nil {
				return nil, err
			}
			for _, entry := range entries {
				// A star is tried at each place of the name.
				if m.effort -= len(dir) + len(part)*len(entry); m.effort < 0 {
					return nil, errEffort
				}
				if ok, err := path.Match(part, entry); err == nil && ok {
					next = append(next, path.Join(dir, entry))
				}
			}
		}
		names = next
	}
	return names, nil
}

// maxListed bounds the names read from one directory: the scratch's own inode
// limit is lower in every policy but the widest.
const maxListed = 100_000

// list: what is no directory, or may not be read, has no names in it.
func list(work *os.File, dir string) ([]string, error) {
	f, err := openBeneath(int(work.Fd()), path.Join(".", dir), unix.O_DIRECTORY)
	if err != nil {
		return nil, ours(err)
	}
	defer f.Close()
	names, err := f.Readdirnames(maxListed)
	if err != nil && err != io.EOF {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}
