package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/internal/cores"
	"cordon/internal/testkit"
	"cordon/judge"
	"cordon/policy"
)

// of finds the account of a program.
func (r *Result) of(t *testing.T, name string) *Step {
	t.Helper()
	for i := range r.Programs {
		if r.Programs[i].Name == name {
			return &r.Programs[i].Step
		}
	}
	t.Fatalf("no account of %s: %s %q %+v", name, r.Verdict, r.Message, r.Programs)
	return nil
}

// told is a result in short, for messages.
func (r *Result) told() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q, fault %q", r.Verdict, r.Message, r.Fault)
	for _, p := range r.Programs {
		fmt.Fprintf(&b, "\n\t%s: %s %q stdout %.60q stderr %.200q", p.Name, p.Verdict, p.Message, p.Stdout, p.Stderr)
	}
	if r.Checker != nil {
		fmt.Fprintf(&b, "\n\tinteractor: %s %q stdout %.60q stderr %.200q", r.Checker.Verdict, r.Checker.Message, r.Checker.Stdout, r.Checker.Stderr)
	}
	return b.String()
}

// short limits the wall time of all programs of a job.
func short(j *Job, ms int64) *Job {
	j.Limits.WallMillis = &ms
	for i := range j.Programs {
		j.Programs[i].Limits.WallMillis = &ms
	}
	return j
}

// A line of programs, from the first input to the last output. With and without a
// transcript it comes to the same.
func TestPipeline(t *testing.T) {
	l := newLab(t)
	for _, transcript := range []int64{0, 1 << 16} {
		job := several(t, "cat; echo end of main >&2", []Program{sh("count", "cat; echo 5"), sh("double", "while read x; do echo $((2 * x)); done; read y || exit 0")}, "count double", "double main")
		job.Programs[0].Stdin, job.TranscriptBytes = text("1\n2\n"), transcript
		job.Expect = &Expectation{text("2\n4\n10\n"), judge.Comparison{Mode: judge.Exact}}
		r := l.run(t, job)
		if r.Verdict != OK || len(r.Programs) != 3 || len(r.Fault) != 0 || len(r.Stdout) != 0 || r.Checker != nil || r.Tests != nil || r.Summary != nil {
			t.Fatal(r.told())
		}
		if got := r.of(t, "main"); string(got.Stdout) != "2\n4\n10\n" || string(got.Stderr) != "end of main\n" || got.Usage.CPUNanos <= 0 || len(got.Limits) == 0 {
			t.Errorf("%+v", got)
		}
		var cpu, wall int64
		for _, p := range r.Programs {
			cpu, wall = cpu+p.Usage.CPUNanos, max(wall, p.Usage.WallNanos)
		}
		if r.Usage.CPUNanos != cpu || r.Usage.WallNanos != wall || len(r.of(t, "count").Stdout) != 0 {
			t.Errorf("%+v", r.Usage)
		}
		if (r.Transcript != nil) != (transcript > 0) {
			t.Errorf("transcript %+v", r.Transcript)
		}
		job.Expect = &Expectation{text("2\n4\n11\n"), judge.Comparison{Mode: judge.Exact}}
		if r := l.run(t, job); r.Verdict != WrongAnswer || r.Difference == nil || r.Difference.Line != 3 {
			t.Error(r.told())
		}
	}
}

