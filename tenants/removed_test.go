package tenants

import (
	"testing"
	"time"
)

// Jobs that a tenant has left are held to its limits when it is removed: it has no more then
// than it had.
func TestRemovedTenantKeepsLimits(t *testing.T) {
	d, r := &Document{Version: documentVersion}, NewRegistry()
	set := func(l Limits) {
		t.Helper()
		if _, err := d.Set("a", time.Now(), func(to *Limits) error { *to = l; return nil }); err != nil {
			t.Fatal(err)
		}
		r.Use(d)
	}
	set(Limits{Concurrency: 1, MemoryBytes: 5, CPUPerHour: 10, Policies: []string{"judge"}})
	if err := d.Remove("a"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and with every document after that
		r.Use(d)
		if l := r.Limits("a"); l.Concurrency != 1 || l.MemoryBytes != 5 || l.CPUPerHour != 10 || len(l.Policies) != 1 {
			t.Errorf("%+v", l)
		}
	}
	if r.Has("a") || !r.Removed("a") || r.Removed("never") || len(r.Names()) != 0 {
		t.Error("it is there still, or was never")
	}
	set(Limits{Concurrency: 2})
	if l := r.Limits("a"); l.Concurrency != 2 || l.MemoryBytes != 0 || r.Removed("a") {
		t.Errorf("made anew: %+v", l)
	}
}
