package line

import (
	"testing"
	"time"
)

// Who goes past a queued job that needs much does not take the queue's last place from it: it would
// hold up everybody until that job has ended, though there is room for it.
func TestPassersLeaveAQueuePlace(t *testing.T) {
	b := newBench(t, Config{All: Share{Places: 4, Memory: 10}, Queued: 1})
	runs := b.in(Want{Tenant: "r", Memory: 5})
	large := b.in(Want{Tenant: "x", Memory: 6, Queued: true})
	b.in(Want{Tenant: "y", Memory: 1, Queued: true}) // that takes an hour
	b.after(2 * time.Second)
	direct := b.in(Want{Tenant: "z", Memory: 1})
	runs.place.Give(time.Second)
	b.after(2 * time.Second)
	if large.place == nil {
		t.Error("there is room for the large one, and it has no place")
	}
	if direct.place == nil {
		t.Error("there is room, and a direct job has no place")
	}
	if s := b.Stats(); s.Held != 0 {
		t.Errorf("%+v", s)
	}
}
