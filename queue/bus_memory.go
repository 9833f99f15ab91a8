package queue

import (
	"context"
	"sync"
	"time"
)

// MemoryBus is a bus for tests.
type MemoryBus struct {
	mu      sync.Mutex
	last    uint64
	beats   map[string]*Beat
	tells   map[int]func(*Beat)
	tellers int
	answers map[string]func(context.Context, []byte) []byte
	now     func() time.Time
	cut     map[string]bool // names whose beats do not arrive
	deaf    bool            // nobody is told of beats
}

// NewMemoryBus makes an empty one.
func NewMemoryBus() *MemoryBus {
	return &MemoryBus{beats: map[string]*Beat{}, tells: map[int]func(*Beat){}, answers: map[string]func(context.Context, []byte) []byte{}, now: time.Now, cut: map[string]bool{}}
}

// Cut has the beats of a service fail from now on, or not any more.
func (b *MemoryBus) Cut(name string, cut bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut[name] = cut
}

// Deafen has nobody be told of beats from now on, or not any more.
func (b *MemoryBus) Deafen(deaf bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deaf = deaf
}

// Beat is the bus's.
func (b *MemoryBus) Beat(_ context.Context, name string, data []byte) error {
	b.mu.Lock()
	if b.cut[name] {
		b.mu.Unlock()
		return ErrUnavailable
	}
	b.last++
	note := &Beat{name, b.last, data}
	b.beats[name] = note
	tells := make([]func(*Beat), 0, len(b.tells))
	for _, tell := range b.tells {
		if !b.deaf {
			tells = append(tells, tell)
		}
	}
	b.mu.Unlock()
	for _, tell := range tells {
		tell(note)
	}
	return nil
}

// LastBeat is the bus's.
func (b *MemoryBus) LastBeat(_ context.Context, name string) (*Beat, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.deaf {
		return nil, ErrUnavailable
	}
	return b.beats[name], nil
}

// Beats is the bus's.
func (b *MemoryBus) Beats(ctx context.Context, tell func(*Beat)) error {
	b.mu.Lock()
	b.tellers++
	own := b.tellers
	b.tells[own] = tell
	there := make([]*Beat, 0, len(b.beats))
	for _, note := range b.beats {
		there = append(there, note)
	}
	b.mu.Unlock()
	for _, note := range there {
		tell(note)
	}
	<-ctx.Done()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.tells, own)
	return ctx.Err()
}

// Clock is the bus's.
func (b *MemoryBus) Clock(context.Context) (time.Time, error) { return b.now(), nil }

// Ask is the bus's.
func (b *MemoryBus) Ask(ctx context.Context, name string, question []byte) ([]byte, error) {
	b.mu.Lock()
	answer := b.answers[name]
	b.mu.Unlock()
	if answer == nil {
		return nil, errNobody
	}
	return answer(ctx, question), nil
}

// Answer is the bus's.
func (b *MemoryBus) Answer(name string, answer func(context.Context, []byte) []byte) (func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers[name] = answer
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.answers, name)
	}, nil
}
