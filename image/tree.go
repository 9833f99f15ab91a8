package image

import (
	"path"

	"golang.org/x/sys/unix"
)

// node is what a layer has under a name.
type node struct {
	kind    kind   // isImplied, isDir, isFile, isSymlink, isWhiteout or isDropped
	mode    uint32 // as on the disk
	setIDs  uint32 // bits that the entry had besides
	uid     int
	gid     int
	time    unix.Timespec
	target  string
	size    int64
	content int  // of a file: the number of its payload, noPayload where it is empty, sparse where it is not one
	opaque  bool // of a directory
}

// Contents that are no payload.
const (
	noPayload = -1
	sparse    = -2
)

func (n *node) isDir() bool { return n.kind == isDir || n.kind == isImplied }

// tree follows the entries of a layer's archive: what each does to what is there, on the
// disk, where there is one, and in mind. The same steps unpack a layer and say, later,
// how it ought to look.
type tree struct {
	nodes   map[string]*node
	disk    disk
	implied func() error // asked before a directory that has no entry; nil: as many as there are
}

// disk makes what a layer has. All paths are clean and relative; parents are there.
type disk interface {
	mkdir(path string) error
	symlink(path string, n *node) error
	link(path, to string) error
	whiteout(path string) error
	opaque(path string) error
	remove(path string) error            // a name that is no directory
	keep(path string, content int) error // the same, of a payload that the record needs
}

// nothing is a disk that is not there.
type nothing struct{}

func (nothing) mkdir(string) error          { return nil }
func (nothing) symlink(string, *node) error { return nil }
func (nothing) link(string, string) error   { return nil }
func (nothing) whiteout(string) error       { return nil }
func (nothing) opaque(string) error         { return nil }
func (nothing) remove(string) error         { return nil }
func (nothing) keep(string, int) error      { return nil }

func newTree(d disk) *tree {
	return &tree{nodes: map[string]*node{".": {kind: isImplied, mode: 0o755}}, disk: d}
}

// Directories that an archive has things in, and no entry for, get these modes.
var impliedModes = map[string]uint32{"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700}

// directory sees that path is one.
func (t *tree) directory(name string) error {
	n := t.nodes[name]
	switch {
	case n != nil && n.isDir():
		return nil
	case n != nil && n.kind == isDropped:
		return rejected("it lies below %s, which was left out", quoted(name))
	case n != nil && n.kind != isWhiteout:
		return rejected("it lies below %s, which is no directory", quoted(name))
	}
	if err := t.directory(path.Dir(name)); err != nil {
		return err
	}
	if t.implied != nil {
		if err := t.implied(); err != nil {
			return err
		}
	}
	mode := impliedModes[name]
	if mode == 0 {
		mode = 0o755
	}
	return t.makeDir(name, n, &node{kind: isImplied, mode: mode})
}

// makeDir puts a directory where there is none. What was deleted of lower layers stays so.
func (t *tree) makeDir(name string, was, n *node) error {
	if was != nil {
		if err := t.clear(name, was); err != nil {
			return err
		}
	}
	if err := t.disk.mkdir(name); err != nil {
		return err
	}
	t.nodes[name] = n
	if was != nil && was.kind == isWhiteout {
		return t.hide(name, n)
	}
	return nil
}

func (t *tree) hide(name string, n *node) error {
	if n.opaque {
		return nil
	}
	n.opaque = true
	return t.disk.opaque(name)
}

// clear takes away what an entry replaces.
func (t *tree) clear(name string, was *node) error {
	switch {
	case was.isDir():
		return rejected("it is a directory earlier in the same layer")
	case was.kind == isFile && was.content >= 0:
		return t.disk.keep(name, was.content)
	case was.kind == isDropped:
		return nil
	}
	return t.disk.remove(name)
}

// apply takes an entry that is no file with content. A file's node is to be made with
// file, before its content comes.
func (t *tree) apply(e *entry) error {
	if e.kind == isIgnored {
		return nil
	}
	was := t.nodes[e.path]
	if e.path != "." && e.kind != isDropped {
		if err := t.directory(path.Dir(e.path)); err != nil {
			return err
		}
	}
	n := &node{kind: e.kind, mode: e.mode, setIDs: e.setIDs, uid: e.uid, gid: e.gid, time: e.time, target: e.target, content: noPayload}
	switch e.kind {
	case isDir:
		return t.applyDir(e.path, was, n)
	case isOpaque:
		if err := t.directory(e.path); err != nil {
			return err
		}
		return t.hide(e.path, t.nodes[e.path])
	case isWhiteout:
		return t.applyWhiteout(e.path, was, n)
	case isLink:
		return t.applyLink(e, was)
	case isDropped:
		if was == nil { // what is there stays: it is not this that is shown
			t.nodes[e.path] = n
		}
		return nil
	}
	if was != nil {
		if err := t.clear(e.path, was); err != nil {
			return err
		}
	}
	t.nodes[e.path] = n
	if e.kind == isSymlink {
		return t.disk.symlink(e.path, n)
	}
	return nil // a file: its content makes it
}

func (t *tree) applyDir(name string, was, n *node) error {
	if was != nil && was.isDir() {
		n.opaque = was.opaque
		t.nodes[name] = n
		return nil
	}
	return t.makeDir(name, was, n)
}

// applyWhiteout: it is about lower layers only. What this one has under the name stays,
// and hides what is below; a directory would show it.
func (t *tree) applyWhiteout(name string, was, n *node) error {
	switch {
	case was != nil && was.isDir():
		return t.hide(name, was)
	case was != nil && was.kind != isDropped:
		return nil
	}
	t.nodes[name] = n
	return t.disk.whiteout(name)
}

func (t *tree) applyLink(e *entry, was *node) error {
	to := t.nodes[e.target]
	switch {
	case e.target == e.path:
		return rejected("a hard link to itself")
	case to != nil && to.kind == isDropped:
		if was == nil {
			t.nodes[e.path] = to
		}
		return nil
	case to == nil || to.kind != isFile && to.kind != isSymlink:
		return rejected("a hard link to %s, which is no file of this layer", quoted(e.target))
	}
	if was != nil {
		if err := t.clear(e.path, was); err != nil {
			return err
		}
	}
	t.nodes[e.path] = to
	return t.disk.link(e.path, e.target)
}