// Whose verdict it is, in a line of three. With the service in between it is the same.
func TestPipelineVerdicts(t *testing.T) {
	l := newLab(t)
	const copies, silent = "cat", "exec sleep 100"
	for name, c := range map[string]struct {
		main, second, last string
		verdict            Verdict
		fault              string
	}{
		"all well":                   {"echo x", copies, copies, OK, ""},
		"nothing is said":            {"", copies, copies, OK, ""},
		"the first crashes":          {"echo x; kill -SEGV $$", "cat; exit 3", "cat; exit 4", Signaled, "main"},
		"and the second copes":       {"echo x; kill -SEGV $$", copies, "cat; exit 4", Signaled, "main"},
		"the second crashes":         {"echo x; exec cat /dev/zero", "read x; kill -SEGV $$", "cat; exit 4", Signaled, "second"},
		"and its writer minds":       {"trap '' PIPE; yes || exit 3", "read x; exit 7", "cat; exit 4", Nonzero, "second"},
		"the last crashes":           {"echo x", copies, "cat; exit 9", Nonzero, "last"},
		"the last has heard enough":  {"exec cat /dev/zero", "exec cat", "head -c 100000 >/dev/null", OK, ""},
		"the first ends at once":     {"exit 0", copies, "cat; exit 9", Nonzero, "last"},
		"the last ends at once":      {"sleep 0.1; echo x", "cat; exit 0", "exit 9", Nonzero, "last"},
		"the first is silent":        {silent, copies, copies, WallLimit, "main"},
		"the second is silent":       {"exec cat /dev/zero", silent, copies, WallLimit, "second"},
		"the last is silent":         {"exec cat /dev/zero", copies, silent, WallLimit, "last"},
		"the first thinks for ever":  {"while :; do :; done", copies, "cat; exit 9", CPULimit, "main"},
		"the last thinks for ever":   {"echo x", copies, "while :; do :; done", CPULimit, "last"},
		"the second needs memory":    {"echo x", "a=x; while :; do a=$a$a; done", "cat; exit 9", MemoryLimit, "second"},
		"the last floods its output": {"echo x", copies, "cat /dev/zero", OutputLimit, "last"},
		"the first floods stderr":    {"cat /dev/zero >&2", copies, "cat; exit 9", OutputLimit, "main"},
		"the second is not there":    {"echo x", "exec /no/such/program", copies, Nonzero, "second"},
	} {
		for _, transcript := range []int64{0, 1000} {
			t.Run(fmt.Sprintf("%s/%d", name, transcript), func(t *testing.T) {
				job := several(t, c.main, []Program{sh("second", c.second), sh("last", c.last)}, "main second", "second last")
				short(job, 50_000)
				if c.verdict == WallLimit {
					short(job, 1500*slowness())
				}
				for _, q := range []*policy.LimitRequest{&job.Limits, &job.Programs[0].Limits, &job.Programs[1].Limits} {
					q.MemoryBytes, q.CPUMillis = ptr[int64](64<<20), ptr[int64](15_000)
					if c.verdict == CPULimit {
						q.CPUMillis = ptr(400 * slowness())
					}
					if transcript > 0 && (strings.Contains(c.main, "zero") || strings.Contains(c.main, "yes")) {
						q.OutputBytes = ptr[int64](16 << 20) // what is carried counts
					}
				}
				job.TranscriptBytes = transcript
				r := l.run(t, job)
				if r.Verdict != c.verdict || strings.Join(r.Fault, " ") != c.fault || c.fault != "" && !strings.HasPrefix(r.Message, c.fault+": ") {
					t.Errorf("%s; want %s of %q", r.told(), c.verdict, c.fault)
				}
			})
		}
	}
}

// referee lets two players take turns: each is sent the number that the other one
// said, and has to say the next one. It says itself who has gone.
const referee = `#!/bin/sh
trap '' PIPE; read last <$1; n=0
while [ $n -lt $last ]; do
	echo $n 2>/dev/null >&4; read a <&3 || { echo no answer of the first >&2; exit 1; }
	[ "$a" = $((n + 1)) ] || { echo the first says "$a" >&2; exit 1; }
	echo $a 2>/dev/null >&6; read b <&5 || { echo no answer of the second >&2; exit 1; }
	[ "$b" = $((a + 1)) ] || { echo the second says "$b" >&2; exit 1; }
	n=$b
done
echo done >&2; exit 0
`

const counts = "while read x; do echo $((x + 1)); done; exit 0"

// players are two with a referee between them.
func players(t testing.TB, first, second string) *Job {
	job := several(t, first, []Program{sh("other", second)}, "main interactor:3", "interactor:4 main", "other interactor:5", "interactor:6 other")
	job.Stdin, job.Checker = text("20\n"), checks(judge.Testlib, referee)
	job.Checker.Interactive = true
	return short(job, 50_000)
}

