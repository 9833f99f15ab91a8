package line

import "time"

// While room is gathered for a job that needs much, others go past it that need less: as
// many as there are places, and none any more after passWithin. Then the line waits until
// enough of those that run have ended.
const passWithin = int64(time.Second)

// admit lets in whoever may come in now. The caller holds mu.
func (l *Line) admit(now int64) {
	if l.waiters == 0 || l.used.places >= l.all.places {
		return
	}
	if len(l.waiting) > 1 {
		l.accrue(now)
	}
	for l.waiters > 0 && l.used.places < l.all.places {
		w := l.next(now)
		if w == nil {
			return
		}
		l.remove(w)
		l.start(w, now)
	}
}

// next is who is to be let in; nil when that is nobody.
func (l *Line) next(now int64) *waiter {
	if h := l.held; h != nil && !h.tenant.share.holds(h.tenant.used, h.want) {
		l.held = nil // its tenant may have less by now
	}
	if l.held == nil {
		w := l.least(func(*waiter) bool { return true })
		if w == nil || l.fits(w) {
			return w
		}
		l.held, l.heldAt, l.passed = w, now, 0
	}
	if l.open(l.held) && l.fits(l.held) {
		return l.held
	}
	if l.passed >= l.all.places || now-l.heldAt > passWithin {
		return nil
	}
	w := l.least(func(w *waiter) bool { return w.tenant != l.held.tenant && l.fits(w) && l.leaves(w) })
	if w != nil {
		l.passed++
	}
	return w
}

// leaves: it does not take the last place of the queue from a queued job for which room is gathered.
func (l *Line) leaves(w *waiter) bool {
	return !w.queued || !l.held.queued || l.queued+1 < l.config.Queued
}

// least is the first of the tenant that was charged least among those that may have a place
// more; of equals the one that came first.
func (l *Line) least(will func(*waiter) bool) *waiter {
	var best *waiter
	for _, t := range l.waiting {
		w := l.head(t)
		if w == nil || !will(w) {
			continue
		}
		if best == nil || t.charged < best.tenant.charged || t.charged == best.tenant.charged && w.order < best.order {
			best = w
		}
	}
	return best
}

// head is the first of a tenant's, if it may be let in; one that was queued does not keep a
// direct one waiting while the queue has all its places.
func (l *Line) head(t *tenant) *waiter {
	var first *waiter
	for i := range t.lines {
		if w := t.lines[i].first; w != nil && l.open(w) && (first == nil || w.order < first.order) {
			first = w
		}
	}
	if first == nil {
		return nil
	}
	if !t.share.holds(t.used, first.want) { // others do not keep it waiting: nothing is owed to it
		t.charged = max(t.charged, l.virtual)
		return nil
	}
	return first
}

// open: not all places that its kind may have are taken.
func (l *Line) open(w *waiter) bool { return !w.queued || l.queued < l.config.Queued }

func (l *Line) mayStart(w *waiter) bool {
	return l.open(w) && w.tenant.share.holds(w.tenant.used, w.want)
}

func (l *Line) fits(w *waiter) bool { return l.all.holds(l.used, w.want) }

// start gives a job its place.
func (l *Line) start(w *waiter, now int64) {
	p := &Place{line: l, tenant: w.tenant, want: w.want, queued: w.queued, since: now, index: len(l.running)}
	l.running = append(l.running, p)
	l.used.add(w.want)
	w.tenant.used.add(w.want)
	if w.queued {
		l.queued++
	}
	l.advance(p)
	w.place = p
	if w.ready != nil {
		close(w.ready)
	}
}

// push puts a job at the end of its tenant's.
func (l *Line) push(w *waiter) {
	t := w.tenant
	if t.waiting == 0 {
		t.index = len(l.waiting)
		l.waiting = append(l.waiting, t)
	}
	t.waiting++
	l.waiters++
	w.inLine = true
	t.of(w).push(w)
}

// remove takes a job out, wherever it stands.
func (l *Line) remove(w *waiter) {
	t := w.tenant
	t.of(w).remove(w)
	w.inLine = false
	l.waiters--
	if t.waiting--; t.waiting == 0 {
		last := len(l.waiting) - 1
		l.waiting[t.index] = l.waiting[last]
		l.waiting[t.index].index = t.index
		l.waiting[last] = nil
		l.waiting = l.waiting[:last]
	}
	if l.held == w {
		l.held = nil
	}
}

// fifo are those of one tenant and one kind.
type fifo struct{ first, last *waiter }

func (f *fifo) push(w *waiter) {
	if w.last = f.last; f.last == nil {
		f.first = w
	} else {
		f.last.next = w
	}
	f.last = w
}

func (f *fifo) remove(w *waiter) {
	if w.last == nil {
		f.first = w.next
	} else {
		w.last.next = w.next
	}
	if w.next == nil {
		f.last = w.last
	} else {
		w.next.last = w.last
	}
	w.next, w.last = nil, nil
}
