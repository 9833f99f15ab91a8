package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"cordon/judge"
)

// ending is what is known of how one of several joined programs came to its end.
type ending struct {
	name string
	*Step
	began   int64 // monotonic ns
	at      int64 // when it ended; decides only between those of which neither made the other end
	limit   int64 // of its wall time, in ns
	decided bool  // it was ended because of what the interactor had said
}

// seen is what a pipe tells of the two programs that it joins. The witness looks when the
// reader has ended, and before anybody can notice that.
type seen struct {
	from, to int
	hungUp   bool // the writer had closed it by then
	unread   bool // something was in it that the reader had not read
	before   glimpse
}

// ensembleEnd is all that is known of an ensemble: the pure judge looks at nothing else.
type ensembleEnd struct {
	programs   []ending
	interactor int // its index, -1: none
	opinion    judge.Opinion
	pipes      []seen
	glimpse    int64 // when these were seen before, in monotonic ns; 0: they were not
}

// ensembleVerdict is what comes of it.
type ensembleVerdict struct {
	Verdict Verdict
	Message string
	fault   []int // whose it is; empty: nobody's, or the interactor's opinion
}

// settle finds out whose fault it is: that of the first program that came to a bad end by
// itself, and not of those that ended because of it.
func (e *ensembleEnd) settle() ensembleVerdict {
	for _, v := range []Verdict{InternalError, Interrupted, Cancelled} {
		for i := range e.programs {
			if p := &e.programs[i]; p.Verdict == v && !p.decided {
				return ensembleVerdict{v, p.Message, nil}
			}
		}
	}
	waits := e.waiting()
	first := e.order(waits)
	if fault := e.culprits(first); len(fault) > 0 {
		p := &e.programs[fault[0]]
		if p.Verdict == WallLimit {
			fault = e.withLate(fault, waits)
		}
		return ensembleVerdict{p.Verdict, e.told(fault, p.Message), fault}
	}
	if e.interactor < 0 {
		return ensembleVerdict{Verdict: OK}
	}
	o := e.opinion
	switch {
	case o.Failed:
		return e.withoutOpinion(first)
	case !o.Accepted:
		return ensembleVerdict{Verdict: WrongAnswer, Message: o.Message}
	}
	return ensembleVerdict{Verdict: OK, Message: o.Message}
}

// withoutOpinion: the interactor has failed. When all who could have told it something had
// gone by then, it was that. Otherwise it may have been what one of the others said.
func (e *ensembleEnd) withoutOpinion(first [][]bool) ensembleVerdict {
	gone, all := e.gone(first)
	if len(gone) > 0 && all {
		return ensembleVerdict{WrongAnswer, e.told(gone, "the program ended before its interactor had done"), gone}
	}
	message := strings.TrimSuffix("the interactor has failed: "+e.opinion.Message, ": ")
	if len(gone) > 0 && e.players() > 1 {
		message += " (ended by then: " + e.names(gone) + ")"
	}
	return ensembleVerdict{CheckerFailed, message, []int{e.interactor}}
}

// order says for each two programs whether the one came to its end before the other, so
// that the other may have ended because of it. It is told by the pipes, never by clocks.
func (e *ensembleEnd) order(w waiting) [][]bool {
	first := relation(len(e.programs))
	for a := range e.programs {
		for b := range e.programs {
			if a != b && b != e.interactor {
				e.between(first, a, b)
			}
		}
	}
	closed(first) // and before all that ended because of that
	e.waited(first, w)
	return first
}

func relation(n int) [][]bool {
	r := make([][]bool, n)
	for i := range r {
		r[i] = make([]bool, n)
	}
	return r
}

// closed: what holds for a and b, and for b and c, holds for a and c.
func closed(r [][]bool) {
	for via := range r {
		for a := range r {
			for b := range r {
				r[a][b] = r[a][b] || r[a][via] && r[via][b]
			}
		}
	}
}

// between orders two programs by the pipes from a to b. Those to the interactor tell
// more than those from it, which nobody sees closed before it has ended.
func (e *ensembleEnd) between(first [][]bool, a, b int) {
	there := e.joins(a, b)
	if a == e.interactor {
		if back := e.joins(b, a); len(back) > 0 {
			there, a, b = back, b, a
		}
	}
	if len(there) == 0 {
		return
	}
	if slices.ContainsFunc(there, func(s seen) bool { return !s.hungUp }) {
		first[b][a] = true
	} else {
		first[a][b] = true
	}
}

func (e *ensembleEnd) joins(a, b int) (out []seen) {
	for _, s := range e.pipes {
		if s.from == a && s.to == b {
			out = append(out, s)
		}
	}
	return out
}

// culprits are the programs that came to a bad end before all others that did, in the order of
// the clock: one of them, or where they were waited for in vain all that are so.
func (e *ensembleEnd) culprits(first [][]bool) []int {
	var bad, out []int
	for i := range e.programs {
		p := &e.programs[i]
		counts := i != e.interactor && p.Verdict != OK && !p.decided && !e.unheard(first, i)
		if counts && (e.interactor < 0 || e.opinion.Accepted || first[i][e.interactor]) {
			bad = append(bad, i)
		}
	}
	for _, i := range bad {
		if !slices.ContainsFunc(bad, func(j int) bool { return first[j][i] && !first[i][j] }) {
			out = append(out, i)
		}
	}
	if len(out) == 0 {
		return nil
	}
	slices.SortStableFunc(out, func(a, b int) int { return int(min(max(e.programs[a].at-e.programs[b].at, -1), 1)) })
	if e.programs[out[0]].Verdict != WallLimit {
		return out[:1]
	}
	return slices.DeleteFunc(out, func(i int) bool { return e.programs[i].Verdict != WallLimit })
}

// unheard: the program wrote to one that had ended, as a program may whose reader has heard
// enough. If that one ended badly, it is at fault.
func (e *ensembleEnd) unheard(first [][]bool, i int) bool {
	return e.programs[i].Signal == "SIGPIPE" && slices.ContainsFunc(e.pipes, func(s seen) bool { return s.from == i && first[s.to][i] })
}

// gone are the programs that had gone before the interactor had ended: those that write to
// it when they had closed one of its pipes, which is all that it has to wait for there; those
// that only listen when they had ended. all: nobody was left who writes to it.
func (e *ensembleEnd) gone(first [][]bool) (gone []int, all bool) {
	var writers, wrote int
	for i := range e.programs {
		if i == e.interactor {
			continue
		}
		if said := e.joins(i, e.interactor); len(said) > 0 {
			writers++
			if slices.ContainsFunc(said, func(s seen) bool { return s.hungUp }) {
				wrote++
				gone = append(gone, i)
			}
		} else if len(e.joins(e.interactor, i)) > 0 && first[i][e.interactor] {
			gone = append(gone, i)
		}
	}
	return gone, writers > 0 && wrote == writers
}

// told names who is at fault, where there is a choice.
func (e *ensembleEnd) told(fault []int, message string) string {
	if e.players() < 2 {
		return message
	}
	return fmt.Sprintf("%s: %s", e.names(fault), message)
}

// players are all but the interactor.
func (e *ensembleEnd) players() int {
	if e.interactor < 0 {
		return len(e.programs)
	}
	return len(e.programs) - 1
}

func (e *ensembleEnd) names(programs []int) string {
	var names []string
	for _, i := range programs {
		names = append(names, e.programs[i].name)
	}
	return strings.Join(names, ", ")
}