// Two players and a referee: what the one does is not laid to the other.
func TestTwoPlayers(t *testing.T) {
	l := newLab(t)
	for name, c := range map[string]struct {
		first, second string
		verdict       Verdict
		fault, word   string
	}{
		"both well":              {counts, counts, OK, "", "done"},
		"the first is wrong":     {"read x; echo 7; read x; exit 3", counts, WrongAnswer, "", "the first says 7"},
		"the second is wrong":    {counts, "read x; echo 7; read x; exit 3", WrongAnswer, "", "the second says 7"},
		"the first goes":         {"read x; exit 0", counts, WrongAnswer, "", "no answer of the first"},
		"the second goes":        {counts, "exit 0", WrongAnswer, "", "no answer of the second"},
		"the first crashes":      {"read x; kill -SEGV $$", counts, Signaled, "main", "SIGSEGV"},
		"the second crashes":     {counts, "read x; exit 5", Nonzero, "other", "exit code 5"},
		"the first thinks":       {"while :; do :; done", counts, CPULimit, "main", "CPU"},
		"the second thinks":      {counts, "read x; while :; do :; done", CPULimit, "other", "CPU"},
		"the second writes much": {counts, "yes >&2", OutputLimit, "other", "output_bytes"},
		"the first floods":       {"yes", counts, WrongAnswer, "", "the first says y"},
		"all wait":               {"read x; read y; echo $y", counts, WallLimit, "", "wall"},
		"badly at the end":       {counts, strings.Replace(counts, "exit 0", "exit 4", 1), Nonzero, "other", "exit code 4"},
	} {
		for _, transcript := range []int64{0, 1 << 16} {
			t.Run(fmt.Sprintf("%s/%d", name, transcript), func(t *testing.T) {
				job := players(t, c.first, c.second)
				job.Limits.CPUMillis, job.Programs[0].Limits.CPUMillis = ptr(300*slowness()), ptr(300*slowness())
				if c.verdict == WallLimit {
					short(job, 700*slowness())
				}
				if job.TranscriptBytes = transcript; c.first == "yes" { // the interactor is to find it first
					job.Limits.OutputBytes = ptr[int64](4 << 20)
				}
				r := l.run(t, job)
				if r.Verdict != c.verdict || c.fault != "" && strings.Join(r.Fault, " ") != c.fault || !strings.Contains(r.Message, c.word) || r.Checker == nil || len(r.Programs) != 2 {
					t.Errorf("%s", r.told())
				}
			})
		}
	}
}

// Tests, each with the whole ensemble, and a program that is the same build as another.
func TestSameBuildTwice(t *testing.T) {
	l := newLab(t)
	for _, transcript := range []int64{0, 1 << 16} {
		job := several(t, "", []Program{{Name: "decoder", SameAs: MainProgram, Args: []string{"decode"}}}, "decoder interactor:3", "interactor:4 decoder", "main interactor", "interactor main")
		job.Build = []string{"/bin/sh", "-c", "echo built >&2; { echo '#!/bin/sh'; cat source; } >both; chmod 755 both"}
		job.Files = []File{{Path: "source", Data: []byte(`[ "$1" = decode ] && { read x; echo ${x#<}; exit; }; read x; echo "<$x"` + "\n")}}
		job.Command, job.KeepOutput, job.TranscriptBytes = []string{"./both"}, 100, transcript
		job.Checker = checks(judge.Testlib, "#!/bin/sh\nread word <$1; echo $word; read code; echo $code >&4; read got <&3; [ \"$code\" = \"<$word\" ] || exit 3\n[ \"$got\" = \"$(cat $3)\" ] || { echo got $got >&2; exit 1; }\n")
		job.Checker.Interactive = true
		job.Tests, job.ParallelTests = []Test{test("", "one\n", "one"), test("", "two\n", "three"), test("", "three\n", "three")}, 2
		r := l.run(t, short(job, 50_000))
		if r.verdicts() != "ok wrong_answer ok" || r.Verdict != WrongAnswer || r.Tests[1].Message != "got two" || len(r.Tests[0].Programs) != 2 || r.Tests[0].Checker == nil {
			t.Fatalf("%s %q %+v %+v", r.verdicts(), r.Message, r.Tests[1], r.Tests[1].Checker)
		}
		if r.Build == nil || string(r.Build.Stderr) != "built\n" || l.Stats().Builds.Builds > 2 {
			t.Errorf("%+v, %+v", r.Build, l.Stats().Builds)
		}
		if (r.Tests[2].Transcript != nil) != (transcript > 0) {
			t.Errorf("%+v", r.Tests[2].Transcript)
		}
	}
}

