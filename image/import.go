package image

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ImportOptions say how images of an archive or a layout are taken.
type ImportOptions struct {
	Platform v1.Platform // zero: this machine's
	Name     string      // the image's name; "": those that the archive gives it
	Only     string      // of several images the one that the archive calls so
}

const mostImages = 64 // in an archive

// Import brings in the images of a file or a directory: an OCI layout, or what docker
// save writes, as a directory or as an archive, packed or not. "-" is stdin.
func (s *Store) Import(ctx context.Context, from string, stdin io.Reader, o ImportOptions) (all []*Added, err error) {
	if o.Platform.OS == "" {
		if o.Platform, err = ParsePlatform(""); err != nil {
			return nil, err
		}
	}
	b, err := s.desk()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	src, err := s.source(ctx, b, from, stdin)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", called(from), err)
	}
	defer func() { err = errors.Join(err, src.close()) }()
	layout, err := has(src, "index.json")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", called(from), err)
	}
	if layout {
		return s.importLayout(ctx, src, o)
	}
	saved, err := has(src, "manifest.json")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", called(from), err)
	}
	if saved {
		return s.importSaved(ctx, src, o)
	}
	return nil, fmt.Errorf("%s: neither an OCI layout (index.json) nor what docker save writes (manifest.json); "+
		"for a directory of files, or a tar archive of a root, there is cordon image build-from-dir", called(from))
}

// source opens what is to be imported. A packed archive is unpacked on the desk first:
// its members are not in the order in which they are needed.
func (s *Store) source(ctx context.Context, b *desk, from string, stdin io.Reader) (source, error) {
	if from == "-" {
		r := patiently(ctx, stdin, nil)
		defer r.Close()
		return s.spool(ctx, b, r)
	}
	f, info, err := readable(from)
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() {
		return s.archive(ctx, b, f)
	}
	defer f.Close()
	if info.IsDir() {
		return openFolder(f)
	}
	r := patiently(ctx, f, f.Close)
	defer r.Close()
	return s.spool(ctx, b, r)
}

// archive takes over a file.
func (s *Store) archive(ctx context.Context, b *desk, f *os.File) (source, error) {
	var start [startBytes]byte
	n, _ := f.ReadAt(start[:], 0)
	if isPacked(start[:n]) {
		defer f.Close()
		return s.spool(ctx, b, f)
	}
	a, err := openArk(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return a, nil
}

// spool writes an archive to the desk, unpacked.
func (s *Store) spool(ctx context.Context, b *desk, r io.Reader) (source, error) {
	packed := &counted{from: r, hash: sha256.New(), most: s.limits.ArchiveBytes}
	l := s.limits
	l.Bytes = l.ArchiveBytes
	all := &budget{Limits: l}
	unpacked := openBlob(ctx, packed, -1, anyhow, all)
	defer unpacked.Close()
	f, err := b.file("archive")
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(f, unpacked); err != nil {
		unpacked.Close() // nobody counts any more
		if most := s.limits.ArchiveBytes; all.bytes > most || packed.n > most {
			err = rejected("an archive of more than %d bytes; raise the limit (--max-archive-bytes) if that is meant", most)
		}
		return nil, errors.Join(err, f.Close())
	}
	a, err := openArk(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return a, nil
}

func called(from string) string {
	if from == "-" {
		return "standard input"
	}
	return from
}
