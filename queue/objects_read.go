package queue

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"
)

// Get reads a file. Who reads it has to hash it: servers may be damaged.
func (o *Objects) Get(ctx context.Context, sum string) (io.Reader, int64, error) {
	f, _, err := o.look(ctx, sum)
	switch {
	case err != nil:
		return nil, 0, err
	case f == nil:
		return nil, 0, ErrNotFound
	}
	return &objectReader{ctx: ctx, from: o.j, file: *f}, f.Size, nil
}

// objectReader has one part in memory.
type objectReader struct {
	ctx  context.Context
	from Journal
	file object
	next int
	part []byte
}

// Read is io.Reader's.
func (r *objectReader) Read(b []byte) (int, error) {
	for len(r.part) == 0 {
		if r.next == r.file.Parts {
			return 0, io.EOF
		}
		m, err := r.from.Get(r.ctx, partOf(r.file.Upload, r.next))
		if errors.Is(err, errNone) { // it was removed meanwhile
			err = ErrNotFound
		}
		if err != nil {
			return 0, err
		}
		r.part = m.Data
		r.next++
	}
	n := copy(b, r.part)
	r.part = r.part[n:]
	return n, nil
}

// Stat says how long a file is and when it was used last, without using it.
func (o *Objects) Stat(ctx context.Context, sum string) (size int64, used time.Time, err error) {
	f, _, err := o.look(ctx, sum)
	switch {
	case err != nil:
		return 0, time.Time{}, err
	case f == nil:
		return 0, time.Time{}, ErrNotFound
	}
	return f.Size, f.Used, nil
}

// Usage is how many files there are, and their bytes.
func (o *Objects) Usage() (files, bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return int64(len(o.all)), o.bytes
}

// UsageOf is the bytes of the files whose names end so.
func (o *Objects) UsageOf(suffix string) (bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, f := range o.all {
		if strings.HasSuffix(name, suffix) {
			bytes += f.Size
		}
	}
	return bytes
}
