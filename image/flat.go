package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// shown is what an image shows under a name, and the layer that it comes from.
type shown struct {
	node  *node
	layer *Layer
}

// stack is what layers show together, the upper ones taken first.
type stack struct {
	all     map[string]shown
	blocked map[string]bool // names below which no lower layer shows anything
}

// flatten puts an image's layers on each other as an overlay does.
func (s *Store) flatten(ctx context.Context, h *Held) (map[string]shown, error) {
	k := &stack{map[string]shown{}, map[string]bool{}}
	for _, l := range slices.Backward(h.layers) {
		t, err := s.treeOf(ctx, &l.Layer)
		if err != nil {
			return nil, inLayer(l.DiffID, err)
		}
		k.add(t, &l.Layer)
		if l.Opaque {
			break
		}
	}
	maps.DeleteFunc(k.all, func(_ string, e shown) bool { return e.node.kind == isWhiteout })
	return k.all, nil
}

// add puts a layer below those that there are.
func (k *stack) add(t *tree, l *Layer) {
	more := map[string]shown{}
	for name, n := range t.nodes {
		if n.kind != isDropped && k.visible(name) {
			more[name] = shown{n, l}
		}
	}
	maps.Copy(k.all, more)
	for name, n := range t.nodes {
		// Also where an upper layer has a directory of this name: what it hides is below both.
		if n.kind != isDropped && (!n.isDir() || n.opaque) {
			k.blocked[name] = true
		}
	}
}

// visible: no layer above has the name, or hides it.
func (k *stack) visible(name string) bool {
	if _, taken := k.all[name]; taken {
		return false
	}
	for name != "." {
		if name = path.Dir(name); k.blocked[name] {
			return false
		}
	}
	return true
}

func (s *Store) treeOf(ctx context.Context, l *Layer) (*tree, error) {
	r, err := s.replay(l)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return follow(ctx, r, nil)
}

// ExportFlat writes what a job would see as one archive, with the owners and set-id bits
// that the image came with.
func (s *Store) ExportFlat(ctx context.Context, r Ref, to io.Writer) (err error) {
	h, err := s.Hold(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	all, err := s.flatten(ctx, h)
	if err != nil {
		return err
	}
	w := tar.NewWriter(to)
	first := map[*node]string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if name == "." {
			continue
		}
		if err := s.writeFlat(w, name, all[name], first); err != nil {
			return fmt.Errorf("export: %s: %w", quoted(name), err)
		}
	}
	return w.Close()
}

func (s *Store) writeFlat(w *tar.Writer, name string, e shown, first map[*node]string) error {
	n := e.node
	h := &tar.Header{Name: name, Mode: int64(n.mode | n.setIDs), Uid: n.uid, Gid: n.gid, ModTime: time.Unix(n.time.Sec, 0)}
	switch n.kind {
	case isDir, isImplied:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
	case isSymlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, n.target
	case isFile:
		h.Typeflag, h.Size = tar.TypeReg, n.size
		if to, ok := first[n]; ok {
			h.Typeflag, h.Size, h.Linkname = tar.TypeLink, 0, to
		}
	}
	if err := w.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	first[n] = name
	dir, err := beneath(s.layers, layerID(e.layer.DiffID), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	f, err := openFile(dir, treeDir+"/"+name)
	if err != nil {
		return err
	}
	defer f.Close()
	copied, err := io.Copy(w, io.LimitReader(f, n.size))
	if err == nil && copied != n.size {
		err = fmt.Errorf("%w: it is shorter than it was", ErrDamaged)
	}
	return err
}
