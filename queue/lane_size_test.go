package queue

import (
	"fmt"
	"testing"
)

// Jobs that were cancelled while they waited behind another one leave nothing behind in memory.
func TestCancelledLeaveTheirLane(t *testing.T) {
	q := open(t, inMemory{NewMemory()}, newClock(), func(c *Config) { c.ResultsBytes = 10 << 10 })
	submit := func(id string) {
		t.Helper()
		if _, _, err := q.Submit(t.Context(), Submission{ID: id, Tenant: "a", Request: []byte("x"), Priority: Normal, TTL: 1 << 50}); err != nil {
			t.Fatal(err)
		}
	}
	submit("first") // which waits for its tenant's place
	for i := range 5000 {
		submit(fmt.Sprintf("job%05d", i))
		if _, err := q.Cancel(t.Context(), fmt.Sprintf("job%05d", i)); err != nil {
			t.Fatal(err)
		}
	}
	q.mu.Lock()
	n := q.index.lanes["a"].lines[Normal].Len()
	q.mu.Unlock()
	if n > 1100 {
		t.Errorf("one job waits, and %d are held in its line", n)
	}
	o := q.Offer(t.Context(), "a")
	if o == nil || o.ID != "first" {
		t.Errorf("%+v", o)
	}
	o.End()
}
