package judge

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Style is the convention by which a checker ends.
type Style string

// The conventions: testlib's exit statuses, and those of Kattis and DOMjudge.
const (
	Testlib Style = "testlib"
	Kattis  Style = "kattis"
)

// Opinion is what a checker says of an answer.
type Opinion struct {
	Accepted bool     // the answer is right, or worth Points above 0 to a checker that gives points
	Points   *float64 // what the answer is worth, in the checker's own scale; nil: the checker gives none
	Message  string   // the first line of its standard error: one line, printable, at most 512 bytes of UTF-8
	Failed   bool     // the checker itself failed, which says nothing about the answer
}

// The exit statuses of testlib.h. What testlib calls dirt ends as presentation error in
// later versions.
const (
	testlibOK          = 0
	testlibWrong       = 1
	testlibPresent     = 2
	testlibFail        = 3
	testlibDirt        = 4
	testlibEjudgeWrong = 5 // of testlib built for ejudge
	testlibPoints      = 7
	testlibEOF         = 8

	kattisAccepted = 42
	kattisWrong    = 43
)

// partialBases are the values of PC_BASE_EXIT_CODE: 0 is testlib's own, 50 that of a
// build for a testing system (TESTSYS), 16 what counts like its outcomes.
var partialBases = []int{0, 16, 50}

// Outcome reads a checker's end: its exit status and standard error. A checker that was
// ended by a signal or a limit has failed; that is its caller's to see.
func Outcome(style Style, exit int, stderr []byte) Opinion {
	first, _, _ := bytes.Cut(bytes.TrimLeftFunc(stderr, unicode.IsSpace), []byte{'\n'})
	first = trimEnd(first)
	said := printable(first)
	switch style {
	case Testlib:
		return testlibOutcome(exit, first, said)
	case Kattis:
		switch exit {
		case kattisAccepted:
			return Opinion{Accepted: true, Message: said}
		case kattisWrong:
			return Opinion{Message: said}
		}
		return failed(fmt.Sprintf("the checker ended with exit status %d, which is neither 42 (accepted) nor 43 (wrong answer)", exit), said)
	}
	return failed(fmt.Sprintf("%q is no style of checkers; there are testlib and kattis", style), "")
}

func testlibOutcome(exit int, first []byte, said string) Opinion {
	if n, ok := partially(exit, first); ok {
		return Opinion{Points: &n, Message: said}
	}
	points, given, marked := pointsOf(first)
	switch {
	case exit == testlibPoints && given, (exit == testlibOK || exit == testlibEjudgeWrong) && given && marked:
		return Opinion{Accepted: points > 0, Points: &points, Message: said}
	case exit == testlibOK:
		return Opinion{Accepted: true, Message: said}
	case exit == testlibWrong, exit == testlibPresent, exit == testlibDirt, exit == testlibEOF,
		exit == testlibEjudgeWrong && bytes.HasPrefix(first, []byte("wrong answer")):
		return Opinion{Message: said}
	case exit == testlibFail && said != "":
		return Opinion{Failed: true, Message: said}
	case exit == testlibFail:
		return failed("the checker failed (exit status 3)", "")
	case exit == testlibPoints:
		return failed("the checker ended with exit status 7 (points), and its standard error begins with no number of points that is 0 or more", said)
	}
	return failed(fmt.Sprintf("the checker ended with exit status %d, which means nothing in testlib's convention", exit), said)
}

// partially reads testlib's _pc(n): the status alone does not tell it from others, so
// the line has to agree, which testlib writes as "partially correct (n) ...".
func partially(exit int, first []byte) (points float64, ok bool) {
	rest, ok := bytes.CutPrefix(first, []byte("partially correct ("))
	if !ok {
		return 0, false
	}
	digits, _, ok := bytes.Cut(rest, []byte{')'})
	n, err := strconv.ParseUint(string(digits), 10, 16)
	if !ok || err != nil {
		return 0, false
	}
	for _, base := range partialBases {
		if exit == base+int(n) {
			return float64(n), true
		}
	}
	return 0, false
}

// pointsOf reads "points X ..." (marked) or "X ...".
func pointsOf(first []byte) (points float64, ok, marked bool) {
	word, rest, _ := bytes.Cut(first, []byte{' '})
	if marked = string(word) == "points"; marked {
		word, _, _ = bytes.Cut(bytes.TrimLeft(rest, " "), []byte{' '})
	}
	n, ok := parseNumber(word)
	if !ok || n.neg {
		return 0, false, marked
	}
	points, err := strconv.ParseFloat(string(word), 64)
	if err != nil {
		return 0, false, marked
	}
	return max(points, 0), true, marked // -0 is 0
}

// failed says why, and what the checker said.
func failed(why, said string) Opinion {
	if said != "" {
		why += ": " + said
	}
	text, _ := validUTF8([]byte(why), messageBytes)
	return Opinion{Failed: true, Message: text}
}

const messageBytes = 512

// printable is a line that can be shown anywhere: what a program wrote may end up in a
// checker's message, and from there on a terminal.
func printable(line []byte) string {
	text, _ := validUTF8(line, messageBytes)
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' ' // never longer than what it stands for
	}, text)
	return strings.TrimSpace(text)
}
