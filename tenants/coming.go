package tenants

import (
	"fmt"
)

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
