package judge

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math"
)

// compareUnordered counts the expected lines in a table and takes the program's lines
// from it. The table holds places in the expected output, not copies; its size follows
// the number of different expected lines, whatever the program puts out.
func compareUnordered(p *patience, expected, got []byte) *Difference {
	if uint64(len(expected)) < math.MaxUint32 {
		return unordered(p, newTable[uint32](expected), got)
	}
	return unordered(p, newTable[uint64](expected), got)
}

func unordered[T offset](p *patience, t *table[T], got []byte) *Difference {
	all := lines{text: t.text}
	for line, start, ok := all.scan(); ok && !p.isOver(); line, start, ok = all.scan() {
		t.add(line, start)
	}
	g := lines{text: trimEnd(got)}
	for line, _, ok := g.scan(); ok && !p.isOver(); line, _, ok = g.scan() {
		s := &t.slots[t.find(line)]
		if s.count > 0 {
			s.count--
			continue
		}
		x := excerptOf(line, 0, len(line), 0)
		d := &Difference{Line: g.count, Column: 1, Got: x.text}
		d.Message = fmt.Sprintf("line %d: %s is not among the expected lines", d.Line, x.quoted())
		if s.at != 0 {
			d.Message = fmt.Sprintf("line %d: %s is there more often than expected", d.Line, x.quoted())
		}
		return d
	}
	if g.count == all.count || p.over {
		return nil
	}
	return t.missing()
}

// offset is a place in the expected output; the smaller one halves the table.
type offset interface{ uint32 | uint64 }

// table counts lines. Lines are compared byte by byte, so no choice of lines makes two
// different ones the same; the hash's seed is secret and made anew for every table, so
// none makes it slow.
type table[T offset] struct {
	text  []byte // what the places are in
	slots []slot[T]
	used  int
	hash  func([]byte) uint64
}

type slot[T offset] struct {
	at, end T // where the line is in the text; at is one more than that, 0 in a free slot
	count   T
}

func newTable[T offset](expected []byte) *table[T] {
	seed := maphash.MakeSeed()
	return &table[T]{
		text:  trimEnd(expected),
		slots: make([]slot[T], 1<<10),
		hash:  func(line []byte) uint64 { return maphash.Bytes(seed, line) },
	}
}

func (t *table[T]) line(s slot[T]) []byte { return t.text[s.at-1 : s.end] }

// find returns the line's slot, or the free one where it belongs.
func (t *table[T]) find(line []byte) int {
	mask := uint64(len(t.slots) - 1)
	for i := t.hash(line) & mask; ; i = (i + 1) & mask {
		if s := t.slots[i]; s.at == 0 || bytes.Equal(t.line(s), line) {
			return int(i)
		}
	}
}

// add counts a line of the text.
func (t *table[T]) add(line []byte, start int) {
	i := t.find(line)
	if t.slots[i].at != 0 {
		t.slots[i].count++
		return
	}
	if t.used++; t.used > len(t.slots)/4*3 {
		t.grow()
		i = t.find(line)
	}
	t.slots[i] = slot[T]{T(start) + 1, T(start + len(line)), 1}
}

func (t *table[T]) grow() {
	old := t.slots
	t.slots = make([]slot[T], 2*len(old))
	mask := uint64(len(t.slots) - 1)
	for _, s := range old {
		if s.at == 0 {
			continue
		}
		i := t.hash(t.line(s)) & mask
		for t.slots[i].at != 0 { // all lines in a table are different
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}

// missing tells of the first expected line that did not come often enough.
func (t *table[T]) missing() *Difference {
	var first slot[T]
	for _, s := range t.slots {
		if s.count > 0 && (first.at == 0 || s.at < first.at) {
			first = s
		}
	}
	line := t.line(first)
	x := excerptOf(line, 0, len(line), 0)
	d := &Difference{Expected: x.text}
	d.ExpectedLine, _ = place(t.text, int(first.at-1))
	d.Message = fmt.Sprintf("line %d of the expected output is missing: %s", d.ExpectedLine, x.quoted())
	if first.count > 1 {
		d.Message += fmt.Sprintf(", %d times", first.count)
	}
	return d
}
