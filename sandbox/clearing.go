package sandbox

import "sync"

// clearing are the cells that are being taken down, beside the way of the jobs: no
// result waits for the kernel to clear up behind its job.
type clearing struct {
	fewer *sync.Cond // its lock guards count
	count int
}

// maxClearing bounds them: past it, a job's end waits for its own cell's, and so a
// service cannot get ahead of its own clearing up.
const maxClearing = 16

func newClearing() clearing { return clearing{fewer: sync.NewCond(new(sync.Mutex))} }

// discard takes a cell down that has done its work.
func (p *pool) discard(w *warm) {
	if !p.clearing.begin() {
		p.drop(w)
		return
	}
	go func() {
		defer p.clearing.end()
		p.drop(w)
	}()
}

func (e *clearing) begin() bool {
	e.fewer.L.Lock()
	defer e.fewer.L.Unlock()
	if e.count == maxClearing {
		return false
	}
	e.count++
	return true
}

func (e *clearing) end() {
	e.fewer.L.Lock()
	defer e.fewer.L.Unlock()
	e.count--
	e.fewer.Broadcast()
}

// wait waits until one of them is over; false when there is none.
func (e *clearing) wait() bool {
	e.fewer.L.Lock()
	defer e.fewer.L.Unlock()
	if e.count == 0 {
		return false
	}
	e.fewer.Wait()
	return true
}

// waitAll waits until there is none.
func (e *clearing) waitAll() {
	for e.wait() {
	}
}

// running is how many there are.
func (e *clearing) running() int64 {
	e.fewer.L.Lock()
	defer e.fewer.L.Unlock()
	return int64(e.count)
}
