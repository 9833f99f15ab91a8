package sandbox

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"cordon/judge"
	"cordon/policy"
)

// sh is a further program that runs a script.
func sh(name, script string) Program {
	return Program{Name: name, Command: []string{"/bin/sh", "-c", script}}
}

// lead reads "a b:3": from a's standard output to b's descriptor 3.
func lead(t testing.TB, lines ...string) (out []Pipe) {
	if t != nil {
		t.Helper()
	}
	for _, line := range lines {
		from, to, _ := strings.Cut(line, " ")
		a, err1 := ParseEnd(from, 1)
		b, err2 := ParseEnd(to, 0)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, Pipe{a, b})
	}
	return out
}

// several is a job whose own program is a script as well.
func several(t testing.TB, main string, programs []Program, pipes ...string) *Job {
	return &Job{Policy: "judge", Command: []string{"/bin/sh", "-c", main}, Programs: programs, Pipes: lead(t, pipes...)}
}

// Every way in which programs and pipes do not fit is told with its field.
func TestCheckPrograms(t *testing.T) {
	two := []Program{sh("a", ""), sh("b", "")}
	line := []string{"main a", "a b"}
	with := func(change func(*Job), pipes ...string) *Job {
		j := several(t, "", slices.Clone(two), pipes...)
		if change != nil {
			change(j)
		}
		return j
	}
	interactor := func(j *Job) { j.Checker = &Checker{Interactive: true} }
	many := slices.Repeat([]string{"main a"}, MaxPipes+1)
	for name, c := range map[string]struct {
		job   *Job
		field string
		word  string
	}{
		"nothing of all that":        {&Job{}, "", ""},
		"a line":                     {with(nil, line...), "", ""},
		"a fork that joins":          {with(nil, "main a", "main:3 b", "a b:3"), "", ""},
		"a ring with an interactor":  {with(interactor, "main interactor", "interactor main", "interactor:5 a", "a interactor:3", "b interactor:4"), "", ""},
		"an interactor by itself":    {&Job{Checker: &Checker{Interactive: true}}, "", ""},
		"cores for one":              {&Job{Cores: Together}, "pipes", "none"},
		"a transcript of one":        {&Job{TranscriptBytes: 1}, "pipes", "none"},
		"no pipes":                   {with(nil), "pipes", "none"},
		"pipes of one":               {several(t, "", nil, "main a"), "pipes[0].to", "no program"},
		"too many programs":          {several(t, "", slices.Repeat(two, 4), line...), "programs", "0 to 7"},
		"too many pipes":             {with(nil, many...), "pipes", "1 to 32"},
		"no name":                    {with(func(j *Job) { j.Programs[1].Name = "" }, line...), "programs[1].name", "lower-case"},
		"a name with a colon":        {with(func(j *Job) { j.Programs[1].Name = "b:3" }, line...), "programs[1].name", "lower-case"},
		"a reserved name":            {with(func(j *Job) { j.Programs[1].Name = "main" }, line...), "programs[1].name", "main"},
		"another reserved name":      {with(func(j *Job) { j.Programs[0].Name = "interactor" }, line...), "programs[0].name", "interactor"},
		"a name twice":               {with(func(j *Job) { j.Programs[1].Name = "a" }, line...), "programs[1].name", "another program"},
		"nothing to run":             {with(func(j *Job) { j.Programs[0].Command = nil }, line...), "programs[0].command", "nothing"},
		"a copy of none":             {with(func(j *Job) { j.Programs[0].SameAs = "c" }, line...), "programs[0].same_as", "no program"},
		"a copy of itself":           {with(func(j *Job) { j.Programs[0].SameAs = "a" }, line...), "programs[0].same_as", "itself"},
		"a copy of a copy":           {with(func(j *Job) { j.Programs[0].SameAs, j.Programs[1].SameAs = "b", "main" }, line...), "programs[0].same_as", "itself"},
		"a copy with files":          {with(func(j *Job) { j.Programs[0].SameAs, j.Programs[0].Files = "b", []File{{Path: "x"}} }, line...), "programs[0].same_as", "files"},
		"a copy that is built":       {with(func(j *Job) { j.Programs[0].SameAs, j.Programs[0].Build = "b", []string{"x"} }, line...), "programs[0].same_as", "build"},
		"to nowhere":                 {with(nil, "main a", "a c"), "pipes[1].to", "no program"},
		"from nowhere":               {with(nil, "main a", "c b"), "pipes[1].from", "no program"},
		"to an interactor, none":     {with(nil, "main a", "b interactor"), "pipes[1].to", "no program"},
		"a low descriptor":           {with(func(j *Job) { j.Pipes[0].From.FD = 2 }, line...), "pipes[0].from", "1 or 3 to 18"},
		"a high descriptor":          {with(func(j *Job) { j.Pipes[0].To.FD = 19 }, line...), "pipes[0].to", "0 or 3 to 18"},
		"into an output":             {with(func(j *Job) { j.Pipes[0].To.FD = 1 }, line...), "pipes[0].to", "0 or 3"},
		"out of an input":            {with(func(j *Job) { j.Pipes[0].From.FD = 0 }, line...), "pipes[0].from", "1 or 3"},
		"two at one end":             {with(nil, "main a", "main b"), "pipes[1].from", "pipes[0]"},
		"two at the other end":       {with(nil, "main a", "b a"), "pipes[1].to", "pipes[0]"},
		"both ways at one end":       {with(nil, "main:3 a", "b main:3"), "pipes[1].to", "pipes[0]"},
		"to itself":                  {with(nil, "main a", "b b"), "pipes[1].to", "itself"},
		"the interactor to itself":   {with(interactor, "main a", "a b", "interactor interactor"), "pipes[2].to", "itself"},
		"one left out":               {with(nil, "main a"), "programs[1]", "no pipe"},
		"its own left out":           {with(nil, "a b"), "pipes", "no pipe"},
		"the interactor left out":    {with(interactor, line...), "interactor", "no pipe"},
		"a ring":                     {with(nil, "main a", "a b", "b main"), "pipes[2]", "circle"},
		"a ring of two":              {with(nil, "main a", "a main", "a:3 b"), "pipes[1]", "circle"},
		"a ring beside":              {with(interactor, "main interactor", "a b", "b a"), "pipes[2]", "circle"},
		"input for a piped one":      {with(func(j *Job) { j.Programs[0].Stdin = text("x") }, line...), "programs[0].stdin", "pipe"},
		"input for the piped own":    {with(func(j *Job) { j.Stdin = text("x") }, "a main", "main b"), "stdin", "pipe"},
		"input of a test":            {with(func(j *Job) { j.Tests = []Test{test("", "", ""), test("", "x", "")} }, "a main", "main b"), "tests[1].stdin", "pipe"},
		"an output that is piped":    {with(func(j *Job) { j.Expect = &Expectation{} }, line...), "expect", "judged"},
		"that of a test":             {with(func(j *Job) { j.Tests = []Test{test("", "", "x")} }, line...), "tests[0].expect", "judged"},
		"a checker of what is piped": {with(func(j *Job) { j.Checker = &Checker{} }, line...), "checker", "judged"},
		"an output that is not":      {with(func(j *Job) { j.Expect = &Expectation{} }, "a main", "b main:3"), "", ""},
		"the interactor's input":     {with(func(j *Job) { interactor(j); j.Stdin, j.Expect = text("x"), &Expectation{} }, "interactor main", "main a", "a b", "b interactor"), "", ""},
		"measured on its own":        {with(func(j *Job) { j.Measure.Pin = true }, line...), "measure.pin", "cores"},
	} {
		err := c.job.Check()
		var wrong *InvalidError
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.field == "":
		case !errors.As(err, &wrong) || !errors.Is(err, ErrInvalidJob) || wrong.Field != c.field || !strings.Contains(wrong.Detail, c.word):
			t.Errorf("%s: %v, want %s: %s", name, err, c.field, c.word)
		}
	}
}

