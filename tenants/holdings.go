package tenants

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// OpenHoldings reads who holds what. size tells how large a file of the store is, and
// whether it is there: what has gone is held by nobody.
func OpenHoldings(dir string, size func(sum string) (int64, bool)) (*Holdings, error) {
	h := &Holdings{dir: dir, files: map[string]*held{}, tenants: map[string]*amount{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("holdings: %w", err)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("holdings: %w", err)
	}
	for _, t := range names {
		if t.Name() != operator && CheckName(t.Name()) != nil || !t.IsDir() {
			return nil, fmt.Errorf("holdings: %s: not a directory with the name of a tenant; remove it", filepath.Join(dir, t.Name()))
		}
		files, err := os.ReadDir(filepath.Join(dir, t.Name()))
		if err != nil {
			return nil, fmt.Errorf("holdings: %w", err)
		}
		for _, f := range files {
			n, there := int64(0), false
			if isSum(f.Name()) {
				n, there = size(f.Name())
			}
			if there {
				h.add(t.Name(), f.Name(), n)
			} else if err := os.Remove(h.marker(t.Name(), f.Name())); err != nil {
				return nil, fmt.Errorf("holdings: %w", err)
			}
		}
	}
	for sum, f := range h.files { // only the operator's: nothing has to be known of these
		if _, own := f.holders[operator]; own && len(f.holders) == 1 {
			h.forget(sum)
		}
	}
	return h, nil
}

func (h *Holdings) marker(tenant, sum string) string { return filepath.Join(h.dir, tenant, sum) }

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

// mark writes a holding down. The file is not forced to the disk: who has lost it puts the
// file again.
func (h *Holdings) mark(tenant, sum string) error {
	for _, made := range []bool{false, true} {
		f, err := os.OpenFile(h.marker(tenant, sum), os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			return f.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) || made {
			return err
		}
		if err := os.Mkdir(filepath.Join(h.dir, tenant), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

func (h *Holdings) unmark(tenant, sum string) error {
	if err := os.Remove(h.marker(tenant, sum)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
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

// Coming is room for a file that a tenant is sending. End gives it back; the file itself,
// when it is there, is held by Take.
type Coming struct {
	holdings *Holdings
	tenant   string
	most     int64 // that the tenant may hold; 0: any number of bytes
	bytes    int64
}

// Begin is the beginning of a file of which nothing has come yet.
func (h *Holdings) Begin(tenant string, most int64) *Coming {
	return &Coming{holdings: h, tenant: tenant, most: most}
}

// More takes room for further bytes.
func (c *Coming) More(bytes int64) error {
	h := c.holdings
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.of(c.tenant)
	if c.most > 0 && a.bytes+a.coming+bytes > c.most {
		return fmt.Errorf("%w for %d more bytes: stored_bytes of this tenant is %d, and %d are kept or on their way; delete files, or wait until they have gone", ErrNoRoom, bytes, c.most, a.bytes+a.coming)
	}
	a.coming += bytes
	c.bytes += bytes
	return nil
}

// End gives the room back.
func (c *Coming) End() {
	h := c.holdings
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.of(c.tenant)
	a.coming -= c.bytes
	c.bytes = 0
	if *a == (amount{}) {
		delete(h.tenants, c.tenant)
	}
}

// Take has a tenant hold a file that is in the store, and cannot go meanwhile. created: it
// was not there before. What was there, and no tenant's, stays the operator's as well.
func (h *Holdings) Take(tenant, sum string, size int64, created bool) error {
	h.order.Lock()
	defer h.order.Unlock()
	if h.Has(tenant, sum) {
		return nil
	}
	h.mu.Lock()
	operators := !created && h.files[sum] == nil
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
