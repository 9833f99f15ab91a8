package judge

import (
	"bytes"
	"fmt"
)

// tokens goes through an output, token by token.
type tokens struct {
	text       []byte
	start, end int // of the token
}

// scan finds the next token; without one, start is the end of the output.
func (t *tokens) scan() bool {
	at := t.end
	for at < len(t.text) && space(t.text[at]) {
		at++
	}
	t.start = at
	for at < len(t.text) && !space(t.text[at]) {
		at++
	}
	t.end = at
	return t.start < t.end
}

func (t *tokens) token() []byte { return t.text[t.start:t.end] }

// compareTokens compares token by token; with a tolerance, numbers as numbers.
func (c *Comparison) compareTokens(p *patience, expected, got []byte, tol *tolerance) *Difference {
	e, g := tokens{text: expected}, tokens{text: got}
	for {
		before, after := e.end, g.end
		wanted, there := e.scan(), g.scan()
		switch {
		case wanted != there:
			return tokenMissing(&e, &g)
		case c.SameSpace && !bytes.Equal(expected[before:e.start], got[after:g.start]):
			return spaceDiffers(expected[:e.start], got[:g.start], before, after)
		case !wanted || p.isOver():
			return nil
		case !bytes.Equal(e.token(), g.token()) && !(c.IgnoreCase && sameLetters(e.token(), g.token())) && !tol.matches(e.token(), g.token()):
			return tokenDiffers(&e, &g, tol)
		}
	}
}

// sameLetters: the same bytes, but for letters of ASCII that are large in one and small
// in the other.
func sameLetters(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if small(a[i]) != small(b[i]) {
			return false
		}
	}
	return true
}

func small(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// spaceDiffers: the white space at the end of both texts is not the same; from there on
// it is looked at.
func spaceDiffers(expected, got []byte, before, after int) *Difference {
	at := commonPrefix(expected[before:], got[after:])
	d := &Difference{}
	d.Line, d.Column = place(got, after+at)
	d.ExpectedLine, _ = place(expected, before+at)
	x, y := excerptOf(expected, before, len(expected), before+at), excerptOf(got, after, len(got), after+at)
	d.Expected, d.Got = x.text, y.text
	d.Message = fmt.Sprintf("line %d, column %d: expected the white space %s, got %s", d.Line, d.Column, x.quoted(), y.quoted())
	return d
}

// tokenMissing: one of the outputs has no token left.
func tokenMissing(e, g *tokens) *Difference {
	d := &Difference{}
	if g.start == g.end {
		// Behind the last token, not behind the blank lines that may follow.
		d.Line, d.Column = place(g.text, len(trimEnd(g.text)))
		d.ExpectedLine, _ = place(e.text, e.start)
		x := excerptOf(e.text, e.start, e.end, e.start)
		return d.sides(fmt.Sprintf("line %d", d.Line), &x, nil, excerpt.word)
	}
	d.Line, d.Column = place(g.text, g.start)
	d.ExpectedLine, _ = place(e.text, len(trimEnd(e.text)))
	x := excerptOf(g.text, g.start, g.end, g.start)
	return d.sides(g.where(d.Line), nil, &x, excerpt.word)
}

func tokenDiffers(e, g *tokens, tol *tolerance) *Difference {
	d := &Difference{}
	d.Line, d.Column = place(g.text, g.start)
	d.ExpectedLine, _ = place(e.text, e.start)
	same := commonPrefix(e.token(), g.token())
	x := excerptOf(e.text, e.start, e.end, e.start+same)
	y := excerptOf(g.text, g.start, g.end, g.start+same)
	d.sides(g.where(d.Line), &x, &y, excerpt.word)
	d.Message += tol.remark(e.token(), g.token())
	return d
}

// where names the token: "line 3, token 2".
func (t *tokens) where(line int) string {
	before := tokens{text: t.text[:t.start]}
	before.end = bytes.LastIndexByte(before.text, '\n') + 1
	n := 1
	for before.scan() {
		n++
	}
	return fmt.Sprintf("line %d, token %d", line, n)
}
