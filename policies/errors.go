package policies

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"cordon/policy"
)

// ErrUnknown is what errors.Is finds when there is no policy of a name.
var ErrUnknown = errors.New("unknown policy")

// place is a line and a column of a file, counted from 1.
type place struct{ line, column int }

// FileProblem is a problem and the place of the field in its file.
type FileProblem struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	policy.Problem
	source string // the line itself
}

// FileError lists every problem of one policy file.
type FileError struct {
	File     string
	Problems []FileProblem
}

// Error shows each problem with its place and the line quoted.
func (e *FileError) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s", e.File, p.Line, p.Column, p.Problem)
		if p.source != "" {
			fmt.Fprintf(&b, "\n%6d | %s\n       | %s^", p.Line, p.source, strings.Repeat(" ", p.Column-1))
		}
	}
	return b.String()
}

// Unwrap lets errors.Is find policy.ErrInvalid.
func (e *FileError) Unwrap() error { return policy.ErrInvalid }

// add keeps a problem at the place of its field, or of the nearest field around
// it when it is not in the file.
func (d *document) add(p policy.Problem) {
	for field := p.Field; field != ""; {
		if at, ok := d.at[field]; ok {
			d.addAt(at, p)
			return
		}
		cut := strings.LastIndexAny(field, ".[")
		field = field[:max(cut, 0)]
	}
	d.addAt(place{1, 1}, p)
}

func (d *document) addAt(at place, p policy.Problem) {
	if d.err == nil {
		d.err = &FileError{File: d.file}
	}
	at, source := d.quote(at)
	d.err.Problems = append(d.err.Problems, FileProblem{at.line, at.column, p, source})
}

// quote returns the line at a place, fit for a terminal: what cannot be printed
// becomes a question mark, and a long line ends early. A place outside of the
// line, as the parser gives for what is missing at its end, moves to the end.
func (d *document) quote(at place) (place, string) {
	lines := bytes.Split(d.text, []byte("\n"))
	at.line = min(max(at.line, 1), len(lines))
	line := []rune(printable(strings.TrimRight(string(lines[at.line-1]), " \t\r")))
	at.column = min(max(at.column, 1), len(line)+1)
	const width = 120
	if at.column > width {
		return at, ""
	}
	return at, string(line[:min(len(line), width)])
}

// printable makes a text of the author's fit for a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

func placeOf(node ast.Node) place {
	t := node.GetToken()
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{t.Position.Line, t.Position.Column}
}
