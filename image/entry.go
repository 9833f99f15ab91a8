package image

import (
	"archive/tar"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// kind is what a name in a layer stands for.
type kind int

const (
	isImplied  kind = iota + 1 // a directory without an entry of its own
	isDir                      // from here on what an entry can be
	isFile                     //
	isSymlink                  //
	isLink                     // a further name of a file
	isWhiteout                 // what lower layers have under the name is not there
	isOpaque                   // nor what they have in the directory
	isDropped                  // not taken over: a device, a FIFO, other unions' bookkeeping
	isIgnored                  // says something about the archive only
)

// entry is what an entry of an archive comes to.
type entry struct {
	kind     kind
	path     string // clean, relative; "." is the layer's root
	target   string // of a symlink as it is, of a link clean
	mode     uint32 // permissions and the sticky bit
	setIDs   uint32 // what is not taken over of it
	uid, gid int
	time     unix.Timespec
	size     int64
	note     string // what is not taken over
}

const (
	whiteout      = ".wh."
	whiteoutOwn   = ".wh..wh." // of the union itself
	whiteoutsAll  = ".wh..wh..opq"
	setIDs        = unix.S_ISUID | unix.S_ISGID
	acceptedModes = 0o1777
)

// read says what an entry of an archive comes to, or why the layer is rejected.
func readEntry(h *tar.Header) (entry, error) {
	e := entry{mode: uint32(h.Mode) & acceptedModes, setIDs: uint32(h.Mode) & setIDs, uid: h.Uid, gid: h.Gid, size: h.Size, time: timeOf(h.ModTime)}
	if h.Typeflag == tar.TypeXGlobalHeader {
		e.kind = isIgnored
		return e, nil
	}
	var err error
	if e.path, err = cleanPath(h.Name); err != nil {
		return e, err
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		e.kind = isFile
	case tar.TypeDir:
		e.kind = isDir
	case tar.TypeSymlink:
		e.kind, e.target = isSymlink, h.Linkname
		if e.target == "" || len(e.target) > pathMax || strings.IndexByte(e.target, 0) >= 0 {
			return e, rejected("a symbolic link to %s", quoted(e.target))
		}
	case tar.TypeLink:
		e.kind = isLink
		if e.target, err = cleanPath(h.Linkname); err != nil {
			return e, rejected("a hard link to %s: %v", quoted(h.Linkname), err)
		}
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		e.kind, e.note = isDropped, "left out: "+map[byte]string{tar.TypeChar: "a character device", tar.TypeBlock: "a block device", tar.TypeFifo: "a FIFO"}[h.Typeflag]
	default:
		return e, rejected("an entry of the unknown type %q", h.Typeflag)
	}
	if e.path == "." && e.kind != isDir {
		return e, rejected("the root of a layer is a directory")
	}
	e.notes(h)
	return e, e.union(h)
}

// timeOf: file systems keep no time before 1901 or behind 2446.
func timeOf(t time.Time) unix.Timespec {
	const last = 1 << 33
	seconds := t.Unix()
	if seconds < 0 || seconds > last {
		return unix.Timespec{Sec: max(0, min(seconds, last))}
	}
	return unix.Timespec{Sec: seconds, Nsec: int64(t.Nanosecond())}
}

// notes says what of an entry that is taken over is not.
func (e *entry) notes(h *tar.Header) {
	if e.kind != isFile && e.kind != isDir {
		return
	}
	var notes []string
	if e.setIDs != 0 {
		notes = append(notes, "without its set-id bits")
	}
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "SCHILY.xattr.") || strings.HasPrefix(name, "LIBARCHIVE.xattr.") {
			notes = append(notes, "without its extended attributes")
			break
		}
	}
	e.note = strings.Join(notes, ", ")
}

// union sees to the names that say something about lower layers.
func (e *entry) union(h *tar.Header) error {
	parts := strings.Split(e.path, "/")
	last := parts[len(parts)-1]
	for _, p := range parts[:len(parts)-1] {
		if strings.HasPrefix(p, whiteoutOwn) {
			e.kind, e.note = isDropped, "left out: below another union's bookkeeping"
			return nil
		}
		if strings.HasPrefix(p, whiteout) {
			return rejected("it lies below a whiteout")
		}
	}
	if !strings.HasPrefix(last, whiteout) {
		return nil
	}
	dir := path.Dir(e.path)
	hidden := strings.TrimPrefix(last, whiteout)
	switch {
	case last == whiteoutsAll:
		e.path = dir
	case strings.HasPrefix(last, whiteoutOwn):
		e.kind, e.note = isDropped, "left out: another union's bookkeeping"
		return nil
	case hidden == "" || hidden == "." || hidden == "..":
		return rejected("a whiteout of %s", quoted(hidden))
	default:
		e.path = path.Join(dir, hidden)
	}
	if e.kind != isFile || h.Size != 0 {
		return rejected("a whiteout is an empty regular file; this is of type %q and has %d bytes", h.Typeflag, h.Size)
	}
	e.kind, e.note = isWhiteout, ""
	if last == whiteoutsAll {
		e.kind = isOpaque
	}
	return nil
}

// cleanPath takes slashes at both ends and dots away, and no more: what would lead out of
// the layer is nobody's mistake.
func cleanPath(name string) (string, error) {
	if name == "" || strings.IndexByte(name, 0) >= 0 {
		return "", rejected("an empty name, or one with a zero byte")
	}
	if len(name) > pathMax {
		return "", rejected("a name of %d bytes, allowed are %d", len(name), pathMax)
	}
	depth := 0
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "..":
			return "", rejected("a name with \"..\" in it leads out of the layer")
		case len(part) > nameMax:
			return "", rejected("a part of a name of %d bytes, allowed are %d", len(part), nameMax)
		case part != "" && part != ".":
			depth++
		}
	}
	if depth > depthMax {
		return "", rejected("%d directories in each other, allowed are %d", depth, depthMax)
	}
	if depth == 0 {
		return ".", nil
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/"), nil
}

// isSparse: its content is not what stands in the archive.
func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return false
}
