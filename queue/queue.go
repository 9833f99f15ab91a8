package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Config is what a Queue stands on.
type Config struct {
	Journal      Journal
	Worker       string        // name of this service among all that use the journal; the same at every start
	Boot         string        // of this start
	MaxJobs      int64         // that wait
	MaxBytes     int64         // of the requests of jobs that have not ended
	ResultsTTL   time.Duration // how long a record stays when its job has ended; 0: until its room is needed
	ResultsBytes int64         // of all results
	Logger       *slog.Logger
	Now          func() time.Time // nil: time.Now

	// Ran is told of jobs that have run elsewhere, or here before this start: whose, how much
	// CPU time they have used, how long they ran, and how long ago that was. It may not call the
	// queue, and has to be quick. nil: nobody wants to know.
	Ran func(tenant string, cpu, ran, ago time.Duration)
	// Settled is called when this service has ended a job otherwise than by Finish: it was
	// cancelled or expired while it waited, or cut off by the end of an earlier start or of
	// another service; of the last some are queued again.
	Settled func(*Record)
	// Told is called when this service has delivered a webhook, or given it up.
	Told func(*Record)

	// Of a journal that other services share:
	Abilities *Abilities           // what jobs can run here; nil: this service runs none, or where nobody shares the journal, any
	Most      int                  // jobs that run here at once, for the others to know
	Follow    bool                 // know all services that live, and settle the jobs of those that have died; the others help with that
	Lease     time.Duration        // how long this service may be cut off; the same in all of them; 0: DefaultLease
	Elapsed   func() time.Duration // time that has passed; nil: since the machine started
	OwnClock  bool                 // time is what Now says; else what the clock of the journal's servers says
}

// MaxAttempts is how often a job is begun that may be run again.
const MaxAttempts = 3

// Queue is an open queue. Its methods may be called at once.
type Queue struct {
	config Config
	j      Journal
	log    *slog.Logger
	now    func() time.Time

	mu       sync.Mutex
	index    *index
	coming   int64             // jobs that are being submitted
	comingOf map[string]amount // of them, those of each tenant
	incoming int64             // and their bytes
	onEnd    func(id string)

	bus     Bus // nil: nobody shares the journal
	lease   lease
	watched *watched // nil likewise
	elapsed func() time.Duration
	clock   clockOf
	rivals  rivals
	within  time.Duration // see farewellWithin

	wake   chan struct{} // something waits
	ctx    context.Context
	stop   context.CancelFunc
	inside sync.WaitGroup
}

// Open reads the journal, and settles what an earlier start has left: jobs that it had
// begun are queued again where they may, else they are interrupted.
func Open(ctx context.Context, c Config) (*Queue, error) {
	q := &Queue{config: c, j: c.Journal, log: c.Logger, now: c.Now, index: newIndex(c.Worker, c.Boot), comingOf: map[string]amount{},
		wake: make(chan struct{}, 1), within: farewellWithin}
	if q.log == nil {
		q.log = slog.New(slog.DiscardHandler)
	}
	if q.now == nil {
		q.now = time.Now
	}
	if err := q.share(ctx); err != nil {
		return nil, err
	}
	q.ctx, q.stop = context.WithCancel(context.Background())
	found := newStrays()
	caught := make(chan struct{})
	q.inside.Go(func() {
		_ = q.j.Watch(q.ctx, func(m *Message) { q.told(m, found) }, func() { found.stop(); close(caught) })
	})
	select {
	case <-caught:
	case <-ctx.Done():
		q.stop()
		q.inside.Wait()
		return nil, fmt.Errorf("the queue's journal was not read: %w", ctx.Err())
	}
	if err := q.settle(ctx, found); err != nil {
		q.stop()
		q.inside.Wait()
		return nil, err
	}
	q.inside.Go(q.sweeping)
	q.beginSharing()
	return q, nil
}

