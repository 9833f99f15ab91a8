package judge

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOutcome(t *testing.T) {
	accepted, wrong, broken := Opinion{Accepted: true}, Opinion{}, Opinion{Failed: true}
	worth := func(p float64) Opinion { return Opinion{Accepted: p > 0, Points: &p} }
	part := func(p float64) Opinion { return Opinion{Points: &p} }
	for _, c := range []struct {
		style  Style
		exit   int
		stderr string
		want   Opinion // without the message
	}{
		{Testlib, 0, "ok 3 tokens\n", accepted},
		{Testlib, 0, "", accepted},
		{Testlib, 0, "3 tokens", accepted}, // only points or ok tell what a number is
		{Testlib, 1, "wrong answer 1st words differ", wrong},
		{Testlib, 1, "", wrong},
		{Testlib, 2, "wrong output format Expected integer", wrong},
		{Testlib, 3, "FAIL no answer file", broken},
		{Testlib, 3, "", broken},
		{Testlib, 4, "wrong output format Extra information", wrong},
		{Testlib, 8, "unexpected eof", wrong},
		// Points.
		{Testlib, 7, "points 0.5 half\n", worth(0.5)},
		{Testlib, 7, "points 100", worth(100)},
		{Testlib, 7, "points 0 nothing", worth(0)},
		{Testlib, 7, "points -0 nothing", worth(0)},
		{Testlib, 7, "points 1e2", worth(100)},
		{Testlib, 7, "0.25 a quarter", worth(0.25)},
		{Testlib, 7, "\n\n  points   3\r\nnot 4\n", worth(3)},
		{Testlib, 7, "points 0." + strings.Repeat("0", 600) + "5e601", worth(5)},
		{Testlib, 7, "", broken},
		{Testlib, 7, "points", broken},
		{Testlib, 7, "points nan", broken},
		{Testlib, 7, "points inf", broken},
		{Testlib, 7, "points 1e999", broken},
		{Testlib, 7, "points -1", broken},
		{Testlib, 7, "points 5%", broken},
		{Testlib, 7, "points_info=5", broken}, // quitpi: a scorer makes points of it
		{Testlib, 7, "half", broken},
		{Testlib, 0, "points 5 of an old build", worth(5)},
		{Testlib, 5, "points 5", worth(5)},
		{Testlib, 5, "5", broken},
		{Testlib, 5, "", broken},
		{Testlib, 5, "wrong answer, ejudge's build", wrong},
		{Testlib, 1, "points 5", wrong}, // the status is what counts
		// Partially.
		{Testlib, 0, "partially correct (0) nothing", part(0)},
		{Testlib, 1, "partially correct (1) a little", part(1)},
		{Testlib, 3, "partially correct (3)", part(3)},
		{Testlib, 40, "partially correct (40) some", part(40)},
		{Testlib, 56, "partially correct (40) some", part(40)},
		{Testlib, 90, "partially correct (40) some", part(40)},
		{Testlib, 250, "partially correct (200)", part(200)},
		{Testlib, 1, "partially correct (40) another number", wrong},
		{Testlib, 41, "partially correct (40) another number", broken},
		{Testlib, 90, "partially correct (-40)", broken},
		{Testlib, 90, "partially correct (40", broken},
		{Testlib, 90, "partially correct ()", broken},
		{Testlib, 50, "", broken},
		{Testlib, 134, "terminate called", broken}, // as a shell tells of SIGABRT
		// Else.
		{Testlib, 6, "", broken},
		{Testlib, 42, "", broken},
		{Testlib, 43, "", broken},
		{Testlib, -1, "", broken},
		{Testlib, 255, "", broken},
		{Testlib, 1 << 40, "", broken},
		{Kattis, 42, "", accepted},
		{Kattis, 43, "Wrong answer on line 3", wrong},
		{Kattis, 0, "ok", broken},
		{Kattis, 1, "wrong answer", broken},
		{Kattis, 7, "points 5", broken},
		{Kattis, 134, "Assertion failed", broken},
		{"", 0, "ok", broken},
		{"Testlib", 0, "ok", broken},
	} {
		got := Outcome(c.style, c.exit, []byte(c.stderr))
		if got.Accepted != c.want.Accepted || got.Failed != c.want.Failed ||
			(got.Points == nil) != (c.want.Points == nil) || got.Points != nil && *got.Points != *c.want.Points {
			text, _ := json.Marshal(got)
			t.Errorf("%s %d %.40q: %s", c.style, c.exit, c.stderr, text)
		}
		soundOpinion(t, got)
	}
}

// soundOpinion holds what is promised of every opinion.
func soundOpinion(t interface{ Errorf(string, ...any) }, o Opinion) {
	if o.Failed && (o.Accepted || o.Points != nil || o.Message == "") {
		t.Errorf("a checker that failed says something of the answer, or nothing of itself: %+v", o)
	}
	if o.Points != nil && !(*o.Points >= 0 && *o.Points < 1e308) {
		t.Errorf("%g points", *o.Points)
	}
	if o.Accepted && o.Points != nil && *o.Points == 0 {
		t.Errorf("accepted for nothing: %+v", o)
	}
	if len(o.Message) > 512 || !utf8.ValidString(o.Message) || strings.ContainsAny(o.Message, "\n\r\t\x00\x1b\x7f") {
		t.Errorf("the message is %q", o.Message)
	}
}

func TestOutcomeMessage(t *testing.T) {
	long := strings.Repeat("é", 400)
	for _, c := range []struct {
		style        Style
		exit         int
		stderr, want string
	}{
		{Testlib, 0, "", ""},
		{Testlib, 0, "ok fine\nmore\n", "ok fine"},
		{Testlib, 1, " \r\n\n\t wrong answer here \r\n", "wrong answer here"},
		{Testlib, 1, "a\tb\x1b[2Jc\x00d\u202ee", "a b [2Jc d e"},
		{Testlib, 1, "a\xffb", "a\ufffdb"},
		{Testlib, 1, long, long[:512]},
		{Testlib, 1, "x" + long, "x" + long[:510]},
		{Testlib, 3, "FAIL bad data", "FAIL bad data"},
		{Testlib, 3, "", "the checker failed (exit status 3)"},
		{Testlib, 9, "", "the checker ended with exit status 9, which means nothing in testlib's convention"},
		{Testlib, 9, "help\n", "the checker ended with exit status 9, which means nothing in testlib's convention: help"},
		{Testlib, 7, "points many", "the checker ended with exit status 7 (points), and its standard error begins with no number of points that is 0 or more: points many"},
		{Kattis, 1, "", "the checker ended with exit status 1, which is neither 42 (accepted) nor 43 (wrong answer)"},
		{"x\n", 1, "", `"x\n" is no style of checkers; there are testlib and kattis`},
	} {
		got := Outcome(c.style, c.exit, []byte(c.stderr))
		if got.Message != c.want {
			t.Errorf("%s %d %.40q: %q, want %q", c.style, c.exit, c.stderr, got.Message, c.want)
		}
		soundOpinion(t, got)
	}
}
