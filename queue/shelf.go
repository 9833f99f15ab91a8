package queue

import "github.com/google/btree"

// shelf has jobs in the order of their ids, which is that of time: all of them, and those in
// each state. A page of one state costs what is on it, whatever else there is. All of it is
// Queue.mu's.
type shelf struct {
	all *shelfTree
	in  map[State]*shelfTree
}

type shelfTree = btree.BTreeG[*entry]

// shelfDegree is about as many entries as are beside each other in memory.
const shelfDegree = 32

func newShelf() shelf { return shelf{newShelfTree(), map[State]*shelfTree{}} }

func newShelfTree() *shelfTree {
	return btree.NewG(shelfDegree, func(a, b *entry) bool { return a.ID < b.ID })
}

// put takes a job in that is in its state from now on.
func (s *shelf) put(e *entry) {
	s.all.ReplaceOrInsert(e)
	if s.in[e.State] == nil {
		s.in[e.State] = newShelfTree()
	}
	s.in[e.State].ReplaceOrInsert(e)
}

// leave takes a job out of its state. It stays among all.
func (s *shelf) leave(e *entry) {
	if in := s.in[e.State]; in != nil {
		in.Delete(e)
	}
}

// drop takes a job out that has left its state.
func (s *shelf) drop(e *entry) { s.all.Delete(e) }

// page lists records behind an id; state "" is any.
func (s *shelf) page(state State, after string, limit int) (out []Record, more bool) {
	from := s.all
	if state != "" {
		from = s.in[state]
	}
	if from == nil {
		return nil, false
	}
	from.AscendGreaterOrEqual(&entry{Record: Record{ID: after}}, func(e *entry) bool {
		switch {
		case e.ID == after:
		case len(out) == limit:
			more = true
		default:
			out = append(out, e.Record)
		}
		return !more
	})
	return out, more
}
