package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// LayerOptions say what a further layer of an image is.
type LayerOptions struct {
	Name      string
	Env       []string // in addition to the image's
	CreatedBy string
	Without   []string // names that are not taken over, with all below them
	MaxBytes  int64    // of files' content, at most: holes cost nothing where they were made; 0: any
}

// Extend makes an image of another and of what was changed in it: the upper directory of an
// overlay, mounted with userxattr, at which nobody is any more. It comes in as a layer from
// anywhere does. Notes tell what was left out.
func (s *Store) Extend(ctx context.Context, base *Held, changed *os.File, o LayerOptions) (a *Added, err error) {
	g, err := s.ingest()
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := g.close(); closed != nil && err == nil {
			a, err = nil, closed
		}
	}()
	for _, l := range base.Layers {
		gone := func(context.Context) (io.ReadCloser, error) {
			return nil, fmt.Errorf("layer %s: %w, though it was held", short(l.DiffID), ErrDamaged)
		}
		if _, err := g.layer(ctx, coming{diffID: l.DiffID, size: -1, open: gone}); err != nil {
			return nil, err
		}
	}
	p := &packer{ctx: ctx, links: map[[2]uint64]string{}, upper: &upper{owners: s.owners, without: o.Without, most: o.MaxBytes}}
	h, err := g.layer(ctx, coming{size: -1, want: plain, open: func(context.Context) (io.ReadCloser, error) { return p.pack(changed), nil }})
	if err != nil {
		return nil, err
	}
	i := g.image(nil)
	if i.Config, err = o.extended(base.Image, h.DiffID); err != nil {
		return nil, err
	}
	var names []string
	if o.Name != "" {
		names = []string{o.Name}
	}
	if a, err = g.commit(i, names, true); err == nil {
		a.Notes, a.Noted = append(a.Notes, p.notes...), a.Noted+int64(len(p.notes))
	}
	return a, err
}

// extended is the configuration with one layer more.
func (o *LayerOptions) extended(base *Image, diffID string) ([]byte, error) {
	f, err := base.File()
	if err != nil {
		return nil, err
	}
	hash, err := v1.NewHash(diffID)
	if err != nil {
		return nil, err
	}
	f.RootFS.DiffIDs = append(slices.Clone(f.RootFS.DiffIDs), hash)
	f.History = append(slices.Clone(f.History), v1.History{CreatedBy: o.CreatedBy})
	f.Config.Env = withEnv(f.Config.Env, o.Env)
	return json.Marshal(f)
}

// withEnv sets variables, and keeps the place of those that were there.
func withEnv(env, more []string) []string {
	out := slices.Clone(env)
	for _, kv := range more {
		name, _, _ := strings.Cut(kv, "=")
		if at := slices.IndexFunc(out, func(e string) bool { return strings.HasPrefix(e, name+"=") }); at >= 0 {
			out[at] = kv
		} else {
			out = append(out, kv)
		}
	}
	return out
}

// pack gives an archive of a directory that is open.
func (p *packer) pack(dir *os.File) io.ReadCloser {
	r, w := io.Pipe()
	p.w = tar.NewWriter(w)
	go func() {
		// A description of its own: how far this one was read is nobody else's matter.
		f, err := p.reopen(int(dir.Fd()), ".", unix.O_DIRECTORY)
		if err == nil {
			err = p.dir(int(f.Fd()), ".", f)
			f.Close()
		}
		if err == nil {
			err = p.w.Close()
		}
		w.CloseWithError(err)
	}()
	return r
}

// upper is what a directory is as the upper one of an overlay. A nil one is none.
type upper struct {
	owners  Owners
	without []string
	most    int64 // bytes that its files may have
	bytes   int64
}

// take counts a file's bytes, holes among them.
func (u *upper) take(n int64) error {
	if u == nil || u.most == 0 {
		return nil
	}
	if u.bytes += n; u.bytes > u.most || u.bytes < 0 {
		return rejected("files of more than %d bytes, which is more than they can take up: they have holes", u.most)
	}
	return nil
}

func (u *upper) leavesOut(name string) bool { return u != nil && slices.Contains(u.without, name) }

// owner is who has a file in the image: what is nobody's of it is root's.
func (u *upper) owner(st *unix.Stat_t) (uid, gid int) {
	if u == nil {
		return 0, 0
	}
	return u.owners.inImage(st.Uid), u.owners.inImage(st.Gid)
}

// nobodys is the id of nobody. In a range that is too small for it, the last one is nobody's.
const nobodys = 65534

// inImage is the id that an id of the disk stands for.
func (o Owners) inImage(disk uint32) int {
	id := int64(disk) - o.First
	switch {
	case o.Count == 0 || id < 0 || id >= o.Count:
		return 0
	case o.Count <= nobodys && id == o.Count-1:
		return nobodys
	}
	return int(id)
}

// whiteoutOf says that lower layers have no such name.
func whiteoutOf(name string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(path.Dir(name), whiteout+path.Base(name)), Mode: 0o600, Format: tar.FormatPAX}
}

// Attributes of an overlay, as an ordinary user's has them.
const (
	overlayPrefix = "user.overlay."
)

// harmless are notes of the overlay's to itself.
var harmless = []string{opaqueName, overlayPrefix + "origin", overlayPrefix + "impure", overlayPrefix + "nlink", overlayPrefix + "upper", overlayPrefix + "uuid"}

// opaque says that lower layers have nothing in the directory, where that is so.
func (u *upper) opaque(w *tar.Writer, name string, f *os.File) error {
	if u == nil {
		return nil
	}
	list := make([]byte, 64<<10)
	n, err := unix.Flistxattr(int(f.Fd()), list)
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("flistxattr", err)
	}
	for attribute := range bytes.SplitSeq(list[:n], []byte{0}) {
		if strings.HasPrefix(string(attribute), overlayPrefix) && !slices.Contains(harmless, string(attribute)) {
			return fmt.Errorf("the overlay has the attribute %s, which cannot be said in a layer", quoted(string(attribute)))
		}
	}
	value := make([]byte, 16)
	n, err = unix.Fgetxattr(int(f.Fd()), opaqueName, value)
	if errors.Is(err, unix.ENODATA) || err == nil && string(value[:n]) != "y" || name == "." {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("fgetxattr", err)
	}
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path.Join(name, whiteoutsAll), Mode: 0o600, Format: tar.FormatPAX})
}