// told takes over a message of the journal.
func (q *Queue) told(m *Message, found *strays) {
	kind, id := parseSubject(m.Subject)
	if kind != submission && kind != stateOf {
		found.add(kind, id, m)
		q.mu.Lock()
		defer q.mu.Unlock()
		q.index.seen = m.Number
		if kind == deliveryOf {
			q.toldDelivery(id, m)
		}
		return
	}
	r, err := decode(m.Meta)
	if err == nil && r.ID != id {
		err = fmt.Errorf("it is the record of %s", r.ID)
	}
	if err != nil {
		q.log.Error("a message of the queue's journal cannot be read and is left out", "subject", m.Subject, "error", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.index.seen = m.Number
	if err != nil {
		return
	}
	q.applied(kind, r, m.Number)
	if q.bus != nil && r.State.Final() && found.stopped() { // who has ended it removes the request
		delete(q.index.untidy, q.index.jobs[r.ID])
	}
}

// toldDelivery takes over what came of telling of a job's end. One that cannot be read
// counts as not begun. The caller holds mu.
func (q *Queue) toldDelivery(id string, m *Message) {
	d, err := decodeDelivery(m.Meta)
	if err != nil {
		q.log.Error("a message of the queue's journal cannot be read; the webhook is sent again", "subject", m.Subject, "error", err)
		d = &Delivery{State: Pending}
	}
	q.index.applyDelivery(id, d, m.Number)
}

// applied brings a record into memory. The caller holds mu.
func (q *Queue) applied(kind string, r *Record, number uint64) {
	var before Record
	if e := q.index.jobs[r.ID]; e != nil {
		before = e.Record
	}
	if !q.index.apply(kind, r, number) {
		return
	}
	e := q.index.jobs[r.ID]
	if e.State == Queued {
		signal(q.wake)
	}
	if e.State.Final() && q.onEnd != nil {
		q.onEnd(e.ID)
	}
	q.ran(&before, &e.Record)
	if e.claim != nil && e.State == Running && e.Cancel { // by another service
		e.claim.cancel(ErrCancelled)
	}
	if e.claim != nil && !e.claim.same(&e.Record) { // others thought that this service was dead
		e.claim.cancel(errLost)
	}
}

// OnEnd has f called when a job ends. f may not call the queue, and has to be quick.
func (q *Queue) OnEnd(f func(id string)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.onEnd = f
}

// Submission is a job that is to be queued.
type Submission struct {
	ID        string
	Tenant    string
	Request   []byte
	Priority  Priority
	RetrySafe bool
	TTL       time.Duration // how long it may wait
	Files     int
	Key       string // its Idempotency-Key; "": none. Two tenants may have the same
	Most      int64  // jobs of this tenant that may wait; 0: any number

	Memory int64 // that the job is promised while it runs
	CPUs   float64
	Hook   *Hook // nil: nobody is told of its end

	Needs Needs
	Brief bool     // its client waits for the result, and the record goes soon
	Names []string // of the files that it needs, where services share them
}

// Submit queues a job. When it returns without an error, the job would survive the loss
// of power. created is false where the key has a job already.
func (q *Queue) Submit(ctx context.Context, s Submission) (r Record, created bool, err error) {
	now := q.now().UTC().Truncate(time.Microsecond)
	r = Record{ID: s.ID, Tenant: s.Tenant, State: Queued, Priority: s.Priority, RetrySafe: s.RetrySafe, Created: now, Expires: now.Add(s.TTL), Wait: s.TTL.Milliseconds(),
		Files: s.Files, Hook: s.Hook, Bytes: int64(len(s.Request)), Memory: s.Memory, CPUs: s.CPUs, Needs: s.Needs, Brief: s.Brief, Names: s.Names}
	if err := ctx.Err(); err != nil {
		return r, false, err
	}
	// What is begun is done, though its client may be gone meanwhile: else there would be
	// parts and keys without a job, or a job of which its caller does not know.
	ctx = context.WithoutCancel(ctx)
	full := q.reserve(&s)
	if full == nil {
		defer q.unreserve(&s)
	}
	if s.Key != "" {
		r.Key = sum([]byte(keyText(&s)))
		known, err := q.keyed(ctx, &r, sum(s.Request), full == nil)
		if err != nil || known != nil {
			return deref(known), false, err
		}
	}
	if full != nil {
		return r, false, full
	}
	var rest []byte
	if r.Parts, rest, err = putParts(ctx, q.j, requestPart, r.ID, s.Request); err != nil {
		if r.Key == "" { // with one, somebody else may be sending the same
			_ = q.j.Remove(ctx, subject(requestPart, r.ID)+".>") // else the next start does
		}
		return r, false, err
	}
	number, err := q.j.Put(ctx, subject(submission, r.ID), encode(&r), rest, 0)
	if errors.Is(err, errConflict) && r.Key != "" { // the same at the same time
		known, err := q.Get(ctx, r.ID)
		return known, false, err
	}
	if err != nil {
		return r, false, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.applied(submission, &r, number)
	return r, true, nil
}

// keyText tells the keys of tenants apart: no key, and no name of a tenant, has a NUL.
func keyText(s *Submission) string {
	if s.Tenant == "" {
		return s.Key
	}
	return s.Tenant + "\x00" + s.Key
}

func deref(r *Record) Record {
	if r == nil {
		return Record{}
	}
	return *r
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// keyed gives the job of a key. Where there is none yet, and r may come in, the key is r's
// from now on; where the key was taken but its job never came, r is to be that job.
func (q *Queue) keyed(ctx context.Context, r *Record, request string, room bool) (*Record, error) {
	name := subject(keyOf, r.Key)
	if room {
		_, err := q.j.Put(ctx, name, []byte(r.ID+" "+request), nil, 0)
		if !errors.Is(err, errConflict) {
			return nil, err
		}
	}
	m, err := q.j.Get(ctx, name)
	if errors.Is(err, errNone) && room { // its job was removed just now
		return q.keyed(ctx, r, request, room)
	}
	if errors.Is(err, errNone) { // what is refused leaves no key
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var id, of string
	if _, err := fmt.Sscan(string(m.Meta), &id, &of); err != nil {
		return nil, fmt.Errorf("key %s: %w", r.Key, err)
	}
	if of != request {
		return nil, ErrMismatch
	}
	r.ID = id
	known, err := q.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return &known, err
}

// reserve takes room for a job that is on its way in.
func (q *Queue) reserve(s *Submission) error {
	if err := q.j.Room(); err != nil {
		return err
	}
	bytes := int64(len(s.Request))
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting, own, coming := q.index.count[Queued]+q.coming, q.index.part(s.Tenant), q.comingOf[s.Tenant]
	if err := q.tenantFits(s, own.waiting+coming.jobs, own.requests+coming.bytes+bytes); err != nil {
		return err
	}
	switch {
	case q.ctx.Err() != nil:
		return ErrClosed
	case waiting >= q.config.MaxJobs:
		return fmt.Errorf("%w: %d jobs wait already, %d may", ErrFull, waiting, q.config.MaxJobs)
	case q.index.requests+q.incoming+bytes > q.config.MaxBytes:
		return fmt.Errorf("%w: the requests of the jobs that wait or run have %d bytes, and with this one's %d they would have more than %d",
			ErrFull, q.index.requests+q.incoming, bytes, q.config.MaxBytes)
	}
	q.coming++
	q.incoming += bytes
	q.comingOf[s.Tenant] = amount{coming.jobs + 1, coming.bytes + bytes}
	return nil
}

// amount is a number of jobs, and the bytes of their requests.
type amount struct{ jobs, bytes int64 }

// tenantFits holds a tenant to its limit, and to three quarters of the queue: the rest is
// always for others. The operator's own jobs have all of it. bytes has the job that comes.
func (q *Queue) tenantFits(s *Submission, waiting, bytes int64) error {
	switch most := q.config.MaxJobs * 3 / 4; {
	case s.Most > 0 && waiting >= s.Most:
		return fmt.Errorf("%w: %d jobs of this tenant wait already, %d may", ErrTenantFull, waiting, s.Most)
	case s.Tenant != "" && waiting >= max(most, 1):
		return fmt.Errorf("%w: %d jobs of this tenant wait already, which is three quarters of all that may", ErrTenantFull, waiting)
	case s.Tenant != "" && bytes > q.config.MaxBytes/4*3:
		return fmt.Errorf("%w: with this one, the requests of this tenant's jobs that wait or run would have %d bytes, which is more than three quarters of what all may", ErrTenantFull, bytes)
	}
	return nil
}

func (q *Queue) unreserve(s *Submission) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.coming--
	own := q.comingOf[s.Tenant]
	if own = (amount{own.jobs - 1, own.bytes - int64(len(s.Request))}); own.jobs == 0 {
		delete(q.comingOf, s.Tenant)
	} else {
		q.comingOf[s.Tenant] = own
	}
	q.incoming -= int64(len(s.Request))
}

// Get is a job's record. One that another service has just taken in is looked up in the
// journal.
func (q *Queue) Get(ctx context.Context, id string) (Record, error) {
	q.mu.Lock()
	e := q.index.jobs[id]
	if e != nil {
		defer q.mu.Unlock()
		return e.Record, nil
	}
	q.mu.Unlock()
	if q.j.Alone() || !isID(id) {
		return Record{}, ErrNotFound
	}
	return q.lookUp(ctx, id)
}

// maxID is more than the id of any job has.
const maxID = 64

// isID: what has another form is the id of no job, and would be more than a name in the
// journal's subjects: one for many, or so long that servers hang up.
func isID(id string) bool {
	good := id != "" && len(id) <= maxID
	for _, c := range []byte(id) {
		good = good && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_')
	}
	return good
}

func (q *Queue) lookUp(ctx context.Context, id string) (Record, error) {
	for _, kind := range []string{stateOf, submission} {
		m, err := q.j.Get(ctx, subject(kind, id))
		if errors.Is(err, errNone) {
			continue
		}
		if err != nil {
			return Record{}, err
		}
		r, err := decode(m.Meta)
		if err != nil {
			return Record{}, err
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		q.applied(kind, r, m.Number)
		return *r, nil
	}
	return Record{}, ErrNotFound
}

// Result is what a job that has ended has left; nil where it has left nothing.
func (q *Queue) Result(ctx context.Context, r *Record) ([]byte, error) {
	if !r.State.Final() || r.ResultBytes == 0 {
		return nil, nil
	}
	m, err := q.j.Get(ctx, subject(stateOf, r.ID))
	if err == nil {
		m.Data, err = getParts(ctx, q.j, resultPart, r.ID, r.ResultParts, r.ResultBytes, m.Data)
		if err == nil {
			return m.Data, nil
		}
	}
	if errors.Is(err, errNone) {
		return nil, ErrNotFound // it was time
	}
	return nil, err
}

// Request is what was submitted, of a job that has not ended.
func (q *Queue) Request(ctx context.Context, r *Record) ([]byte, error) {
	m, err := q.j.Get(ctx, subject(submission, r.ID))
	if err == nil {
		var submitted *Record
		if submitted, err = decode(m.Meta); err == nil {
			m.Data, err = getParts(ctx, q.j, requestPart, r.ID, submitted.Parts, submitted.Bytes, m.Data)
		}
	}
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}

// List gives records in the order in which their jobs came, behind the one with the id
// after; state "" is any. more: there are others behind them.
func (q *Queue) List(state State, after string, limit int) (page []Record, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.index.page(state, nil, after, limit)
}

// ListOf is List with the jobs of one tenant only.
func (q *Queue) ListOf(tenant string, state State, after string, limit int) (page []Record, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.index.page(state, &tenant, after, limit)
}

// WaitingOf is how many jobs of a tenant wait.
func (q *Queue) WaitingOf(tenant string) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.index.part(tenant).waiting + q.comingOf[tenant].jobs
}

// Follow signals every change of a job, until stop is called.
func (q *Queue) Follow(id string) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.index.watchers[id] = append(q.index.watchers[id], c)
	return c, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		all := q.index.watchers[id]
		for i, one := range all {
			if one == c {
				all = append(all[:i:i], all[i+1:]...)
			}
		}
		if q.index.watchers[id] = all; len(all) == 0 {
			delete(q.index.watchers, id)
		}
	}
}

// Stats say how full a queue is.
type Stats struct {
	Jobs         map[State]int64
	RequestBytes int64 // of jobs that have not ended
	ResultBytes  int64
}

// Stats are those of now.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Stats{Jobs: map[State]int64{}, RequestBytes: q.index.requests, ResultBytes: q.index.results}
	for state, n := range q.index.count {
		s.Jobs[state] = n
	}
	return s
}

// GiveUp ends all attempts to write down what the journal does not take. After it only Close
// is of use.
func (q *Queue) GiveUp() { q.stop() }

// Close ends the queue, and its journal. Claims that have not ended are cut off.
func (q *Queue) Close() error {
	q.stop()
	q.inside.Wait()
	if q.bus != nil && q.config.Abilities != nil {
		q.farewell()
	}
	return q.j.Close()
}
