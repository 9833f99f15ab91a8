package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// room makes room for a file, of what nobody needs and was used longest ago.
func (o *Objects) room(ctx context.Context, size int64) error {
	fits := func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.bytes+size <= o.config.MaxBytes && int64(len(o.all)) < o.config.MaxFiles
	}
	if fits() {
		return o.j.Room()
	}
	for _, f := range o.unneeded(staysFor) {
		if err := o.remove(ctx, &f); err != nil && !errors.Is(err, errConflict) {
			return err
		}
		if fits() {
			return o.j.Room()
		}
	}
	return fmt.Errorf("%w: the files that services share may have %d bytes in %d files, and those there are were used within %v or are needed by jobs",
		ErrFull, o.config.MaxBytes, o.config.MaxFiles, staysFor)
}

// unneeded are the files that were not used for so long and that no job needs, the
// oldest first.
func (o *Objects) unneeded(long time.Duration) (out []object) {
	needed := o.config.Needed()
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for sum, f := range o.all {
		if !needed[sum] && now.Sub(f.Used) >= long {
			out = append(out, *f)
		}
	}
	slices.SortFunc(out, func(a, b object) int { return a.Used.Compare(b.Used) })
	return out
}

// remove: the version says that nobody has used it since.
func (o *Objects) remove(ctx context.Context, f *object) error {
	gone := *f
	gone.Gone = true
	if err := o.write(ctx, gone, f.version); err != nil {
		return err
	}
	if err := o.j.Remove(ctx, partsOf(f.Upload)+".>"); err != nil {
		return err
	}
	return nil
}

// Delete removes a file that no job needs.
func (o *Objects) Delete(ctx context.Context, sum string) error {
	f, _, err := o.look(ctx, sum)
	switch {
	case err != nil:
		return err
	case f == nil:
		return ErrNotFound
	}
	if o.config.CatchUp != nil {
		o.config.CatchUp(ctx)
	}
	if o.config.Needed()[sum] {
		return fmt.Errorf("%w: %s", ErrInUse, sum)
	}
	if err := o.remove(ctx, f); !errors.Is(err, errConflict) {
		return err
	}
	return fmt.Errorf("%w: %s was used just now", ErrInUse, sum)
}

// Sweep removes what nobody has used for long, and what is left of uploads.
func (o *Objects) Sweep(ctx context.Context) {
	var old []object
	if o.config.TTL > 0 {
		old = o.unneeded(max(o.config.TTL, staysFor))
	}
	for i := range old {
		if err := o.remove(ctx, &old[i]); err != nil && !errors.Is(err, errConflict) {
			o.log.Warn("a shared file could not be removed", "sha256", old[i].Sum, "error", err)
			return
		}
	}
	o.mu.Lock()
	var left []string
	whole := map[string]bool{}
	for _, f := range o.all {
		whole[f.Upload] = true
	}
	for upload, when := range o.parts {
		if !whole[upload] && o.now().Sub(when) >= uploadFor {
			left = append(left, upload)
			delete(o.parts, upload)
		}
	}
	gone := o.gone
	o.gone = map[string]uint64{}
	o.mu.Unlock()
	o.unmark(ctx, gone)
	for _, upload := range left {
		if err := o.j.Remove(ctx, partsOf(upload)+".>"); err != nil {
			o.log.Warn("what is left of an upload could not be removed", "error", err)
		}
	}
}

// unmark removes what says that files are gone: a newer version stays.
func (o *Objects) unmark(ctx context.Context, gone map[string]uint64) {
	j, ok := o.j.(interface {
		RemoveUntil(ctx context.Context, subject string, number uint64) error
	})
	if !ok {
		return
	}
	for sum, version := range gone {
		if err := j.RemoveUntil(ctx, metaOf(sum), version); err != nil {
			o.log.Warn("that a shared file is gone is still written down", "sha256", sum, "error", err)
		}
	}
}
