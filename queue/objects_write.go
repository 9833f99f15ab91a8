package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
)

// look finds a file: what is known here may be old.
func (o *Objects) look(ctx context.Context, sum string) (*object, uint64, error) {
	m, err := o.j.Get(ctx, metaOf(sum))
	if errors.Is(err, errNone) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if old := o.all[sum]; old != nil {
			o.bytes -= old.Size
			delete(o.all, sum)
		}
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	found := &object{}
	if err := json.Unmarshal(m.Meta, found); err != nil {
		return nil, 0, fmt.Errorf("file %s: %w", sum, err)
	}
	found.version = m.Number
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(found)
	if found.Gone {
		return nil, m.Number, nil
	}
	return found, m.Number, nil
}

func (o *Objects) write(ctx context.Context, f object, last uint64) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if f.version, err = o.j.Put(ctx, metaOf(f.Sum), text, nil, last); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(&f)
	return nil
}

// Use notes that a file is used, which keeps it for a while, and says how long it is;
// ErrNotFound where there is none.
func (o *Objects) Use(ctx context.Context, sum string) (int64, error) {
	for {
		o.mu.Lock()
		known := o.all[sum]
		o.mu.Unlock()
		if known != nil && o.now().Sub(known.Used) < touchEvery {
			return known.Size, nil
		}
		f, version, err := o.look(ctx, sum)
		if err != nil {
			return 0, err
		}
		if f == nil {
			return 0, ErrNotFound
		}
		used := *f
		used.Used = o.now().UTC()
		if err := o.write(ctx, used, version); !errors.Is(err, errConflict) {
			return f.Size, err
		}
	}
}

// Put keeps what r has, size bytes, whose name the caller has proved. What is there
// already is only used.
func (o *Objects) Put(ctx context.Context, sum string, size int64, r io.Reader) (created bool, err error) {
	if _, err := o.Use(ctx, sum); !errors.Is(err, ErrNotFound) {
		return false, err
	}
	if err := o.room(ctx, size); err != nil {
		return false, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return false, err
	}
	f := object{Sum: sum, Size: size, Upload: id.String(), Used: o.now().UTC()}
	if f.Parts, err = o.upload(ctx, f.Upload, size, r); err == nil {
		_, version, wrong := o.look(ctx, sum)
		if err = wrong; err == nil {
			err = o.write(ctx, f, version)
		}
	}
	if err == nil {
		return true, nil
	}
	if wrong := o.j.Remove(context.WithoutCancel(ctx), partsOf(f.Upload)+".>"); wrong != nil {
		o.log.Warn("what was brought of a shared file is left for a while", "sha256", sum, "error", wrong)
	}
	if errors.Is(err, errConflict) { // somebody else has brought it
		_, err = o.Use(ctx, sum)
		return false, err
	}
	return false, err
}

func (o *Objects) upload(ctx context.Context, id string, size int64, r io.Reader) (parts int, err error) {
	piece := make([]byte, min(size, partBytes))
	for left := size; left > 0; parts++ {
		piece = piece[:min(left, partBytes)]
		if _, err := io.ReadFull(r, piece); err != nil {
			return 0, err
		}
		if _, err := o.j.Put(ctx, partOf(id, parts), nil, piece, 0); err != nil {
			return 0, err
		}
		left -= int64(len(piece))
	}
	return parts, nil
}