// Programs of their own are built, each once, and one that cannot be is told.
func TestProgramsAreBuilt(t *testing.T) {
	l := newLab(t)
	job := several(t, "read a; read b <&3; echo $a $b", []Program{
		{Name: "made", Command: []string{"sh", "made"}, Build: []string{"sh", "-c", "echo 'echo made $1' >made"}, Args: []string{"first"}},
		{Name: "again", SameAs: "made", Args: []string{"second"}}}, "made main", "again main:3")
	for i := range 2 {
		r := l.run(t, job)
		if out := string(r.of(t, "main").Stdout); r.Verdict != OK || out != "made first made second\n" || l.Stats().Builds.Misses != 2 {
			t.Fatalf("%d: %q %s %+v", i, out, r.told(), l.Stats().Builds)
		}
	}
	job.Programs[0].Build = []string{"sh", "-c", "echo no >&2; exit 1"}
	if r := l.run(t, job); r.Verdict != BuildFailed || r.Message != "the build of made: exit code 1" || r.Build == nil || string(r.Build.Stderr) != "no\n" || r.Tests != nil {
		t.Error(r.told())
	}
	job.Programs[0].Limits.CPUMillis = ptr[int64](1 << 40)
	var denied *policy.DeniedError
	if _, err := l.Run(t.Context(), job); !errors.As(err, &denied) || denied.Denials[0].Field != "programs[0].limits.cpu_ms" {
		t.Error(err)
	}
}

// A single run with an interactor, and with outputs.
func TestInteractionOfASingleRun(t *testing.T) {
	l := newLab(t)
	job := talks("echo x >out; " + bisects)
	job.Tests, job.Stdin, job.Outputs = nil, text("617\n"), []string{"out"}
	short(job, 50_000)
	r := l.run(t, job)
	if r.Verdict != OK || !strings.Contains(r.Message, "guesses") || r.Checker == nil || r.Programs != nil || len(r.Files) != 1 || string(r.Files[0].Data) != "x\n" || r.Timings.RunNanos <= 0 {
		t.Errorf("%s, %+v", r.told(), r.Files)
	}
	job.Command[2] = "echo 5; read a"
	if r := l.run(t, job); r.Verdict != WrongAnswer || r.ExitCode == nil {
		t.Error(r.told())
	}
}

// Who said what to whom, in the order in which it was said.
func TestTranscript(t *testing.T) {
	l := newLab(t)
	job := players(t, counts, counts)
	job.TranscriptBytes = 1 << 16
	r := l.run(t, job)
	var got []string
	last := int64(0)
	for _, e := range r.Transcript.Entries {
		got = append(got, fmt.Sprintf("%s>%s %s", e.From.Program, e.To, strings.TrimSpace(string(e.Data))))
		if e.At < last || e.At > r.Checker.Usage.WallNanos+int64(time.Minute) {
			t.Errorf("at %d after %d", e.At, last)
		}
		last = e.At
	}
	var want []string
	for n := 0; n < 20; n += 2 {
		want = append(want, fmt.Sprintf("interactor>main:0 %d", n), fmt.Sprintf("main>interactor:3 %d", n+1), fmt.Sprintf("interactor>other:0 %d", n+1), fmt.Sprintf("other>interactor:5 %d", n+2))
	}
	if !slices.Equal(got, want) || r.Transcript.Truncated || r.Verdict != OK || last <= 0 {
		t.Errorf("%s: %q", r.told(), got)
	}
	job.TranscriptBytes = 5 * (saidCost + 2)
	if r := l.run(t, job); r.Verdict != OK || len(r.Transcript.Entries) != 5 || !r.Transcript.Truncated {
		t.Errorf("%s %+v", r.told(), r.Transcript)
	}
	// All bytes are carried, also those that are not noted.
	job = several(t, "head -c 3000000 /dev/urandom | tee copy | cat; cksum <copy >&2", []Program{sh("reader", "cksum")}, "main reader")
	job.TranscriptBytes, job.Limits.OutputBytes = 1000, ptr[int64](3_000_000)
	r = l.run(t, job)
	if noted := r.Transcript.Entries; r.Verdict != OK || string(r.of(t, "reader").Stdout) != string(r.of(t, "main").Stderr) || len(noted) != 1 || len(noted[0].Data) != 1000-saidCost {
		t.Errorf("%s: %d", r.told(), len(noted))
	}
	// One byte more than may be written, to one that does not read and to one that does.
	for script, want := range map[string]Verdict{"head -c 3000000": OK, "head -c 3000001": OutputLimit, "cat": OutputLimit} {
		for _, reader := range []string{"cat >/dev/null", "sleep 1; cat >/dev/null"} {
			job = several(t, script+" /dev/zero", []Program{sh("reader", reader)}, "main reader")
			job.TranscriptBytes, job.Limits.OutputBytes = 1000, ptr[int64](3_000_000)
			if r := l.run(t, short(job, 50_000)); r.Verdict != want || (want != OK) != slices.Equal(r.Fault, []string{"main"}) {
				t.Errorf("%s | %s: %s", script, reader, r.told())
			}
		}
	}
}