func TestParseEnd(t *testing.T) {
	for text, want := range map[string]End{"a": {"a", 1}, "a:1": {"a", 1}, "main:3": {"main", 3}, "a-b_2:18": {"a-b_2", 18}} {
		if got, err := ParseEnd(text, 1); err != nil || got != want || text != "a" && got.String() != text {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":", "a:", ":1", "a:0", "a:2", "a:19", "a:256", "a:259", "a:03", "a:+3", "a:-1", "a:3:4", "A", "a b", "a: 3", "ä", "a:٣", strings.Repeat("a", 33)} {
		if got, err := ParseEnd(text, 1); err == nil || len(err.Error()) > 400 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// FuzzParseEnd: what is taken can be written again, and is an end that there can be.
func FuzzParseEnd(f *testing.F) {
	for _, s := range []string{"a", "a:1", "main:3", "a:03", "a:99999999999999999999", "::", "a:\x00"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, output bool) {
		fd := map[bool]int{true: 1, false: 0}[output]
		e, err := ParseEnd(s, fd)
		if err != nil {
			return
		}
		if s != e.String() && s != e.Program || s == e.Program && e.FD != fd || e.FD != fd && (e.FD < 3 || e.FD > 18) || strings.Contains(e.Program, ":") {
			t.Errorf("%q: %+v", s, e)
		}
		if again, err := ParseEnd(e.String(), fd); err != nil || again != e {
			t.Errorf("%q: %v, then %v, %v", s, e, again, err)
		}
	})
}

// FuzzPipes: programs that are joined without a complaint are in no circle, and each end
// has one pipe.
func FuzzPipes(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 1, 1, 2, 0})
	f.Add([]byte{0, 1, 1, 0, 1, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		names := []string{"main", "a", "b", "c", "interactor", "none"}
		j := &Job{Programs: []Program{sh("a", ""), sh("b", ""), sh("c", "")}, Checker: &Checker{Interactive: len(b)%2 == 1}}
		for ; len(b) >= 4; b = b[4:] {
			j.Pipes = append(j.Pipes, Pipe{End{names[b[0]%6], int(int8(b[1]))}, End{names[b[2]%6], int(int8(b[3]))}})
		}
		if j.Check() != nil {
			return
		}
		taken := map[End]bool{}
		level := map[string]int{}
		for range j.Pipes { // in a circle there would always be one more step
			for _, p := range j.Pipes {
				if p.From.Program != Interactor && p.To.Program != Interactor {
					level[p.To.Program] = max(level[p.To.Program], level[p.From.Program]+1)
				}
			}
		}
		for _, p := range j.Pipes {
			if taken[p.From] || taken[p.To] || level[p.From.Program] > 8 || p.From.FD == 2 || p.To.FD == 2 {
				t.Fatalf("%+v", j.Pipes)
			}
			taken[p.From], taken[p.To] = true, true
		}
	})
}

