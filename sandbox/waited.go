package sandbox

import "slices"

// glimpse is what was seen of a pipe when nine tenths of the shortest wall time were over: who
// wants to seem to have waited has to begin while the others have a tenth of it left.
type glimpse struct {
	closed bool // the writer had closed it, or the reader had ended: nobody waits for the other
	unread bool // something was in it that the reader had not read
}

// waiting is who waited for whom, directly or through others.
type waiting struct {
	surely  [][]bool
	perhaps [][]bool // what surely holds, and what nobody can exclude
}

// waiting: who reads from an empty pipe waits for its writer, and who writes into one that is
// not read for its reader. A pipe tells that only when it was so at the glimpse and at the end.
func (e *ensembleEnd) waiting() waiting {
	w := waiting{relation(len(e.programs)), relation(len(e.programs))}
	glimpsed := e.glimpsed()
	for _, s := range e.pipes {
		waits, awaited := s.to, s.from
		if s.unread {
			waits, awaited = awaited, waits
		}
		switch {
		case glimpsed && s.before.closed:
		case glimpsed && s.before.unread == s.unread:
			w.surely[waits][awaited], w.perhaps[waits][awaited] = true, true
		default:
			w.perhaps[waits][awaited], w.perhaps[awaited][waits] = true, true
		}
	}
	closed(w.surely)
	closed(w.perhaps)
	return w
}

// glimpsed: there was a glimpse, and by then all whose time was over had run for half of the
// shortest wall time. Before that pipes are empty because nobody has come to say anything.
func (e *ensembleEnd) glimpsed() bool {
	var shortest, began int64
	for i := range e.programs {
		p := &e.programs[i]
		if i == e.interactor {
			continue
		}
		if shortest == 0 || p.limit < shortest {
			shortest = p.limit
		}
		if p.Verdict == WallLimit {
			began = max(began, p.began)
		}
	}
	return e.glimpse > 0 && e.glimpse >= began+shortest/2
}

// waited orders those whose patience was at its end: they were ended by the clock, one as well
// as the other. The one that waited for none of the others has kept them waiting.
func (e *ensembleEnd) waited(first [][]bool, w waiting) {
	for a := range e.programs {
		for b := range e.programs {
			if a != b && e.programs[a].Verdict == WallLimit && e.programs[b].Verdict == WallLimit {
				first[a][b] = w.surely[b][a] && !w.perhaps[a][b]
			}
		}
	}
}

// withLate adds to those whose wall time was over the programs for which they may have waited,
// however these ended: one can end well just before its own time is over, or when it was
// too late for the other. One that had ended before the last tenth has left it the time.
func (e *ensembleEnd) withLate(fault []int, w waiting) []int {
	all := slices.Clone(fault)
	for i := range e.programs {
		late := func(f int) bool { return w.perhaps[f][i] && e.programs[i].lastedTo(&e.programs[f]) }
		if i != e.interactor && !slices.Contains(fault, i) && slices.ContainsFunc(fault, late) {
			all = append(all, i)
		}
	}
	return all
}

// lastedTo: it ended in the last tenth of the other's wall time or later, by the start of either.
func (p *ending) lastedTo(other *ending) bool {
	return p.at >= min(p.began, other.began)+other.limit/10*9
}
