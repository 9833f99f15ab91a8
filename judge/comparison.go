package judge

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mode says how outputs are compared.
type Mode string

// The modes, from the strictest on; docs/judging.md defines them.
const (
	Exact          Mode = "exact"           // the same bytes
	Trim           Mode = "trim"            // but for white space at the end of lines, and blank lines at the end
	Tokens         Mode = "tokens"          // the same words, whatever white space is between them
	Float          Mode = "float"           // the same words, and numbers within a tolerance
	UnorderedLines Mode = "unordered_lines" // the same lines, each as often, in any order
)

// Modes lists all of them.
func Modes() []Mode { return []Mode{Exact, Trim, Tokens, Float, UnorderedLines} }

// Comparison is a mode with its settings. The tolerances belong to Float: a number
// matches when it differs by at most Abs, or by at most Rel times the expected number;
// either suffices. What follows them belongs to Tokens and Float.
type Comparison struct {
	Mode       Mode
	Abs, Rel   float64
	IgnoreCase bool // the letters A to Z are the letters a to z
	SameSpace  bool // the white space before, between and behind the words counts, too
}

// FieldError is a setting that cannot be.
type FieldError struct {
	Field   string // "mode", "abs", "rel"
	Given   string
	Allowed string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s: given %s; allowed: %s", e.Field, e.Given, e.Allowed)
}

// maxAbs keeps every sum of tolerances and differences within float64: numbers are below it, too.
const maxAbs = 1e308

// Check says what is wrong with the settings; the error is a *FieldError.
func (c Comparison) Check() error {
	switch {
	case !slices.Contains(Modes(), c.Mode):
		names := make([]string, 0, len(Modes()))
		for _, m := range Modes() {
			names = append(names, string(m))
		}
		return &FieldError{"mode", strconv.Quote(string(c.Mode)), strings.Join(names, ", ")}
	case c.Mode != Float && c.Abs != 0:
		return &FieldError{"abs", shown(c.Abs), "0, or left out: only the mode float has tolerances"}
	case c.Mode != Float && c.Rel != 0:
		return &FieldError{"rel", shown(c.Rel), "0, or left out: only the mode float has tolerances"}
	case c.Mode != Float && c.Mode != Tokens && c.IgnoreCase:
		return &FieldError{"ignore_case", "true", "false: only the modes tokens and float have it"}
	case c.Mode != Float && c.Mode != Tokens && c.SameSpace:
		return &FieldError{"same_space", "true", "false: only the modes tokens and float have it"}
	// Written so that NaN, which is neither less nor more than anything, is refused.
	case !(c.Abs >= 0 && c.Abs < maxAbs):
		return &FieldError{"abs", shown(c.Abs), "0 or more, below 1e308"}
	case !(c.Rel >= 0 && c.Rel < 1):
		return &FieldError{"rel", shown(c.Rel), "0 or more, below 1"}
	case c.Mode == Float && c.Abs == 0 && c.Rel == 0:
		return &FieldError{"abs", "0, and rel 0, too", "at least one of abs and rel above 0, 1e-6 for example; without a tolerance the mode is tokens"}
	}
	return nil
}

func shown(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// Compare returns nil when the outputs are equal by the comparison. Settings that
// Check refuses compare as Exact, so that no mistake in them lets a wrong answer pass.
func (c Comparison) Compare(expected, got []byte) *Difference {
	d, _ := c.CompareUntil(nil, expected, got)
	return d
}

// CompareUntil is Compare, and gives up when stop is closed: finished is false then, and
// nothing is known.
func (c Comparison) CompareUntil(stop <-chan struct{}, expected, got []byte) (d *Difference, finished bool) {
	if bytes.Equal(expected, got) {
		return nil, true // by every mode, and by far the fastest way to know
	}
	if c.Check() != nil {
		return compareExact(expected, got), true
	}
	p := &patience{stop: stop}
	switch c.Mode {
	case Trim:
		d = compareTrim(expected, got)
	case Tokens:
		d = c.compareTokens(p, expected, got, nil)
	case Float:
		d = c.compareTokens(p, expected, got, newTolerance(c.Abs, c.Rel))
	case UnorderedLines:
		d = compareUnordered(p, expected, got)
	default:
		d = compareExact(expected, got)
	}
	return d, !p.over
}

// patience says now and then whether to give up. Only what is slow asks: the other modes
// take a tenth of a second for the largest outputs.
type patience struct {
	stop <-chan struct{}
	n    int
	over bool
}

// askEvery is how many words or lines are compared without asking: far less than a
// millisecond's worth, where they are short, and some where they are numbers of a
// thousand digits.
const askEvery = 64

func (p *patience) isOver() bool {
	if p.n++; p.n%askEvery == 0 {
		select {
		case <-p.stop:
			p.over = true
		default:
		}
	}
	return p.over
}