// Whose fault it is, of all that can be seen of an end.
func TestSettle(t *testing.T) {
	const main, a, b = 0, 1, 2
	ended := func(verdicts ...Verdict) (out []ending) {
		for i, v := range verdicts {
			s := &Step{Verdict: v, Message: string(v)}
			if v == "sigpipe" {
				s.Verdict, s.Signal = Signaled, "SIGPIPE"
			}
			out = append(out, ending{name: []string{"main", "a", "b"}[i], Step: s, limit: 100, at: int64(100 - i)}) // the clock says the contrary
		}
		return out
	}
	gone := func(from, to int) seen { return seen{from: from, to: to, hungUp: true} }
	there := func(from, to int) seen { return seen{from: from, to: to} }
	unread := func(from, to int) seen {
		return seen{from: from, to: to, unread: true, before: glimpse{unread: true}}
	}
	// What was seen before the end, where it was not the same.
	before := func(s seen, g glimpse) seen { s.before = g; return s }
	closed, was, empty := glimpse{closed: true}, glimpse{unread: true}, glimpse{}
	end := func(programs []ending, interactor int, o judge.Opinion, pipes []seen) ensembleEnd {
		return ensembleEnd{programs, interactor, o, pipes, 90}
	}
	hung := func(s seen) seen { s.hungUp = true; return s }
	begun := func(programs []ending, times ...int64) []ending {
		for i := range programs {
			programs[i].began = times[i]
		}
		return programs
	}
	glimpsedAt := func(e ensembleEnd, at int64) ensembleEnd { e.glimpse = at; return e }
	at := func(programs []ending, times ...int64) []ending {
		for i := range programs {
			programs[i].at = times[i]
		}
		return programs
	}
	decided := func(programs []ending, which int) []ending { programs[which].decided = true; return programs }
	right, wrong, failed := judge.Opinion{Accepted: true, Message: "right"}, judge.Opinion{Message: "wrong"}, judge.Opinion{Failed: true, Message: "failed"}
	for name, c := range map[string]struct {
		end     ensembleEnd
		verdict Verdict
		fault   string
		word    string
	}{
		"all well":                           {end(ended(OK, OK, OK), -1, judge.Opinion{}, []seen{gone(main, a), gone(a, b)}), OK, "", ""},
		"the first crashes":                  {end(ended(Signaled, Nonzero, Nonzero), -1, judge.Opinion{}, []seen{gone(main, a), gone(a, b)}), Signaled, "main", "main: signaled"},
		"and the next one copes":             {end(ended(Signaled, OK, Nonzero), -1, judge.Opinion{}, []seen{gone(main, a), gone(a, b)}), Signaled, "main", ""},
		"the second crashes":                 {end(ended("sigpipe", Signaled, Nonzero), -1, judge.Opinion{}, []seen{there(main, a), gone(a, b)}), Signaled, "a", ""},
		"and its writer minds":               {end(ended(Nonzero, Signaled, OK), -1, judge.Opinion{}, []seen{there(main, a), gone(a, b)}), Signaled, "a", ""},
		"the last crashes":                   {end(ended(OK, OK, Nonzero), -1, judge.Opinion{}, []seen{gone(main, a), gone(a, b)}), Nonzero, "b", ""},
		"the last has heard enough":          {end(ended("sigpipe", "sigpipe", OK), -1, judge.Opinion{}, []seen{there(main, a), there(a, b)}), OK, "", ""},
		"and a writer takes it badly":        {end(ended("sigpipe", Nonzero, OK), -1, judge.Opinion{}, []seen{there(main, a), there(a, b)}), Nonzero, "a", ""},
		"SIGPIPE of its own":                 {end(ended("sigpipe", Nonzero, OK), -1, judge.Opinion{}, []seen{gone(main, a), gone(a, b)}), Signaled, "main", ""},
		"a limit, and then an end":           {end(ended(CPULimit, Nonzero, OK), -1, judge.Opinion{}, []seen{gone(main, a), gone(a, b)}), CPULimit, "main", ""},
		"an end, and then a limit":           {end(ended(Nonzero, CPULimit, OK), -1, judge.Opinion{}, []seen{gone(main, a), gone(a, b)}), Nonzero, "main", ""},
		"a flood":                            {end(ended(OutputLimit, OK, OK), -1, judge.Opinion{}, []seen{gone(main, a), gone(a, b)}), OutputLimit, "main", ""},
		"the first is silent":                {end(ended(WallLimit, WallLimit, WallLimit), -1, judge.Opinion{}, []seen{there(main, a), there(a, b)}), WallLimit, "main", ""},
		"although it was ended first":        {end(ended(WallLimit, WallLimit, WallLimit), -1, judge.Opinion{}, []seen{gone(main, a), gone(a, b)}), WallLimit, "main", ""},
		"through one who copes":              {end(ended(WallLimit, OK, WallLimit), -1, judge.Opinion{}, []seen{gone(main, a), there(a, b)}), WallLimit, "main", ""},
		"the last does not read":             {end(ended(WallLimit, WallLimit, WallLimit), -1, judge.Opinion{}, []seen{unread(main, a), unread(a, b)}), WallLimit, "b", ""},
		"the middle does not read":           {end(ended(WallLimit, WallLimit, WallLimit), -1, judge.Opinion{}, []seen{unread(main, a), there(a, b)}), WallLimit, "a", ""},
		"two that nobody joins":              {end(ended(WallLimit, WallLimit, OK), -1, judge.Opinion{}, []seen{gone(main, b), gone(a, b)}), WallLimit, "a main", ""},
		"two crashes that nobody joins":      {end(ended(Nonzero, Signaled, OK), -1, judge.Opinion{}, []seen{gone(main, b), gone(a, b)}), Signaled, "a", ""},
		"half of two pipes is closed":        {end(ended(Nonzero, Signaled), -1, judge.Opinion{}, []seen{gone(main, a), there(main, a)}), Signaled, "a", ""},
		"both of two are closed":             {end(ended(Nonzero, Signaled), -1, judge.Opinion{}, []seen{gone(main, a), gone(main, a)}), Nonzero, "main", ""},
		"the caller goes":                    {end(ended(Signaled, Cancelled, Cancelled), -1, judge.Opinion{}, []seen{gone(main, a), gone(a, b)}), Cancelled, "", ""},
		"the service ends":                   {end(ended(Cancelled, Interrupted, OK), -1, judge.Opinion{}, nil), Interrupted, "", ""},
		"our fault":                          {end(ended(Nonzero, InternalError, OK), -1, judge.Opinion{}, nil), InternalError, "", ""},
		"right":                              {end(ended(OK, OK), 1, right, []seen{gone(main, a), gone(a, main)}), OK, "", "right"},
		"wrong":                              {end(decided(ended(Cancelled, Nonzero), main), 1, wrong, []seen{there(main, a), gone(a, main)}), WrongAnswer, "", "wrong"},
		"crashed first":                      {end(ended(Signaled, Nonzero), 1, wrong, []seen{gone(main, a), there(a, main)}), Signaled, "main", "signaled"},
		"crashed afterwards":                 {end(ended(Signaled, Nonzero), 1, wrong, []seen{there(main, a), gone(a, main)}), WrongAnswer, "", "wrong"},
		"crashed although right":             {end(ended(Signaled, OK), 1, right, []seen{there(main, a), gone(a, main)}), Signaled, "main", ""},
		"talked on although right":           {end(ended("sigpipe", OK), 1, right, []seen{there(main, a), gone(a, main)}), OK, "", "right"},
		"went, and the interactor failed":    {end(ended(OK, Signaled), 1, failed, []seen{gone(main, a), there(a, main)}), WrongAnswer, "main", "before its interactor"},
		"the interactor failed":              {end(decided(ended(Cancelled, Signaled), main), 1, failed, []seen{there(main, a), gone(a, main)}), CheckerFailed, "a", "failed"},
		"the interactor was cancelled":       {end(ended(OK, Cancelled), 1, failed, []seen{gone(main, a), there(a, main)}), Cancelled, "", ""},
		"of two players the one crashed":     {end(decided(ended(Cancelled, Signaled, Nonzero), main), 2, wrong, []seen{there(main, b), gone(b, main), gone(a, b), there(b, a)}), Signaled, "a", "a: signaled"},
		"of two players the one fell silent": {end(decided(ended(WallLimit, Cancelled, Nonzero), a), 2, wrong, []seen{gone(main, b), there(b, main), unread(a, b), gone(b, a)}), WallLimit, "main", "main: "},
		"or waited for the other":            {end(decided(ended(WallLimit, Cancelled, Nonzero), a), 2, wrong, []seen{gone(main, b), there(b, main), there(a, b), gone(b, a)}), WallLimit, "main a", "main, a: "},
		"of two players the one went, and the interactor failed": {end(decided(ended(OK, Cancelled, Nonzero), a), 2, failed, []seen{gone(main, b), there(a, b), gone(b, a)}), CheckerFailed, "b", "failed (ended by then: main)"},
		"both went, and the interactor failed":                   {end(ended(OK, OK, Nonzero), 2, failed, []seen{gone(main, b), gone(a, b), there(b, a)}), WrongAnswer, "main a", "main, a: the program ended before"},
		"of two players the one talked, the other only listened": {end(decided(ended(OK, Cancelled, Nonzero), a), 2, failed, []seen{gone(main, b), gone(b, a)}), WrongAnswer, "main", "before its interactor"},
		"and the one who only listened went, too":                {end(ended(OK, OK, Nonzero), 2, failed, []seen{gone(main, b), there(b, a)}), WrongAnswer, "main a", "before its interactor"},
		"only the one who listened went":                         {end(decided(ended(Cancelled, OK, Nonzero), main), 2, failed, []seen{there(main, b), there(b, a)}), CheckerFailed, "b", "ended by then: a"},
		"nobody went, and the interactor failed":                 {end(decided(decided(ended(Cancelled, Cancelled, Nonzero), main), a), 2, failed, []seen{there(main, b), there(a, b)}), CheckerFailed, "b", "has failed: failed"},
		"one of two pipes to the interactor is closed":           {end(ended(OK, Nonzero), 1, failed, []seen{gone(main, a), there(main, a)}), WrongAnswer, "main", "before its interactor"},
		"none of two pipes to the interactor is closed":          {end(decided(ended(Cancelled, Nonzero), main), 1, failed, []seen{there(main, a), there(main, a)}), CheckerFailed, "a", "failed"},
		"one of each player's pipes is closed":                   {end(decided(ended(OK, Cancelled, Nonzero), a), 2, failed, []seen{gone(main, b), there(main, b), there(a, b), gone(a, b)}), WrongAnswer, "main a", ""},
		"closed in order, and crashed afterwards":                {end(ended(Signaled, Nonzero), 1, wrong, []seen{gone(main, a), there(main, a)}), WrongAnswer, "", "wrong"},
		"what the second said was not read":                      {end(ended(WallLimit, WallLimit, Nonzero), 2, wrong, []seen{gone(main, b), there(b, main), hung(unread(a, b)), there(b, a)}), WallLimit, "main", ""},
		"it said that at the end":                                {end(ended(WallLimit, WallLimit, Nonzero), 2, wrong, []seen{gone(main, b), there(b, main), before(hung(unread(a, b)), empty), there(b, a)}), WallLimit, "a main", "a, main: "},
		"the last read all at the end":                           {end(ended(WallLimit, WallLimit), -1, judge.Opinion{}, []seen{before(gone(main, a), was)}), WallLimit, "a main", ""},
		"a pipe that was closed before":                          {end(ended(WallLimit, WallLimit), -1, judge.Opinion{}, []seen{before(gone(main, a), closed)}), WallLimit, "a main", ""},
		"a pipe that was closed before, and one that was not":    {end(ended(WallLimit, WallLimit), -1, judge.Opinion{}, []seen{before(gone(main, a), closed), gone(main, a)}), WallLimit, "main", ""},
		"nobody has looked before":                               {glimpsedAt(end(ended(WallLimit, WallLimit), -1, judge.Opinion{}, []seen{gone(main, a)}), 0), WallLimit, "a main", ""},
		"somebody has looked too early":                          {glimpsedAt(end(ended(WallLimit, WallLimit), -1, judge.Opinion{}, []seen{gone(main, a)}), 49), WallLimit, "a main", ""},
		"and not too early":                                      {glimpsedAt(end(ended(WallLimit, WallLimit), -1, judge.Opinion{}, []seen{gone(main, a)}), 50), WallLimit, "main", ""},
		"somebody has looked before one had begun":               {end(begun(ended(WallLimit, WallLimit), 0, 50), -1, judge.Opinion{}, []seen{gone(main, a)}), WallLimit, "a main", ""},
		"the writer ended well shortly before":                   {end(at(ended(OK, WallLimit), 97, 100), -1, judge.Opinion{}, []seen{gone(main, a)}), WallLimit, "a main", "a, main: wall_limit"},
		"and long before":                                        {end(at(ended(OK, WallLimit), 89, 100), -1, judge.Opinion{}, []seen{gone(main, a)}), WallLimit, "a", ""},
		"shortly before its own time was over":                   {end(begun(at(ended(OK, WallLimit), 97, 150), 0, 50), -1, judge.Opinion{}, []seen{gone(main, a)}), WallLimit, "a main", ""},
		"the reader ended well shortly before":                   {end(at(ended(WallLimit, OK), 100, 97), -1, judge.Opinion{}, []seen{there(main, a)}), WallLimit, "main", ""},
		"and had not read":                                       {end(at(ended(WallLimit, OK), 100, 97), -1, judge.Opinion{}, []seen{before(there(main, a), was)}), WallLimit, "main a", ""},
		"the writer ended well when it was too late":             {end(at(ended(OK, WallLimit), 102, 100), -1, judge.Opinion{}, []seen{there(main, a)}), WallLimit, "a main", ""},
		"the writer ended badly when it was too late":            {end(at(ended(Nonzero, WallLimit), 102, 100), -1, judge.Opinion{}, []seen{there(main, a)}), WallLimit, "a main", ""},
		"one that nobody joins ended shortly before":             {end(at(ended(OK, WallLimit, OK), 97, 100, 97), -1, judge.Opinion{}, []seen{gone(main, b), there(a, b)}), WallLimit, "a", ""},
		"the interactor ended shortly before":                    {end(at(ended(WallLimit, OK), 100, 97), 1, right, []seen{there(main, a), there(a, main)}), WallLimit, "main", ""},
		"both fell silent":                                       {end(ended(WallLimit, WallLimit, Nonzero), 2, wrong, []seen{gone(main, b), there(b, main), gone(a, b), there(b, a)}), WallLimit, "a main", "a, main: "},
		"a helper of the player crashed":                         {end(ended(OK, Signaled, Nonzero), 2, wrong, []seen{gone(a, main), gone(main, b), there(b, a)}), Signaled, "a", ""},
		"one who only listens crashed":                           {end(ended(OK, Signaled, OK), 2, right, []seen{gone(main, b), there(b, a), there(b, main)}), Signaled, "a", ""},
	} {
		got := c.end.settle()
		var fault []string
		for _, i := range got.fault {
			fault = append(fault, c.end.programs[i].name)
		}
		if got.Verdict != c.verdict || strings.Join(fault, " ") != c.fault || !strings.Contains(got.Message, c.word) {
			t.Errorf("%s: %s %q %q, want %s %q %q", name, got.Verdict, fault, got.Message, c.verdict, c.fault, c.word)
		}
	}
}

