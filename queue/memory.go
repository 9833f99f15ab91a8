package queue

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is a journal for tests: it is gone with the process.
type Memory struct {
	mu    sync.Mutex
	last  uint64
	all   map[string]*Message
	news  *sync.Cond
	fails error // what every Put answers
	full  error // what Room answers
}

// NewMemory makes an empty one.
func NewMemory() *Memory {
	m := &Memory{all: map[string]*Message{}}
	m.news = sync.NewCond(&m.mu)
	return m
}

// Put is the journal's.
func (m *Memory) Put(ctx context.Context, subject string, meta, data []byte, last uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case m.fails != nil:
		return 0, m.fails
	}
	var now uint64
	if old := m.all[subject]; old != nil {
		now = old.Number
	}
	if now != last {
		return 0, errConflict
	}
	m.last++
	m.all[subject] = &Message{subject, m.last, time.Now(), slices.Clone(meta), slices.Clone(data)}
	m.news.Broadcast()
	return m.last, nil
}

// Get is the journal's.
func (m *Memory) Get(_ context.Context, subject string) (*Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found := m.all[subject]; found != nil {
		own := *found
		return &own, nil
	}
	return nil, errNone
}

// Remove is the journal's.
func (m *Memory) Remove(_ context.Context, subject string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		return m.fails
	}
	above, many := strings.CutSuffix(subject, ">")
	for name := range m.all {
		if name == subject || many && strings.HasPrefix(name, above) {
			delete(m.all, name)
		}
	}
	return nil
}

// Watch is the journal's.
func (m *Memory) Watch(ctx context.Context, tell func(*Message), caught func()) error {
	stop := context.AfterFunc(ctx, func() { m.mu.Lock(); defer m.mu.Unlock(); m.news.Broadcast() })
	defer stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	until, told := m.last, uint64(0)
	for ctx.Err() == nil {
		next := m.after(told)
		m.mu.Unlock()
		for _, one := range next {
			told = one.Number
			tell(&Message{one.Subject, one.Number, one.Time, one.Meta, nil})
		}
		if caught != nil && told >= until {
			caught()
			caught = nil
		}
		m.mu.Lock()
		if len(next) == 0 {
			told = max(told, until) // what is missing was removed
			if caught == nil && ctx.Err() == nil {
				m.news.Wait()
			}
		}
	}
	return ctx.Err()
}

// after is called with mu held.
func (m *Memory) after(number uint64) (out []*Message) {
	for _, one := range m.all {
		if one.Number > number {
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b *Message) int { return int(int64(a.Number) - int64(b.Number)) })
	return out
}

// Room is the journal's.
func (m *Memory) Room() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.full
}

// Fail has every write fail from now on; nil ends that.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fails = err
}

// Fill has Room answer err from now on; nil ends that.
func (m *Memory) Fill(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = err
}

// Alone is the journal's.
func (m *Memory) Alone() bool { return true }

// Close is the journal's. What it holds stays: it can be opened again.
func (m *Memory) Close() error { return nil }
