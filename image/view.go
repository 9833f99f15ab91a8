package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// View looks names up in what an image shows, as a program that runs on it would, without
// a mount. Links lead nowhere but into the image.
type View struct {
	layers []int // their trees, the topmost first
}

// View opens the image's layers to look names up. It is to be closed.
func (h *Held) View(s *Store) (*View, error) {
	lowers, err := h.Lowers()
	if err != nil {
		return nil, err
	}
	v := &View{}
	for _, dir := range lowers {
		fd, err := beneath(s.layers, dir, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return nil, errors.Join(err, v.Close())
		}
		v.layers = append(v.layers, fd)
	}
	return v, nil
}

// Close lets go of the layers.
func (v *View) Close() error {
	var errs []error
	for _, fd := range v.layers {
		errs = append(errs, unix.Close(fd))
	}
	v.layers = nil
	return errors.Join(errs...)
}

// Stat is the mode of what a name leads to. The error is fs.ErrNotExist where that is nothing.
func (v *View) Stat(name string) (fs.FileMode, error) {
	at, err := v.follow(name)
	if err != nil {
		return 0, err
	}
	return at.mode, nil
}

// ReadFile reads a regular file of at most so many bytes. What a program could not read as
// one, a directory or links that lead in circles, is fs.ErrNotExist, too.
func (v *View) ReadFile(name string, most int64) ([]byte, error) {
	at, err := v.follow(name)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) || err == nil && !at.mode.IsRegular() {
		err = &fs.PathError{Op: "look up", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, err
	}
	f, err := openFile(v.layers[at.layer], at.name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s: more than %d bytes", name, most)
	}
	return text, err
}

// Names lists a directory.
func (v *View) Names(name string) ([]string, error) {
	at, err := v.follow(name)
	if err != nil {
		return nil, err
	}
	gone := map[string]bool{} // by a layer above, or there already
	var out []string
	for i := at.layer; i < len(v.layers); i++ {
		n, err := v.in(i, at.name)
		if err != nil || !n.mode.IsDir() {
			if n.hides {
				break
			}
			continue
		}
		names, err := namesIn(v.layers[i], at.name)
		if err != nil {
			return nil, err
		}
		for _, child := range names {
			if gone[child] {
				continue
			}
			gone[child] = true
			if c, err := v.in(i, path.Join(at.name, child)); err == nil && !c.whiteout {
				out = append(out, child)
			}
		}
		if n.hides {
			break
		}
	}
	slices.Sort(out)
	return out, nil
}

// seen is what a layer has under a name.
type seen struct {
	layer    int
	name     string // relative, through no link
	mode     fs.FileMode
	target   string // of a link
	whiteout bool
	hides    bool // what layers below have there
}

const mostLinks = 40 // path_resolution(7)

// follow resolves a name, links and all.
func (v *View) follow(name string) (seen, error) {
	links, done, rest := 0, ".", strings.Split(name, "/")
	at := seen{mode: fs.ModeDir}
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if part == "" || part == "." {
			continue
		}
		if part == ".." {
			done = path.Dir(done)
			continue
		}
		var err error
		if at, err = v.find(path.Join(done, part)); err != nil {
			return at, err
		}
		if at.mode&fs.ModeSymlink != 0 {
			if links++; links > mostLinks {
				return at, &fs.PathError{Op: "look up", Path: name, Err: unix.ELOOP}
			}
			if path.IsAbs(at.target) {
				done = "."
			}
			rest = append(strings.Split(at.target, "/"), rest...)
			continue
		}
		if !at.mode.IsDir() && len(rest) > 0 {
			return at, &fs.PathError{Op: "look up", Path: name, Err: unix.ENOTDIR}
		}
		done = at.name
	}
	if at.name != done || at.mode&fs.ModeSymlink != 0 { // it ended with a ..
		return v.find(done)
	}
	return at, nil
}

// find finds a name whose directories are no links.
func (v *View) find(name string) (seen, error) {
	for i := range v.layers {
		at, err := v.in(i, name)
		if err == nil && !at.whiteout {
			return at, nil
		}
		if err == nil || at.hides {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return at, err
		}
	}
	return seen{}, &fs.PathError{Op: "look up", Path: name, Err: fs.ErrNotExist}
}

// in looks into one layer. Where it has no such name it says whether it hides that of
// those below all the same: by what it has above it.
func (v *View) in(layer int, name string) (seen, error) {
	at := seen{layer: layer, name: name}
	parts := strings.Split(name, "/")
	for n := range parts {
		above := path.Join(parts[:n+1]...)
		fd, err := beneath(v.layers[layer], above, unix.O_PATH)
		if err != nil {
			return at, err
		}
		hides, err := at.read(fd, n == len(parts)-1)
		unix.Close(fd)
		if err != nil {
			return at, err
		}
		at.hides = at.hides || hides
		if n < len(parts)-1 && !at.mode.IsDir() {
			at.hides = true
			return at, fs.ErrNotExist
		}
	}
	return at, nil
}

// read says whether a directory of a layer hides those below.
func (e *seen) read(fd int, last bool) (hides bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	e.mode = fs.FileMode(st.Mode & 0o777)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		e.mode |= fs.ModeDir
		var value [1]byte
		n, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", fd), opaqueName, value[:])
		return err == nil && n > 0, nil
	case unix.S_IFLNK:
		e.mode |= fs.ModeSymlink
		var b [unix.PathMax]byte
		n, err := unix.Readlinkat(fd, "", b[:])
		e.target = string(b[:max(n, 0)])
		return last, os.NewSyscallError("readlinkat", err)
	case unix.S_IFCHR:
		e.whiteout = last && st.Rdev == 0
		e.mode |= fs.ModeDevice
	}
	return true, nil
}
