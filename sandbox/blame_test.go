package sandbox

import (
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/judge"
)

// asksTwo takes a number of the first, to its end, and wants to have it back from the second.
// One who says what is no number makes it fail; "last" has to be the second's last word.
const asksTwo = `#!/bin/sh
read a <&3; read end <&3
echo $a >&6; read b <&5 || FAIL
[ "$b" = last ] && read end <&5
case $b in *[!0-9]*) echo no number: $b >&2; FAIL;; esac
[ "$b" = "$a" ] && exit RIGHT; exit WRONG
`

// An interactor that fails on what one player has said is not laid to the other one, who
// has done what it had to do.
func TestInteractorFailsOfOnePlayer(t *testing.T) {
	l := newLab(t)
	for style, words := range map[judge.Style]*strings.Replacer{
		judge.Testlib: strings.NewReplacer("FAIL", "exit 3", "RIGHT", "0", "WRONG", "1"),
		judge.Kattis:  strings.NewReplacer("FAIL", "exit 1", "RIGHT", "42", "WRONG", "43"),
	} {
		for name, c := range map[string]struct {
			second  string
			verdict Verdict
			fault   string
			word    string
		}{
			"says it back":        {"read x; echo $x", OK, "", ""},
			"says another":        {"read x; echo 8", WrongAnswer, "", ""},
			"garbage, and stays":  {"echo garbage; exec sleep 100", CheckerFailed, "interactor", "ended by then: main"},
			"garbage, and closes": {"echo last; exec >&-; sleep 0.1", WrongAnswer, "main other", "main, other: the program ended before"},
			"crashes":             {"read x; exit 5", Nonzero, "other", "exit code 5"},
		} {
			job := players(t, "echo 7", c.second)
			job.Checker = checks(style, words.Replace(asksTwo))
			job.Checker.Interactive = true
			if r := l.run(t, job); r.Verdict != c.verdict || strings.Join(r.Fault, " ") != c.fault || !strings.Contains(r.Message, c.word) {
				t.Errorf("%s, %s: %s", style, name, r.told())
			}
		}
	}
}

// A program with two pipes to its interactor has gone when it has closed one.
func TestOneOfTwoPipesIsClosed(t *testing.T) {
	l := newLab(t)
	for script, want := range map[string]Verdict{
		"echo 1; sleep 0.1":                           OK,
		"exec >&-; sleep 0.3; echo 1 >&4":             WrongAnswer,
		"echo no; sleep 0.3; echo more":               CheckerFailed,
		"exec 4>&-; sleep 0.3; echo no; exec sleep 1": WrongAnswer, // it had closed one, and nobody knows whether that was waited for
	} {
		job := several(t, script, nil, "main interactor:3", "main:4 interactor:4")
		job.Checker = checks(judge.Testlib, "#!/bin/sh\nread x <&3 || { echo unexpected end >&2; exit 3; }\n[ \"$x\" = 1 ] || { echo no number >&2; exit 3; }\nexit 0\n")
		job.Checker.Interactive = true
		if r := l.run(t, short(job, 50_000)); r.Verdict != want {
			t.Errorf("%s: %s; want %s", script, r.told(), want)
		}
	}
}

// One who has kept the other waiting, and makes it look otherwise when the time is nearly
// over, is named beside the other one, if not alone.
func TestForgedEnds(t *testing.T) {
	l := newLab(t)
	referees := func(second string) *Job { return players(t, counts, second) }
	slow := func(second string) *Job { // whose referee thinks over what it has read
		job := referees(second)
		job.Checker = checks(judge.Testlib, strings.ReplaceAll(referee, "read b <&5", "read b <&5 && sleep 0.4"))
		job.Checker.Interactive = true
		return job
	}
	line := func(main, reader string) *Job { return several(t, main, []Program{sh("other", reader)}, "main other") }
	for name, c := range map[string]struct {
		job    *Job
		honest string
		sooner int64 // the honest one's time is over by so many ms; of two cells one begins first
	}{
		"junk into a pipe that was empty":  {slow("read x; sleep 1.4; yes"), "main", 0},
		"an answer, and silence again":     {referees("read x; sleep 1.44; echo $((x + 1)); exec sleep 100"), "main", 0},
		"an answer when it was too late":   {referees("read x; sleep 1.35; echo $((x + 1)); exec sleep 100"), "main", 250},
		"an end":                           {referees("read x; sleep 1.46; exit 0"), "main", 0},
		"an end that the reader waits for": {line("sleep 1.45; exit 0", "cat; exec sleep 100"), "other", 0},
		"a bad end":                        {line("sleep 1.45; exit 3", "cat; exec sleep 100"), "other", 0},
		"reading all that was unread":      {line("head -c 100000 /dev/zero; exec sleep 100", "sleep 1.42; exec cat >/dev/null"), "main", 0},
		"reading it and ending well":       {line("head -c 100000 /dev/zero; exec sleep 100", "sleep 1.42; head -c 100000 >/dev/null; exit 0"), "main", 0},
	} {
		t.Run(name, func(t *testing.T) {
			short(c.job, 1500)
			if c.sooner > 0 {
				c.job.Limits.WallMillis = ptr(1500 - c.sooner)
			}
			r := l.run(t, c.job)
			if slices.Equal(r.Fault, []string{c.honest}) || r.Verdict == OK {
				t.Errorf("%s", r.told())
			}
		})
	}
}

// The witness looks once at all pipes, when it is told to or its timer is over, and never when
// its pipes are gone.
func TestGlimpse(t *testing.T) {
	var w *witness
	fresh := func(after time.Duration) {
		w = &witness{after: after}
		for from := range 3 { // to the same reader
			w.joints = append(w.joints, &joint{from: from, to: 3, fromFD: 1, toFD: from})
		}
		w.joints = append(w.joints, &joint{from: 0, to: 4, fromFD: 3, toFD: 0})
		if err := w.join(-1); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.close)
		if _, err := w.joints[0].write.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		w.joints[1].write.Close()
		w.joints[1].write = nil
		w.look(4)
	}
	want := []glimpse{{unread: true}, {closed: true}, {}, {closed: true}}
	check := func(name string, want []glimpse) {
		t.Helper()
		seen, at := w.seen()
		var got []glimpse
		for _, s := range seen {
			got = append(got, s.before)
		}
		if !slices.Equal(got, want) || (at > 0) != !slices.Equal(want, make([]glimpse, 4)) {
			t.Errorf("%s: %+v at %d, want %+v", name, got, at, want)
		}
	}
	fresh(time.Millisecond)
	w.begin()
	w.begin()
	eventually(t, "the timer is over", func() bool { _, at := w.seen(); return at > 0 })
	check("by the timer", want)
	fresh(time.Hour)
	w.begin()
	check("before it is over", make([]glimpse, 4))
	w.close()
	if w.timer.Stop() {
		t.Error("the timer goes on")
	}
	w.peek()
	check("too late", make([]glimpse, 4))
}
