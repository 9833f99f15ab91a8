package image

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// BuildOptions say what the image of a directory is to be.
type BuildOptions struct {
	Name       string
	Platform   v1.Platform // zero: this machine's
	Env        []string
	Entrypoint []string
	Cmd        []string
	WorkDir    string
	User       string
	CreatedBy  string // what its history tells; "": that it was made of a directory
}

// Build makes an image of one layer: of a directory, whose files become root's, or of an
// archive of a root, which says itself whose they are. The same content makes the same
// image. Notes tell what was left out.
func (s *Store) Build(ctx context.Context, from string, stdin io.Reader, o BuildOptions) (a *Added, err error) {
	if o.Platform.OS == "" {
		if o.Platform, err = ParsePlatform(""); err != nil {
			return nil, err
		}
	}
	g, err := s.ingest()
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := g.close(); closed != nil && err == nil {
			a, err = nil, closed
		}
	}()
	p := &packer{ctx: ctx, links: map[[2]uint64]string{}}
	h, err := g.layer(ctx, coming{size: -1, want: anyhow, open: func(context.Context) (io.ReadCloser, error) { return p.open(from, stdin) }})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", called(from), err)
	}
	i := g.image(nil)
	if i.Config, err = o.config(h.DiffID); err != nil {
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

func (o *BuildOptions) config(diffID string) ([]byte, error) {
	hash, err := v1.NewHash(diffID)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v1.ConfigFile{
		Architecture: o.Platform.Architecture, OS: o.Platform.OS, Variant: o.Platform.Variant,
		Config:  v1.Config{Env: o.Env, Entrypoint: o.Entrypoint, Cmd: o.Cmd, WorkingDir: o.WorkDir, User: o.User},
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{hash}},
		History: []v1.History{{CreatedBy: cmp.Or(o.CreatedBy, "cordon image build-from-dir")}},
	})
}

// packer makes an archive of a directory. It follows no link and leaves the directory's
// file system for no other.
type packer struct {
	ctx   context.Context
	w     *tar.Writer
	links map[[2]uint64]string
	notes []Note
	upper *upper // what the directory is of an overlay; nil: nothing
}

func (p *packer) open(from string, stdin io.Reader) (io.ReadCloser, error) {
	if from == "-" {
		return patiently(p.ctx, stdin, nil), nil
	}
	f, info, err := readable(from)
	switch {
	case err != nil:
		return nil, err
	case info.Mode().IsRegular():
		return f, nil
	case !info.IsDir():
		return patiently(p.ctx, f, f.Close), nil
	}
	r, w := io.Pipe()
	p.w = tar.NewWriter(w)
	go func() {
		defer f.Close()
		err := p.dir(int(f.Fd()), ".", f)
		if err == nil {
			err = p.w.Close()
		}
		w.CloseWithError(err)
	}()
	return r, nil
}

func (p *packer) dir(root int, name string, f *os.File) error {
	if strings.Count(name, "/") >= depthMax {
		return rejected("more than %d directories in each other", depthMax)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if err := p.w.WriteHeader(p.header(name+"/", tar.TypeDir, &st)); err != nil {
		return err
	}
	if err := p.upper.opaque(p.w, name, f); err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, base := range names {
		if p.upper.leavesOut(path.Join(name, base)) {
			continue
		}
		if strings.HasPrefix(base, whiteout) {
			return fmt.Errorf("%s: in a layer such a name deletes what is below; rename it", quoted(path.Join(name, base)))
		}
		if err := p.one(root, path.Join(name, base)); err != nil {
			return fmt.Errorf("%s: %w", quoted(path.Join(name, base)), err)
		}
	}
	return p.ctx.Err()
}

func (p *packer) header(name string, kind byte, st *unix.Stat_t) *tar.Header {
	h := &tar.Header{Typeflag: kind, Name: name, Mode: int64(st.Mode & 0o7777), ModTime: time.Unix(st.Mtim.Sec, 0), Format: tar.FormatPAX}
	h.Uid, h.Gid = p.upper.owner(st)
	return h
}

func (p *packer) one(root int, name string) error {
	var st unix.Stat_t
	fd, err := beneath(root, name, unix.O_PATH)
	if errors.Is(err, unix.EXDEV) {
		return errors.New("another file system is mounted there; unmount it, or name a directory without it")
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		f, err := p.reopen(root, name, unix.O_DIRECTORY)
		if err != nil {
			return err
		}
		defer f.Close()
		return p.dir(root, name, f)
	case unix.S_IFLNK:
		buffer := make([]byte, pathMax+1)
		n, err := unix.Readlinkat(fd, "", buffer)
		if err != nil {
			return err
		}
		h := p.header(name, tar.TypeSymlink, &st)
		h.Linkname = string(buffer[:n])
		return p.w.WriteHeader(h)
	case unix.S_IFREG:
		return p.file(root, name, &st)
	case unix.S_IFCHR:
		if p.upper != nil && st.Rdev == 0 {
			return p.w.WriteHeader(whiteoutOf(name))
		}
	}
	p.notes = append(p.notes, Note{Entry: name, Note: "left out: neither file, directory nor link"})
	return nil
}

func (p *packer) reopen(root int, name string, flags int) (*os.File, error) {
	fd, err := beneath(root, name, unix.O_RDONLY|unix.O_NONBLOCK|flags)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (p *packer) file(root int, name string, st *unix.Stat_t) error {
	id := [2]uint64{st.Dev, st.Ino}
	if first, ok := p.links[id]; ok && st.Nlink > 1 {
		h := p.header(name, tar.TypeLink, st)
		h.Linkname = first
		return p.w.WriteHeader(h)
	}
	p.links[id] = name
	f, err := p.reopen(root, name, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Fstat(int(f.Fd()), st); err != nil {
		return err
	}
	if err := p.upper.take(st.Size); err != nil {
		return err
	}
	h := p.header(name, tar.TypeReg, st)
	h.Size = st.Size
	if err := p.w.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.Copy(p.w, io.LimitReader(&untilDone{p.ctx, f}, st.Size))
	if err == nil && n != st.Size {
		err = errors.New("it became shorter while it was read")
	}
	return err
}
