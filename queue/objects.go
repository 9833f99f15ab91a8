package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Objects are files by their content which services share: in a journal of their own, so
// that what was written is where jobs are.
//
//	cordonfiles.m.SUM       what is known of a file; written last
//	cordonfiles.c.ID.N      its bytes, in parts; ID is that of one upload
//
// Two who bring the same file have different parts, and one of them is first with the
// rest. A file is removed by writing down that it is gone, as a version that follows the
// one that was seen: who has just used it has written a newer one.
type Objects struct {
	config ObjectsConfig
	j      Journal
	log    *slog.Logger
	now    func() time.Time

	mu    sync.Mutex
	all   map[string]*object
	bytes int64
	parts map[string]time.Time // of uploads, when the last part came
	gone  map[string]uint64    // versions that say that a file is gone

	ctx    context.Context
	stop   context.CancelFunc
	inside sync.WaitGroup
}

// ObjectsConfig is what may be kept.
type ObjectsConfig struct {
	MaxBytes, MaxFiles int64
	TTL                time.Duration          // since the last use; 0: for ever
	Needed             func() map[string]bool // names of the files that must stay
	CatchUp            func(context.Context)  // has Needed know of all jobs that were taken until now; nil: it does
	Now                func() time.Time
	Logger             *slog.Logger
}

// object is what is known of a file.
type object struct {
	Sum    string    `json:"sum"`
	Size   int64     `json:"size"`
	Parts  int       `json:"parts"`
	Upload string    `json:"upload"`
	Used   time.Time `json:"used"`
	Gone   bool      `json:"gone,omitempty"`

	version uint64
}

const (
	objectSubjects = "cordonfiles."
	// touchEvery is how old a time of use may be that others know.
	touchEvery = 10 * time.Minute
	// staysFor is how long a file stays from its last use on, whatever happens: longer
	// than touchEvery, and than it takes to write down who needs it.
	staysFor = 2 * touchEvery
	// uploadFor is how long an upload may rest until what is there of it is removed.
	uploadFor = time.Hour
)

func metaOf(sum string) string           { return objectSubjects + "m." + sum }
func partsOf(upload string) string       { return objectSubjects + "c." + upload }
func partOf(upload string, n int) string { return partsOf(upload) + "." + strconv.Itoa(n) }

// ErrInUse is why a file is not removed.
var ErrInUse = errors.New("a job needs the file")

// OpenObjects reads what there is.
func OpenObjects(ctx context.Context, j Journal, c ObjectsConfig) (*Objects, error) {
	o := &Objects{config: c, j: j, log: c.Logger, now: c.Now, all: map[string]*object{}, parts: map[string]time.Time{}, gone: map[string]uint64{}}
	o.ctx, o.stop = context.WithCancel(context.Background())
	caught := make(chan struct{})
	o.inside.Go(func() { _ = j.Watch(o.ctx, o.told, func() { close(caught) }) })
	select {
	case <-caught:
		return o, nil
	case <-ctx.Done():
		o.stop()
		o.inside.Wait()
		return nil, fmt.Errorf("the files that services share were not read: %w", ctx.Err())
	}
}

// Close ends it, and its journal.
func (o *Objects) Close() error {
	o.stop()
	o.inside.Wait()
	return o.j.Close()
}

func (o *Objects) told(m *Message) {
	rest, _ := strings.CutPrefix(m.Subject, objectSubjects)
	kind, name, _ := strings.Cut(rest, ".")
	o.mu.Lock()
	defer o.mu.Unlock()
	if kind == "c" {
		upload, _, _ := strings.Cut(name, ".")
		o.parts[upload] = m.Time
		return
	}
	var found object
	if err := json.Unmarshal(m.Meta, &found); err != nil || found.Sum != name {
		o.log.Error("what is known of a shared file cannot be read and is left out", "subject", m.Subject, "error", err)
		return
	}
	found.version = m.Number
	o.keep(&found)
}

// keep takes over what is known of a file. The caller holds mu.
func (o *Objects) keep(f *object) {
	old := o.all[f.Sum]
	if old != nil && old.version >= f.version {
		return
	}
	if old != nil {
		o.bytes -= old.Size
		delete(o.all, f.Sum)
	}
	if f.Gone {
		o.gone[f.Sum] = f.version
	} else {
		delete(o.gone, f.Sum)
		o.bytes += f.Size
		o.all[f.Sum] = f
		delete(o.parts, f.Upload)
	}
}

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

// Needed are the files that jobs name which have not ended.
func (q *Queue) Needed() map[string]bool {
	out := map[string]bool{}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, all := range q.index.active {
		for e := range all {
			for _, name := range e.Names {
				out[name] = true
			}
		}
	}
	return out
}

// catchUpWithin is how long is waited for what the journal has to tell.
const catchUpWithin = time.Second

// CatchUp returns when what was written until now is known here.
func (q *Queue) CatchUp(ctx context.Context) {
	j, ok := q.j.(interface {
		Last(context.Context) (uint64, error)
	})
	if !ok {
		return
	}
	ctx, stop := context.WithTimeout(ctx, catchUpWithin)
	defer stop()
	last, err := j.Last(ctx)
	for err == nil && ctx.Err() == nil {
		q.mu.Lock()
		seen := q.index.seen
		q.mu.Unlock()
		if seen >= last {
			return
		}
		select {
		case <-ctx.Done(): // the last message was removed, and nobody is told of it
		case <-time.After(time.Millisecond):
		}
	}
}

// Alone: nobody shares the queue.
func (q *Queue) Alone() bool { return q.bus == nil }

// Time is what time it is where the journal is kept.
func (q *Queue) Time() time.Time { return q.now() }
