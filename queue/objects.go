package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
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
