package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Added is what came of bringing an image in.
type Added struct {
	*Image
	New   int      `json:"new_layers"` // layers that were not there
	Notes []Note   `json:"notes,omitempty"`
	Noted int64    `json:"noted,omitempty"` // how many there were
	Kept  []string `json:"names_kept_by_others,omitempty"`
}

// coming is a layer that is to be brought in.
type coming struct {
	diffID string // "" where it is not known before
	digest string // "" where none was announced
	size   int64  // packed; negative where it was not announced
	want   packing
	open   func(ctx context.Context) (io.ReadCloser, error)
}

// ingestion brings an image in. Nothing of it is seen before it is whole.
type ingestion struct {
	store  *Store
	desk   *desk
	budget *budget
	layers []*stacked
}

// stacked is a layer of the image: one that was there, or one on the desk.
type stacked struct {
	*held
	on string // the desk, "": it has its place
}

func (s *Store) ingest() (*ingestion, error) {
	b, err := s.desk()
	if err != nil {
		return nil, err
	}
	return &ingestion{store: s, desk: b, budget: &budget{Limits: s.limits}}, nil
}

func (g *ingestion) close() error {
	var errs []error
	for _, l := range g.layers {
		errs = append(errs, l.close())
	}
	return errors.Join(append(errs, g.desk.close())...)
}

// layer adds the next layer, and brings it in where it is not there.
func (g *ingestion) layer(ctx context.Context, c coming) (*held, error) {
	if int64(len(g.layers)) >= g.budget.Layers {
		return nil, rejected("more than %d layers; raise the limit (--max-layers) if that is meant", g.budget.Layers)
	}
	if c.diffID != "" {
		if h := g.have(c.diffID); h != nil {
			return h.held, nil
		}
		h, err := g.store.hold(c.diffID)
		if err == nil && h.Owners != g.store.owners {
			return nil, errors.Join(otherIDs(&h.Layer), h.close())
		}
		if err == nil {
			g.layers = append(g.layers, &stacked{h, ""})
			return h, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	name := c.diffID
	if name == "" {
		name = strconv.Itoa(len(g.layers) + 1)
	}
	h, err := g.unpack(ctx, c)
	return h, inLayer(name, err)
}

// have: an image may have a layer more than once.
func (g *ingestion) have(diffID string) *stacked {
	for _, l := range g.layers {
		if l.DiffID == diffID {
			again, err := g.again(l)
			if err != nil {
				return nil
			}
			g.layers = append(g.layers, again)
			return again
		}
	}
	return nil
}

// again holds a layer once more.
func (g *ingestion) again(l *stacked) (*stacked, error) {
	fd, err := unix.FcntlInt(l.lock.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &stacked{&held{l.Layer, os.NewFile(uintptr(fd), layerFile)}, ""}, nil
}

func (g *ingestion) unpack(ctx context.Context, c coming) (*held, error) {
	if c.size > g.budget.Bytes {
		return nil, rejected("%d bytes, packed; raise the limit (--max-bytes, now %d) if that is meant", c.size, g.budget.Bytes)
	}
	r, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	on := "layer" + strconv.Itoa(len(g.layers))
	before := g.budget.bytes
	l := openBlob(ctx, r, c.size, c.want, g.budget)
	layer, err := g.store.unstack(ctx, g.desk, on, l)
	if err == nil {
		err = l.check(c.size, c.digest, c.diffID)
	}
	err = l.better(err, c.digest)
	closed := r.Close() // first: who still reads it waits for nobody then
	l.Close()
	if err = errors.Join(err, closed); err != nil {
		return nil, err
	}
	layer.Archive = g.budget.bytes - before
	h, err := g.desk.seal(on, layer)
	if err != nil {
		return nil, err
	}
	g.layers = append(g.layers, &stacked{h, on})
	return h, nil
}

// commit makes the image one of the store's: first its layers, each whole and on the
// disk, then itself, then its names.
func (g *ingestion) commit(i *Image, names []string, move bool) (*Added, error) {
	a := &Added{Image: i}
	if err := g.placeAll(a); err != nil {
		return nil, err
	}
	i.ID, i.Added = digestOf(i.Config), time.Now().UTC().Truncate(time.Second)
	s := g.store
	err := s.locked(func() error {
		old, err := s.image(i.ID, nil)
		switch {
		case err == nil:
			i.Added = old.Added
			for _, m := range old.Manifests {
				if !slices.Contains(i.Manifests, m) {
					i.Manifests = append(i.Manifests, m)
				}
			}
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrDamaged):
			return err
		}
		if err := s.writeJSON(imageName(i.ID), i); err != nil {
			return err
		}
		return s.rename(func(all map[string]named) {
			for _, n := range names {
				if was, taken := all[n]; taken && was.ID != i.ID && !move {
					a.Kept = append(a.Kept, n)
					continue
				}
				all[n] = named{i.ID, i.Added}
			}
			i.Names = namesOf(all, i.ID)
		})
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (g *ingestion) placeAll(a *Added) error {
	fresh := slices.ContainsFunc(g.layers, func(l *stacked) bool { return l.on != "" })
	if fresh {
		// Once for all files of all layers: to ask for each costs more than to write it.
		if err := g.store.sync(g.desk.fd); err != nil {
			return fmt.Errorf("the disk refused to keep the image: %w", err)
		}
	}
	for _, l := range g.layers {
		if l.on != "" {
			h, err := g.store.place(g.desk, l.on, l.held)
			if err != nil {
				return err
			}
			if h == l.held {
				a.New++
			}
			l.held, l.on = h, ""
		}
		a.Notes = append(a.Notes, l.Notes[:min(len(l.Notes), notesMax-len(a.Notes))]...)
		a.Noted += l.Noted
	}
	if !fresh {
		return nil
	}
	return g.store.syncDir(layersDir)
}

// image is what is known of the image by its layers.
func (g *ingestion) image(layers []coming) *Image {
	i := &Image{}
	for n, l := range g.layers {
		ref := LayerRef{DiffID: l.DiffID, Bytes: l.Bytes}
		if n < len(layers) {
			ref.Digest, ref.Packed = layers[n].digest, max(layers[n].size, 0)
		}
		i.Layers = append(i.Layers, ref)
	}
	return i
}
