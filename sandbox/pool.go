package sandbox

import (
	"errors"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"cordon/cgroup"
	"cordon/internal/undo"
	"cordon/rootfs"
	"cordon/sandbox/cell"
	"cordon/userns"
)

// warm is a cell that waits for a job, with what belongs to it.
type warm struct {
	cell    *cell.Cell
	group   cgroup.Group
	firstID int
	kind    *kind
	equipment
}

// unused: no process of it has ever asked for a socket, so its network namespace is
// as it was made.
func (w *warm) unused() bool {
	return w.kind.program.TellsSockets() && !w.listener.Sockets()
}

// pool keeps fork servers and warm cells.
type pool struct {
	config   *Config
	filters  filters
	networks networks
	clearing clearing
	yield    yield

	mu      sync.Mutex
	plans   map[string]*rootfs.Plan // by root: the host is looked at once for each
	kinds   map[string]*kind
	order   []string // of use, oldest first
	closed  bool
	fillers sync.WaitGroup

	leaks atomic.Int64
}

func newPool(c *Config) *pool {
	return &pool{config: c, clearing: newClearing(), yield: newYield(), kinds: map[string]*kind{}, plans: map[string]*rootfs.Plan{}}
}

// take gives a warm cell, or makes one when none is there. Another is made
// meanwhile, so that the next job finds one.
func (p *pool) take(k *kind) (*warm, error) {
	defer p.fill(k)
	for p.config.Warm > 0 {
		select {
		case w := <-k.cells:
			select {
			case <-w.cell.Dead(): // not its fault; it has run nothing
				p.drop(w)
				continue
			default:
				k.demand.took(len(k.cells))
				p.yield.taken(k)
				return w, nil
			}
		default:
			k.demand.missed()
			return p.makeOrRenew(k, true)
		}
	}
	return p.makeOrRenew(k, true)
}

// make builds a cell in a fresh group with ids of its own. now: a job waits for
// it, and a cell that only waits gives way when ids run out.
func (p *pool) make(k *kind, server *cell.Server, now bool) (*warm, error) {
	var u undo.Stack
	defer u.Run()
	left := false
	w := &warm{kind: k}
	order := cell.Order{Filter: k.filter, SingleID: p.config.Ranges == nil}
	if p.config.Ranges != nil {
		first, err := try(stepTakeIDs, func() (int, error) { return p.takeID(now) })
		if err != nil {
			return nil, err
		}
		w.firstID, order.FirstID = first, first
		// Not when something of it is left that may have the ids.
		u.Add(func() {
			if !left {
				p.config.Ranges.Give(first)
			}
		})
	}
	group, err := try(stepCreateGroup, p.config.Cgroups.Create)
	if err != nil {
		return nil, err
	}
	w.group = group
	u.Add(func() { left = p.leaked(group.Remove()) })
	entry := group.Entry()
	order.Group, order.Tasks = entry.Dir, entry.Tasks
	order.Network = p.networks.take()
	if w.cell, err = try(stepMakeCell, func() (*cell.Cell, error) { return server.Cell(order) }); err != nil {
		if order.Network != nil {
			order.Network.Close() // not in doubt: but what has failed here is better not met again
		}
		return nil, err
	}
	u.Add(w.cell.Close)
	if err := do(stepCellReady, w.cell.Ready); err != nil {
		return nil, err
	}
	if err := w.equip(&u); err != nil {
		return nil, err
	}
	u.Release()
	return w, nil
}

// takeID takes a pair of ids, if need be that of a cell that is on its way out, or
// of a warm one.
func (p *pool) takeID(now bool) (int, error) {
	for {
		first, err := p.config.Ranges.Take()
		if !now || !errors.Is(err, userns.ErrIDsExhausted) || !p.clearing.wait() && !p.dropOneWarm() {
			return first, err
		}
	}
}

func (p *pool) dropOneWarm() bool {
	p.mu.Lock()
	var found *warm
	for _, k := range p.kinds {
		select {
		case found = <-k.cells:
		default:
		}
		if found != nil {
			break
		}
	}
	p.mu.Unlock()
	if found == nil {
		return false
	}
	p.drop(found)
	return true
}

// fill makes cells in the background until there are as many as are wanted. One
// filler per kind is enough: the fork server makes one cell at a time, and what
// jobs run beside it shall not have to share the processors with more.
func (p *pool) fill(k *kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.config.Warm == 0 {
		return
	}
	k.asked.Store(true)
	if !k.filling.CompareAndSwap(false, true) {
		return
	}
	p.fillers.Add(1)
	k.users++
	go func() {
		defer p.fillers.Done()
		defer p.release(k)
		for p.fillOnce(k) {
		}
	}()
}

// fillOnce makes cells until there are enough. It is called again when a job took
// one between the last look and the end.
func (p *pool) fillOnce(k *kind) (again bool) {
	for len(k.cells) < k.demand.wanted() && p.yield.wait(k) {
		k.asked.Store(false)
		w, err := p.makeOrRenew(k, false)
		if err != nil {
			p.config.Logger.Warn("no warm cell could be made", "kind", k.name, "error", err)
			k.filling.Store(false)
			// Else the next job tries again, and tells its caller.
			return k.asked.Load() && k.filling.CompareAndSwap(false, true)
		}
		if len(k.cells) >= k.demand.wanted() { // fewer are wanted than when it was begun
			p.discard(w)
			break
		}
		k.cells <- w
	}
	k.filling.Store(false)
	return len(k.cells) < k.demand.wanted() && !p.isClosed() && k.filling.CompareAndSwap(false, true)
}

// thin takes down what is more than wanted. A burst is over then, and what it took of
// the daemon's own memory goes back as well.
func (p *pool) thin(k *kind) {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.fillers.Add(1)
	}
	p.mu.Unlock()
	if closed {
		return
	}
	defer p.fillers.Done()
	defer debug.FreeOSMemory()
	for len(k.cells) > k.demand.wanted() {
		select {
		case w := <-k.cells:
			p.discard(w)
		default:
			return
		}
	}
}

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// drop takes a cell down. Ids go back, and an unused network, only when nothing can
// have them any more.
func (p *pool) drop(w *warm) {
	dropping(w)
	w.cell.End()
	leaked := p.leaked(errors.Join(w.group.Remove(), failing(stepRelease)))
	if !leaked && w.unused() {
		p.networks.keep(w.cell)
	}
	w.close()
	w.cell.Close()
	if !leaked && p.config.Ranges != nil {
		p.config.Ranges.Give(w.firstID)
	}
}

// leaked counts and tells what could not be taken down.
func (p *pool) leaked(err error) bool {
	if err = stepRelease.failed(err); err == nil {
		return false
	}
	p.leaks.Add(1)
	p.config.Logger.Error("leak", "what", "cgroup", "error", err)
	return true
}

// close ends every fork server and warm cell. Running jobs must have ended.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.yield.close()
	p.fillers.Wait()
	for _, k := range p.kinds {
		p.retire(k)
	}
	p.clearing.waitAll()
	p.networks.close()
}

func (p *pool) warmCells() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var n int64
	for _, k := range p.kinds {
		n += int64(len(k.cells))
	}
	return n
}

// stats are the kinds there are, those that were used first first.
func (p *pool) stats() (out []KindStats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range p.order {
		if k := p.kinds[name]; k != nil {
			out = append(out, KindStats{k.name, slices.Sorted(maps.Keys(k.policies)), len(k.cells), k.demand.wanted(), k.users})
		}
	}
	return out
}