// Without a transcript nothing of ours is on the way: the programs have the two ends of the
// same pipe of the kernel's, and nobody else has one of them but the witness's own.
func TestPipesAreDirect(t *testing.T) {
	l := newLab(t)
	const tells = "readlink /proc/self/fd/%d; "
	for _, transcript := range []int64{0, 1000} {
		job := several(t, "ends=$(readlink /proc/$$/fd/1; readlink /proc/$$/fd/3); echo \"$ends\" >&2; echo; echo >&3", []Program{sh("a", fmt.Sprintf(tells, 0)+fmt.Sprintf(tells, 18))}, "main a", "main:3 a:18")
		job.TranscriptBytes = transcript
		r := l.run(t, job)
		written, read := string(r.of(t, "main").Stderr), string(r.of(t, "a").Stdout)
		if strings.Count(written, "pipe:[") != 2 || strings.Count(read, "pipe:[") != 2 || (written == read) != (transcript == 0) {
			t.Errorf("transcript %d: %q and %q; %s", transcript, written, read, r.told())
		}
	}
}

// What a program does to its end of a pipe is not done to another's end, and does not keep
// others from seeing its end.
func TestPipesHoldAgainstTricks(t *testing.T) {
	l := newLab(t)
	for name, c := range map[string]struct {
		main, reader string
		verdict      Verdict
		fault        string
	}{
		"a reader that can also write":   {"echo x", "exec 4>/proc/self/fd/0; read x; echo $x; exec 0</dev/null", OK, ""},
		"and then waits for itself":      {"echo x", "exec 4>/proc/self/fd/0; cat", WallLimit, "reader"},
		"a writer that can also read":    {"exec 4</proc/self/fd/1; cat /dev/zero", "exit 0", WallLimit, "main"},
		"a writer that reads its own":    {"exec 4</proc/self/fd/1; echo x; read x <&4; echo go >&3; exit 0", "read go <&3; cat; exit 7", Nonzero, "reader"},
		"a child that keeps it open":     {"sleep 1000 & echo x", "cat", OK, ""},
		"a child that keeps a bad end":   {"sleep 1000 & echo x; exit 3", "cat; exit 4", Nonzero, "main"},
		"closed before the end":          {"echo x; exec >&-; sleep 0.3", "cat", OK, ""},
		"closed before the end, and bad": {"echo x; exec >&-; exit 5", "cat; sleep 1; exit 6", Nonzero, "main"},
	} {
		t.Run(name, func(t *testing.T) {
			job := short(several(t, c.main, []Program{sh("reader", c.reader)}, "main reader", "main:3 reader:3"), 50_000)
			if c.verdict == WallLimit {
				short(job, 1500)
			}
			if r := l.run(t, job); r.Verdict != c.verdict || strings.Join(r.Fault, " ") != c.fault {
				t.Error(r.told())
			}
		})
	}
}

// Programs on one core, or each on its own.
func TestCores(t *testing.T) {
	l := newLab(t)
	own, err := cores.Own()
	if err != nil {
		t.Fatal(err)
	}
	const where = "grep Cpus_allowed_list /proc/self/status"
	job := several(t, where+" >&2", []Program{sh("a", where)}, "main a")
	bound := func() (string, string) {
		r := l.run(t, job)
		a, b := string(r.of(t, "main").Stderr), string(r.of(t, "a").Stdout)
		if r.Verdict != OK || !strings.Contains(a, "list:") || !strings.Contains(b, "list:") || strings.ContainsAny(a+b, ",-") {
			t.Fatalf("%q %q: %s", a, b, r.told())
		}
		return a, b
	}
	job.Cores = Together
	if a, b := bound(); a != b {
		t.Errorf("%q and %q", a, b)
	}
	job.Cores = Apart
	if len(own) > 1 {
		if a, b := bound(); a == b {
			t.Errorf("both %q", a)
		}
		for range 4 { // several at once do not keep half of what they need from each other
			other := *job
			go func() { _, _ = l.Run(context.Background(), &other) }()
		}
		bound()
	}
	for len(job.Programs) < min(len(own), MaxPrograms-1) {
		name := fmt.Sprint("p", len(job.Programs))
		job.Programs = append(job.Programs, sh(name, "cat"))
		job.Pipes = append(job.Pipes, lead(t, fmt.Sprintf("main:%d %s", 3+len(job.Programs), name))...)
	}
	if len(job.Programs)+1 > len(own) {
		var wrong *InvalidError
		if _, err := l.Run(t.Context(), job); !errors.As(err, &wrong) || wrong.Field != "cores" || !strings.Contains(wrong.Detail, "together") {
			t.Error(err)
		}
	}
	interactive := talks(bisects, "617")
	interactive.Cores = Together
	if r := l.run(t, short(interactive, 50_000)); r.Verdict != OK {
		t.Error(r.told())
	}
}