// What two programs have used at the same time.
func TestBeside(t *testing.T) {
	u := Usage{WallNanos: 5, CPUNanos: 1, MemoryPeakBytes: 10, PidsPeak: 1, DiskBytes: 3, IOReadBytes: -1}
	u.beside(&Usage{WallNanos: 3, CPUNanos: 2, MemoryPeakBytes: 20, PidsPeak: 2, DiskBytes: 4, IOReadBytes: 7})
	if want := (Usage{WallNanos: 5, CPUNanos: 3, MemoryPeakBytes: 30, PidsPeak: 3, DiskBytes: 7, IOReadBytes: -1}); u != want {
		t.Errorf("%+v", u)
	}
}

// A copy has the limits of the program that it is the same as, but for its own.
func TestProgramRequest(t *testing.T) {
	j := &Job{Limits: policy.LimitRequest{CPUMillis: ptr[int64](1), Pids: ptr[int64](2)}, Programs: []Program{
		{Name: "a", SameAs: "main", Limits: policy.LimitRequest{Pids: ptr[int64](3)}},
		{Name: "b", Limits: policy.LimitRequest{CPUMillis: ptr[int64](4)}, Build: []string{"x"}, Files: []File{{Path: "f", Data: []byte("x")}}, Stdin: text("abc")},
		{Name: "c", SameAs: "b"}}}
	a, b, c := j.ProgramRequest(0), j.ProgramRequest(1), j.ProgramRequest(2)
	if *a.Limits.CPUMillis != 1 || *a.Limits.Pids != 3 || *b.Limits.CPUMillis != 4 || b.Limits.Pids != nil || *c.Limits.CPUMillis != 4 ||
		!b.HasBuild || b.Files != 1 || b.StdinBytes != 3 || c.HasBuild || c.Files != 0 || b.FileBytes < 4096 {
		t.Errorf("%+v %+v %+v", a, b, c)
	}
}
