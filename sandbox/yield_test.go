package sandbox

import (
	"testing"
	"time"
)

// yieldsTo is how many programs run.
func (p *pool) yieldsTo() int {
	p.yield.changed.L.Lock()
	defer p.yield.changed.L.Unlock()
	return p.yield.running
}

// waits says whether a filler makes way, and lets it go on by the given means.
func waits(t *testing.T, y *yield, k *kind, goOn func()) (waited, more bool) {
	t.Helper()
	done := make(chan bool, 1)
	go func() { done <- y.wait(k) }()
	select {
	case more = <-done:
		return false, more
	case <-time.After(20 * time.Millisecond):
	}
	goOn()
	select {
	case more = <-done:
		return true, more
	case <-time.After(patience):
		t.Fatal("it waits for ever")
	}
	return true, more
}

func TestYield(t *testing.T) {
	y := newYield()
	k := &kind{cells: make(chan *warm, 4), demand: newDemand(4, 4, func() {})}
	if waited, more := waits(t, &y, k, func() {}); waited || !more {
		t.Error("it waits, and no job runs")
	}
	end := y.begin()
	if waited, more := waits(t, &y, k, func() {}); waited || !more {
		t.Error("it waits, and there is no cell")
	}
	k.cells <- nil
	k.cells <- nil
	if waited, more := waits(t, &y, k, end); !waited || !more {
		t.Error("half of the cells are there, and it does not wait for the job's end")
	}
	end = y.begin()
	other := y.begin()
	if waited, more := waits(t, &y, k, func() { end(); other() }); !waited || !more {
		t.Error("it does not wait for the last job")
	}
	y.begin()
	if waited, more := waits(t, &y, k, func() { <-k.cells; y.taken(k) }); !waited || !more {
		t.Error("less than half is there, and it waits")
	}
	k.cells <- nil
	if waited, more := waits(t, &y, k, y.close); !waited || more {
		t.Error("the pool is closed, and it goes on")
	}
}