// Tests that wait for a core when another one has failed are skipped, as others are.
func TestCoresAreNotWaitedFor(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Parallel = 8 })
	for name, change := range map[string]func(*Job){"cores": func(j *Job) { j.Cores = Together },
		"measure.pin": func(j *Job) { j.Programs, j.Pipes, j.Measure.Pin = nil, nil, true }} {
		job := several(t, "read x <own; [ $x = first ] && { sleep 0.3; exit 1; }; exec sleep 1", []Program{sh("a", "cat")}, "main a")
		change(job)
		job.StopOnFirstFailure, job.ParallelTests, job.KeepOutput = true, 8, 100
		for i := range 8 {
			job.Tests = append(job.Tests, Test{Files: []File{{Path: "own", Data: []byte(map[bool]string{true: "first\n", false: "other\n"}[i == 0])}}})
		}
		r := l.run(t, short(job, 50_000))
		others := strings.NewReplacer("ok", "", "skipped", "", " ", "").Replace(r.verdicts())
		if r.Verdict != Nonzero || r.Tests[0].Verdict != Nonzero || others != string(Nonzero) || len(r.Tests) != 8 {
			t.Errorf("%s: %s %s %q", name, r.Verdict, r.verdicts(), r.Message)
		}
	}
}

// A caller who goes, and a service that ends, take all programs with them.
func TestEnsembleIsEnded(t *testing.T) {
	for name, c := range map[string]struct {
		transcript int64
		stop       bool
		verdict    Verdict
	}{"cancelled": {0, false, Cancelled}, "cancelled in the midst of a talk": {1000, false, Cancelled}, "interrupted": {0, true, Interrupted}, "interrupted in the midst of a talk": {1000, true, Interrupted}} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			job := short(players(t, "while read x; do echo $x; sleep 0.01; done", "cat"), 50_000)
			job.Checker = checks(judge.Testlib, "#!/bin/sh\nwhile :; do echo 1 >&4; read x <&3; echo 2 >&6; read x <&5; done\n")
			job.Checker.Interactive, job.TranscriptBytes = true, c.transcript
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan *Result, 1)
			go func() {
				r, err := l.Run(ctx, job)
				if err != nil {
					t.Error(err)
				}
				done <- r
			}()
			eventually(t, "three programs run", func() bool { return len(scripts(t)) >= 3 })
			if c.stop {
				l.Close()
			} else {
				cancel()
			}
			if r := <-done; r == nil || r.Verdict != c.verdict {
				t.Fatalf("%s", r.told())
			}
			eventually(t, "nothing is left", func() bool { return len(scripts(t)) == 0 })
		})
	}
}

// scripts are the shells that run below this process.
func scripts(t *testing.T) (out []int) {
	for _, p := range testkit.Descendants(t, os.Getpid()) {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.Pid)); err == nil && strings.HasSuffix(exe, "sh") {
			out = append(out, p.Pid)
		}
	}
	return out
}

// Many ensembles leave no descriptor, process, group, mount or id behind.
func TestEnsemblesLeaveNothing(t *testing.T) {
	l := newLab(t)
	jobs := func() {
		for _, transcript := range []int64{0, 1000} {
			job := players(t, counts, counts)
			job.TranscriptBytes = transcript
			if r := l.run(t, job); r.Verdict != OK {
				t.Fatal(r.told())
			}
			job.Command[2] = "exit 3"
			l.run(t, job)
		}
		l.pool.clearing.waitAll()
	}
	jobs() // the fork server and all that stays
	before, ids := l.descriptors(t), l.Stats().FreeIDs
	for range 3 {
		jobs()
	}
	var now int
	eventually(t, "as many descriptors as before", func() bool { now = l.descriptors(t); return now <= before })
	if free := l.Stats().FreeIDs; free != ids {
		t.Errorf("%d ids are free, %d before", free, ids)
	}
}
