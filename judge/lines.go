package judge

import (
	"bytes"
	"fmt"
)

// space is what separates tokens: white space of C, and no more, so that bytes which
// are no text are not taken for it.
func space(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// trimEnd takes white space off the end: of a line, or, of a whole output, the blank
// lines there and what is behind the last other one.
func trimEnd(b []byte) []byte {
	n := len(b)
	for n > 0 && space(b[n-1]) {
		n--
	}
	return b[:n]
}

// lines goes through an output that ends without white space, line by line.
type lines struct {
	text  []byte
	next  int // where the next line starts
	count int
}

// scan returns the next line without the white space at its end, and where it starts.
func (l *lines) scan() (line []byte, start int, ok bool) {
	if l.next >= len(l.text) {
		return nil, 0, false
	}
	start, end := l.next, len(l.text)
	if k := bytes.IndexByte(l.text[start:], '\n'); k >= 0 {
		end = start + k
	}
	l.next, l.count = end+1, l.count+1
	return trimEnd(l.text[start:end]), start, true
}

func compareExact(expected, got []byte) *Difference {
	at := commonPrefix(expected, got)
	if at == len(expected) && at == len(got) {
		return nil
	}
	d := &Difference{}
	d.Line, d.Column = place(got, at)
	d.ExpectedLine, _ = place(expected, at)
	from := at // where one has ended, what the other has beyond
	if at < len(expected) && at < len(got) {
		from = bytes.LastIndexByte(got[:at], '\n') + 1
	}
	part := func(b []byte) *excerpt {
		if at == len(b) {
			return nil
		}
		to := len(b)
		if k := bytes.IndexByte(b[at:], '\n'); k >= 0 {
			to = at + k + 1 // the end of a line is part of it here
		}
		x := excerptOf(b, from, to, at)
		return &x
	}
	return d.sides(fmt.Sprintf("line %d, column %d", d.Line, d.Column), part(expected), part(got), excerpt.quoted)
}

func compareTrim(expected, got []byte) *Difference {
	e, g := lines{text: trimEnd(expected)}, lines{text: trimEnd(got)}
	for {
		want, _, wanted := e.scan()
		line, _, there := g.scan()
		switch {
		case !wanted && !there:
			return nil
		case !wanted:
			for len(line) == 0 { // there is one that is not blank: the end is trimmed
				line, _, _ = g.scan()
			}
			d := &Difference{Line: g.count, Column: 1, ExpectedLine: e.count + 1}
			x := excerptOf(line, 0, len(line), 0)
			return d.sides(fmt.Sprintf("line %d", d.Line), nil, &x, excerpt.quoted)
		case !there:
			for len(want) == 0 {
				want, _, _ = e.scan()
			}
			d := &Difference{Line: g.count + 1, Column: 1, ExpectedLine: e.count}
			x := excerptOf(want, 0, len(want), 0)
			return d.sides(fmt.Sprintf("line %d", d.Line), &x, nil, excerpt.quoted)
		case !bytes.Equal(want, line):
			at := commonPrefix(want, line)
			d := &Difference{Line: g.count, Column: at + 1, ExpectedLine: e.count}
			x, y := excerptOf(want, 0, len(want), at), excerptOf(line, 0, len(line), at)
			return d.sides(fmt.Sprintf("line %d, column %d", d.Line, d.Column), &x, &y, excerpt.quoted)
		}
	}
}
