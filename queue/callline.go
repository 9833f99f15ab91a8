package queue

import "time"

// callLine are the deliveries of one tenant to one host, the first that is due in front. Of
// a job the item counts that has its due time; others are left over.
type callLine struct {
	key   callKey
	items callItems
	index int       // in calls.later
	next  *callLine // in turns
	where whereabout
}

// whereabout is where a line is.
type whereabout int

const (
	nowhere whereabout = iota
	isLater
	isReady
	isAside
)

func (l *callLine) at() time.Time { return l.items[0].at }

type callItem struct {
	e  *entry
	at time.Time
}

type callItems []callItem

// Len is heap's.
func (l callItems) Len() int { return len(l) }

// Less is heap's.
func (l callItems) Less(a, b int) bool { return l[a].at.Before(l[b].at) }

// Swap is heap's.
func (l callItems) Swap(a, b int) { l[a], l[b] = l[b], l[a] }

// Push is heap's.
func (l *callItems) Push(x any) { *l = append(*l, x.(callItem)) }

// Pop is heap's.
func (l *callItems) Pop() any {
	last := len(*l) - 1
	item := (*l)[last]
	(*l)[last] = callItem{}
	*l = (*l)[:last]
	return item
}

// callHeap are lines by when their first delivery is due.
type callHeap []*callLine

// Len is heap's.
func (h callHeap) Len() int { return len(h) }

// Less is heap's.
func (h callHeap) Less(a, b int) bool { return h[a].at().Before(h[b].at()) }

// Swap is heap's.
func (h callHeap) Swap(a, b int) {
	h[a], h[b] = h[b], h[a]
	h[a].index, h[b].index = a, b
}

// Push is heap's.
func (h *callHeap) Push(x any) {
	l := x.(*callLine)
	l.index = len(*h)
	*h = append(*h, l)
}

// Pop is heap's.
func (h *callHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}

// turns are lines, the one in front whose turn is next.
type turns struct{ first, last *callLine }

func (t *turns) push(l *callLine) {
	if l.next = nil; t.first == nil {
		t.first = l
	} else {
		t.last.next = l
	}
	t.last = l
}

func (t *turns) pop() *callLine {
	l := t.first
	if t.first = l.next; t.first == nil {
		t.last = nil
	}
	l.next = nil
	return l
}
