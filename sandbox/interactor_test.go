package sandbox

import (
	"strings"
	"testing"

	"cordon/judge"
)

// guesser talks with a program that looks for a number: the input is the number.
const guesser = `#!/bin/sh
read secret <$1
[ $secret = 13 ] && exit 3
n=0
while [ $n -lt 20 ]; do
	n=$((n + 1))
	read guess || { echo no guess >&2; exit 1; }
	if [ "$guess" -eq $secret ] 2>/dev/null; then echo found; echo $n guesses >&2; exit 0
	elif [ "$guess" -lt $secret ] 2>/dev/null; then echo more
	elif [ "$guess" -gt $secret ] 2>/dev/null; then echo less
	else echo "no number: $guess" >&2; exit 1; fi
done
echo too many guesses >&2; exit 1
`

// talks is a job whose program is a script, with the guesser as its interactor.
func talks(script string, secrets ...string) *Job {
	j := &Job{Policy: "judge", Command: []string{"/bin/sh", "-c", script}, KeepOutput: 1000}
	for _, s := range secrets {
		j.Tests = append(j.Tests, Test{Name: s, Stdin: text(s + "\n")})
	}
	j.Checker = checks(judge.Testlib, guesser)
	j.Checker.Interactive = true
	j.Limits.WallMillis, j.Limits.CPUMillis = ptr(700*slowness()), ptr(300*slowness())
	return j
}

const bisects = `low=0; high=1000
while :; do mid=$(((low + high) / 2)); echo $mid; read answer || exit 9
case $answer in found) exit ${1:-0};; more) low=$mid;; less) high=$mid;; esac; done`

// Each side is told of what it did itself.
func TestInteraction(t *testing.T) {
	l := newLab(t)
	for name, c := range map[string]struct {
		script, secret string
		verdict        Verdict
		word           string
	}{
		"right":                       {bisects, "617", OK, "guesses"},
		"wrong":                       {"for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo $i; read a; done", "617", WrongAnswer, "too many"},
		"not what was asked for":      {"echo hello; read a", "617", WrongAnswer, "no number: hello"},
		"ends early":                  {"echo 5; read a; exit 0", "617", WrongAnswer, "no guess"},
		"comes to a bad end first":    {"echo 5; read a; exit 7", "617", Nonzero, "exit code 7"},
		"is killed first":             {"echo 5; read a; kill -SEGV $$", "617", Signaled, "SIGSEGV"},
		"falls silent":                {"sleep 100", "617", WallLimit, "wall"},
		"waits for what never comes":  {"read a; echo $a", "617", WallLimit, "wall"},
		"thinks for ever":             {"echo 5; while :; do :; done", "617", CPULimit, "CPU"},
		"floods":                      {"while :; do echo 5; done", "617", WrongAnswer, "too many"},
		"floods without an end":       {"yes | tr -d '\\n'", "617", WallLimit, "wall"},
		"floods its other stream":     {"yes >&2", "617", OutputLimit, "output_bytes"},
		"goes on when it is wrong":    {"echo x; sleep 100", "617", WrongAnswer, "no number"},
		"ends badly when it is right": {strings.Replace(bisects, "${1:-0}", "4", 1), "617", Nonzero, "exit code 4"},
		"the interactor fails":        {"echo 5; read a; exit 1", "13", CheckerFailed, "interactor"},
	} {
		t.Run(name, func(t *testing.T) {
			job := talks(c.script, c.secret)
			if c.verdict != WallLimit {
				job.Limits.WallMillis = ptr[int64](50_000)
			}
			r := l.run(t, job)
			got := r.Tests[0]
			if got.Verdict != c.verdict || !strings.Contains(got.Message, c.word) || got.Checker == nil {
				t.Errorf("%s %q; the interactor: %+v", got.Verdict, got.Message, got.Checker)
			}
		})
	}
}

// Many at once, each with its own partner; streams can be opened by their names.
func TestInteractions(t *testing.T) {
	l := newLab(t)
	job := talks(strings.NewReplacer("echo $mid", "echo $mid >/dev/stdout", "read answer", "read answer </dev/stdin").Replace(bisects), "1", "999", "500", "617", "3", "4")
	job.ParallelTests = 4
	if r := l.run(t, job); r.Verdict != OK || r.Summary.Passed != 6 {
		t.Errorf("%s: %s %q %+v", r.Verdict, r.verdicts(), r.Message, r.Tests[0].Checker)
	}
}

// An interactor in the style of Kattis gets its test's arguments, and tells in a file why
// it ended so.
func TestInteractionInTheStyleOfKattis(t *testing.T) {
	l := newLab(t)
	const asks = "#!/bin/sh\nread secret <$1; echo $5; read got; echo \"$4 $got\" >$3judgemessage.txt; [ \"$got\" = $secret ] && exit 42; exit 43\n"
	job := talks("read x; echo $x", "617", "5")
	job.Checker = checks(judge.Kattis, asks)
	job.Checker.Interactive = true
	for i := range job.Tests {
		job.Tests[i].CheckerArgs = []string{"got", "617"}
	}
	var done []int
	job.TestDone = func(i int) { done = append(done, i) }
	r := l.run(t, job)
	if r.verdicts() != "ok wrong_answer" || r.Tests[0].Message != "got 617" || r.Tests[1].Message != "got 617" {
		t.Errorf("%s %q %+v", r.verdicts(), r.Message, r.Tests[0].Checker)
	}
	if len(done) != 2 || done[0] != 0 || done[1] != 1 {
		t.Errorf("told of tests %v", done)
	}
}
