package tenants

import (
	"errors"
	"fmt"
	"sync"
)

// Holdings know which files of a store are whose: of all who have put a file, the store has
// it once, and each has it for itself. A file that no tenant holds is the operator's.
//
// On the disk they are empty files, DIR/TENANT/SHA256, one for each holding.
type Holdings struct {
	dir string

	// order keeps apart who gives a file up, and removes it from the store as the last, and
	// who takes it. It is held while the store is called; mu never is.
	order sync.Mutex

	mu      sync.Mutex
	files   map[string]*held // by sum
	tenants map[string]*amount
}

// held is a file that somebody holds besides the operator.
type held struct {
	size    int64
	holders map[string]int // how many of its jobs use it, by tenant; operator among them
}

type amount struct{ files, bytes, coming int64 }

// operator stands for the operator among the holders; it is no tenant's name.
const operator = "_operator"

// What can be against it.
var (
	ErrNotHeld = errors.New("not this tenant's")
	ErrUsed    = errors.New("in use")
	ErrNoRoom  = errors.New("no room")
)

// add is called with mu held, or before anybody else knows of h.
func (h *Holdings) add(tenant, sum string, size int64) {
	f := h.files[sum]
	if f == nil {
		f = &held{size: size, holders: map[string]int{}}
		h.files[sum] = f
	}
	if _, known := f.holders[tenant]; known {
		return
	}
	f.holders[tenant] = 0
	a := h.of(tenant)
	a.files++
	a.bytes += f.size
}

func (h *Holdings) of(tenant string) *amount {
	a := h.tenants[tenant]
	if a == nil {
		a = &amount{}
		h.tenants[tenant] = a
	}
	return a
}

// leave is add's opposite, called with mu held.
func (h *Holdings) leave(tenant, sum string) {
	f := h.files[sum]
	delete(f.holders, tenant)
	a := h.of(tenant)
	a.files--
	a.bytes -= f.size
	if *a == (amount{}) {
		delete(h.tenants, tenant)
	}
}

// Has says whether a tenant holds a file.
func (h *Holdings) Has(tenant, sum string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.files[sum]
	if f == nil {
		return false
	}
	_, holds := f.holders[tenant]
	return holds
}

// Bytes is what a tenant holds.
func (h *Holdings) Bytes(tenant string) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.tenants[tenant]; a != nil {
		return a.bytes
	}
	return 0
}

// Files is how many files a tenant holds.
func (h *Holdings) Files(tenant string) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.tenants[tenant]; a != nil {
		return a.files
	}
	return 0
}

// Take has a tenant hold a file that is in the store, and cannot go meanwhile. unseen: none
// but tenants have brought it, and this one may be the first of them. What was there, and no
// tenant's, stays the operator's as well.
func (h *Holdings) Take(tenant, sum string, size int64, unseen bool) error {
	h.order.Lock()
	defer h.order.Unlock()
	if h.Has(tenant, sum) {
		return nil
	}
	h.mu.Lock()
	operators := !unseen && h.files[sum] == nil
	h.mu.Unlock()
	if operators {
		if err := h.mark(operator, sum); err != nil {
			return fmt.Errorf("holdings: %w", err)
		}
	}
	if err := h.mark(tenant, sum); err != nil {
		return fmt.Errorf("holdings: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(tenant, sum, size)
	if operators {
		h.add(operator, sum, size)
	}
	return nil
}

// Operator has the operator hold a file, too, where tenants do.
func (h *Holdings) Operator(sum string) error {
	h.order.Lock()
	defer h.order.Unlock()
	h.mu.Lock()
	f := h.files[sum]
	h.mu.Unlock()
	if f == nil {
		return nil
	}
	if err := h.mark(operator, sum); err != nil {
		return fmt.Errorf("holdings: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(operator, sum, f.size)
	return nil
}

// Drop has a tenant give a file up; remove is called where nobody else holds it.
func (h *Holdings) Drop(tenant, sum string, remove func() error) error {
	h.order.Lock()
	defer h.order.Unlock()
	h.mu.Lock()
	f := h.files[sum]
	if f == nil {
		h.mu.Unlock()
		return ErrNotHeld
	}
	uses, holds := f.holders[tenant]
	others := len(f.holders) - 1
	h.mu.Unlock()
	switch {
	case !holds:
		return ErrNotHeld
	case uses > 0:
		return fmt.Errorf("%s is %w by %d of this tenant's jobs; it can be removed when they have ended", sum, ErrUsed, uses)
	}
	if err := h.unmark(tenant, sum); err != nil {
		return fmt.Errorf("holdings: %w", err)
	}
	h.mu.Lock()
	if h.files[sum] == f {
		if h.leave(tenant, sum); len(f.holders) == 0 {
			delete(h.files, sum)
		}
	}
	h.mu.Unlock()
	if others == 0 {
		return remove()
	}
	return nil
}

// Use counts a job of a tenant that uses a file; done is its end.
func (h *Holdings) Use(tenant, sum string) (done func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.files[sum]
	if f == nil {
		return nil, ErrNotHeld
	}
	if _, holds := f.holders[tenant]; !holds {
		return nil, ErrNotHeld
	}
	f.holders[tenant]++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if _, holds := f.holders[tenant]; holds {
			f.holders[tenant]--
		}
	}), nil
}

// Gone is told when the store has a file no longer. It is quick, and does not call the
// store.
func (h *Holdings) Gone(sum string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.files[sum]
	if f == nil {
		_ = h.unmark(operator, sum)
		return
	}
	for tenant := range f.holders {
		// One that cannot be removed goes with the next start, unless the file is back then.
		_ = h.unmark(tenant, sum)
	}
	h.forget(sum)
}

// forget is called with mu held, or before anybody else knows of h.
func (h *Holdings) forget(sum string) {
	for tenant := range h.files[sum].holders {
		h.leave(tenant, sum)
	}
	delete(h.files, sum)
}
