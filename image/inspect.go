package image

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
)

// attributes: none but those that are ours.
func (v *inspection) attributes(entry string, fd int, opaque bool) {
	buffer := make([]byte, 4096)
	n, err := unix.Flistxattr(fd, buffer)
	if err != nil {
		if !errors.Is(err, unix.EOPNOTSUPP) {
			v.tell(entry, "its extended attributes cannot be read: %v", err)
		}
		return
	}
	found := false
	for name := range strings.SplitSeq(string(buffer[:n]), "\x00") {
		switch {
		case name == opaqueName && opaque:
			var value [2]byte // overlays know others, which hide nothing
			k, err := unix.Fgetxattr(fd, name, value[:])
			found = err == nil && string(value[:k]) == "y"
		case strings.HasPrefix(name, "user."), strings.HasPrefix(name, "trusted."), name == "security.capability", strings.HasPrefix(name, "system.posix_acl"):
			v.tell(entry, "it has the extended attribute %s", quoted(name))
		}
	}
	if opaque && !found {
		v.tell(entry, "what lower layers have in it is not hidden any more")
	}
}

// look holds the tree on the disk against the one that the archive makes.
func (v *inspection) look(ctx context.Context, s *Store, t *tree) error {
	root, err := beneath(s.layers, layerID(v.layer.DiffID)+"/"+treeDir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		v.tell("", "its tree is missing: %v", err)
		return nil
	}
	defer unix.Close(root)
	if opaque := t.nodes["."].opaque; opaque != v.layer.Opaque {
		v.tell("", "its %s says %v of whether it hides all below it; its archive says %v", layerFile, v.layer.Opaque, opaque)
	}
	left := map[string]bool{}
	for name, n := range t.nodes {
		if n.kind != isDropped {
			left[name] = true
		}
	}
	if err := v.walk(ctx, root, ".", t, left); err != nil {
		return err
	}
	missing := make([]string, 0, len(left))
	for name := range left {
		missing = append(missing, name)
	}
	slices.Sort(missing)
	for _, name := range missing {
		v.tell(name, "it is missing")
	}
	return nil
}

func (v *inspection) walk(ctx context.Context, root int, dir string, t *tree, left map[string]bool) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	fd, err := beneath(root, dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		v.tell(dir, "it cannot be read: %v", err)
		return nil
	}
	f := os.NewFile(uintptr(fd), dir)
	defer f.Close()
	delete(left, dir)
	n := t.nodes[dir]
	v.attributes(dir, fd, n.opaque)
	v.same(fd, ".", dir, n)
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.SortFunc(names, cmp.Compare)
	for _, base := range names {
		name := path.Join(dir, base)
		n := t.nodes[name]
		switch {
		case n == nil || n.kind == isDropped:
			v.tell(name, "it is not in the layer")
		case n.isDir():
			if err := v.walk(ctx, root, name, t, left); err != nil {
				return err
			}
		default:
			delete(left, name)
			v.same(fd, base, name, n)
		}
	}
	return nil
}

// same holds what stands under a name against what ought to.
func (v *inspection) same(dir int, base, name string, n *node) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		v.tell(name, "it cannot be looked at: %v", err)
		return
	}
	types := map[kind]uint32{isImplied: unix.S_IFDIR, isDir: unix.S_IFDIR, isFile: unix.S_IFREG, isSymlink: unix.S_IFLNK, isWhiteout: unix.S_IFCHR}
	if st.Mode&unix.S_IFMT != types[n.kind] {
		v.tell(name, "it is of another type: mode %o", st.Mode)
		return
	}
	switch n.kind {
	case isWhiteout:
		if st.Rdev != 0 {
			v.tell(name, "it is a device")
		}
		return
	case isSymlink:
		buffer := make([]byte, pathMax+1)
		if k, err := unix.Readlinkat(dir, base, buffer); err != nil || string(buffer[:max(k, 0)]) != n.target {
			v.tell(name, "it leads elsewhere: to %s", quoted(string(buffer[:max(k, 0)])))
		}
	case isFile:
		if st.Size != n.size {
			v.tell(name, "it has %d bytes, it had %d", st.Size, n.size)
		} else if want, ok := v.holes[n]; ok {
			v.content(dir, base, name, want)
		} else if n.size == 0 { // nobody has opened it so far
			v.content(dir, base, name, xxhash.Sum64(nil))
		}
	}
	if n.kind != isSymlink && st.Mode&0o7777 != n.mode {
		v.tell(name, "its mode is %o, it was %o", st.Mode&0o7777, n.mode)
	}
	if o := v.layer.Owners; o.Count > 0 && (int(st.Uid) != o.disk(n.uid) || int(st.Gid) != o.disk(n.gid)) {
		v.tell(name, "its owner is %d:%d, it was %d:%d", st.Uid, st.Gid, o.disk(n.uid), o.disk(n.gid))
	}
	if st.Mtim.Sec != n.time.Sec {
		v.tell(name, "its time is another")
	}
}

// content reads a file that the archive does not hold as it is.
func (v *inspection) content(dir int, base, name string, want uint64) {
	f, err := openFile(dir, base)
	if err != nil {
		v.tell(name, "it cannot be read: %v", err)
		return
	}
	defer f.Close()
	v.attributes(name, int(f.Fd()), false)
	hash := xxhash.New()
	if _, err := io.Copy(hash, f); err != nil {
		v.tell(name, "it cannot be read: %v", err)
	} else if hash.Sum64() != want {
		v.tell(name, "its content has changed")
	}
}
