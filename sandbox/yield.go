package sandbox

import "sync"

// yield has those who fill the pool make way for running jobs: what is made for later
// shall not take a processor from what runs now. While at least half of the cells
// that are wanted are there, they wait for a moment in which no job runs; below that
// they go on, so that jobs which follow each other without a pause find cells, too.
type yield struct {
	changed *sync.Cond // its lock guards the rest
	running int
	waiting int
	closed  bool
}

func newYield() yield { return yield{changed: sync.NewCond(new(sync.Mutex))} }

// begin notes a job; what it returns notes its end.
func (y *yield) begin() (end func()) {
	y.changed.L.Lock()
	defer y.changed.L.Unlock()
	y.running++
	return y.end
}

func (y *yield) end() {
	y.changed.L.Lock()
	defer y.changed.L.Unlock()
	if y.running--; y.running == 0 {
		y.wake()
	}
}

// taken notes that a cell was taken.
func (y *yield) taken(k *kind) {
	y.changed.L.Lock()
	defer y.changed.L.Unlock()
	if !enough(k) {
		y.wake()
	}
}

func (y *yield) wake() {
	if y.waiting > 0 {
		y.changed.Broadcast()
	}
}

// enough cells are there for the jobs that may come while others run.
func enough(k *kind) bool { return 2*len(k.cells) >= k.demand.wanted() }

// wait returns when a cell may be made; false when none is to be made any more.
func (y *yield) wait(k *kind) bool {
	y.changed.L.Lock()
	defer y.changed.L.Unlock()
	y.waiting++
	for !y.closed && y.running > 0 && enough(k) {
		y.changed.Wait()
	}
	y.waiting--
	return !y.closed
}

func (y *yield) close() {
	y.changed.L.Lock()
	defer y.changed.L.Unlock()
	y.closed = true
	y.changed.Broadcast()
}
