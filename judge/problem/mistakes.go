package problem

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInvalid is what errors.Is finds when a package is not as the format wants it.
var ErrInvalid = errors.New("not a valid problem package")

// maxMistakes are told; a package with more has one that explains the others.
const maxMistakes = 50

// Mistake is one thing that is wrong with a package.
type Mistake struct {
	File   string // below the package
	Line   int    // 0: the file as a whole
	Field  string // "" without one
	Given  string // what stands there
	Wanted string // what may stand there, and what to do
}

func (m Mistake) Error() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d", m.Line)
	}
	b.WriteString(": ")
	if m.Field != "" {
		b.WriteString(m.Field + " is ")
	}
	b.WriteString(m.Given + "; " + m.Wanted)
	return b.String()
}

// Unwrap lets errors.Is find ErrInvalid.
func (m Mistake) Unwrap() error { return ErrInvalid }

// report collects what is wrong with a package, and what means nothing here.
type report struct {
	mistakes []error
	more     int
	ignored  []string
}

func (r *report) mistake(m Mistake) {
	if len(r.mistakes) == maxMistakes {
		r.more++
		return
	}
	r.mistakes = append(r.mistakes, m)
}

// wrong is a mistake of a file as a whole.
func (r *report) wrong(file, given, wanted string) {
	r.mistake(Mistake{File: file, Given: given, Wanted: wanted})
}

func (r *report) ignore(format string, args ...any) {
	r.ignored = append(r.ignored, fmt.Sprintf(format, args...))
}

func (r *report) err() error {
	if r.more > 0 {
		return errors.Join(append(slices.Clip(r.mistakes), fmt.Errorf("%w: %d more mistakes", ErrInvalid, r.more))...)
	}
	return errors.Join(r.mistakes...)
}

// shown is a text from the package, fit for a terminal and short.
func shown(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
