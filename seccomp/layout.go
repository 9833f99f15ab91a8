package seccomp

import (
	"encoding/binary"
	"slices"
)

// writer lays the steps out, from the program's end to its beginning: what a step
// leads to is always there before it. Places are counted from the end.
type writer struct {
	backward [][8]byte
	at       map[*step]int
}

func (w *writer) put(op uint16, yes, no int, k uint32) int {
	var b [8]byte
	binary.LittleEndian.PutUint16(b[:], op)
	b[2], b[3] = byte(yes), byte(no)
	binary.LittleEndian.PutUint32(b[4:], k)
	w.backward = append(w.backward, b)
	return len(w.backward) - 1
}

// write gives the place of a step.
func (w *writer) write(s *step) int {
	if place, ok := w.at[s]; ok {
		return place
	}
	switch s.op {
	case opReturn:
		w.at[s] = w.put(s.op, 0, 0, s.k)
	case opLoad, opMask:
		if w.write(s.yes) != len(w.backward)-1 {
			w.again(s.yes)
		}
		w.at[s] = w.put(s.op, 0, 0, s.k)
	default:
		w.write(s.no)
		w.write(s.yes)
		for _, to := range []*step{s.no, s.yes} {
			// A branch reaches 255 instructions; for the other side one may come between.
			if len(w.backward)+1-w.at[to] > 255 {
				w.again(to)
			}
		}
		here := len(w.backward) - 1
		w.at[s] = w.put(s.op, here-w.at[s.yes], here-w.at[s.no], s.k)
	}
	return w.at[s]
}

// again writes a step a second time, nearer by, or a jump to it.
func (w *writer) again(s *step) {
	if s.op == opReturn {
		w.at[s] = w.put(s.op, 0, 0, s.k)
		return
	}
	w.at[s] = w.put(opGo, 0, 0, uint32(len(w.backward)-1-w.at[s]))
}

func (w *writer) code() []byte {
	var all []byte
	for _, b := range slices.Backward(w.backward) {
		all = append(all, b[:]...)
	}
	return all
}
