//go:build failpoints

package sandbox

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"cordon/internal/testkit"
	"cordon/judge"
	"cordon/policy"
	"cordon/sandbox/cell"
)

// injected is an errno that no step gives by itself and no code looks for.
const injected = syscall.ENOTRECOVERABLE

// shape is a job by which steps can be made to fail, and how it ends otherwise.
type shape struct {
	verdict Verdict
	job     func() *Job
}

var shapes = []shape{
	{OK, func() *Job { // leaves a stray, so that there is something to be killed
		j := shell("echo started; sleep 1000 & sleep 0.02; echo x > out")
		j.Files = []File{{Path: "dir", Mode: os.ModeDir | 0o755}, {Path: "dir/a/b", Mode: 0o644, Data: []byte("text")},
			{Path: "link", Mode: modeLink, Target: "dir"}}
		j.Stdin, j.Outputs = text("in"), []string{"*", "dir"}
		return j
	}},
	{OK, func() *Job {
		j := shell("echo started; cat made")
		j.Build = []string{"/bin/sh", "-c", "echo x > made"}
		j.BuildFresh = true
		return j
	}},
	{OK, func() *Job {
		j := shell("echo started; cat made; sleep 1000 &")
		j.Build = []string{"/bin/sh", "-c", "echo x > made"}
		j.BuildFresh, j.KeepOutput = true, 100
		j.Tests = []Test{{Stdin: text("in")}}
		return j
	}},
	{CPULimit, func() *Job {
		j := limited(shell("echo started; while :; do :; done"), policy.LimitRequest{CPUMillis: ptr[int64](40)})
		return &j
	}},
}

// suiteShape has a test, whose cell is shown what the build left.
var suiteShape = shapes[2]

// shownShape is shown a file, and has its outputs kept.
func shownShape(t *testing.T) shape {
	f := share(t, "shown\n")
	return shape{OK, func() *Job {
		j := shell("echo started; cat in/f; echo x > out")
		j.Files, j.Outputs, j.Keep = []File{shownFile("in/f", f)}, []string{"out", "in/f"}, &keeper{kept: map[string]string{}, room: 1 << 30, most: 1 << 30}
		return j
	}}
}

// sharedShape has an input that is not copied.
func sharedShape(t *testing.T) shape {
	f := share(t, strings.Repeat("x", sharedInput))
	return shape{OK, func() *Job {
		j := shell("echo started; cat >/dev/null")
		j.Stdin.Kept = f
		return j
	}}
}

// talking has an interactor. Two builds come before the program.
var talking = shape{OK, func() *Job {
	j := talks("echo started >&2; "+bisects, "617")
	j.Limits.WallMillis, j.Limits.CPUMillis = ptr[int64](60_000), ptr[int64](10_000)
	return j
}}

// carried has a transcript, and further programs on the same core.
var carried = shape{OK, func() *Job {
	j := several(nil, "echo started; echo hello >&3; read x <&4", []Program{sh("a", "cat"), {Name: "b", SameAs: "a"}}, "main:3 a", "a b", "b interactor", "interactor main:4")
	j.Checker = checks(judge.Testlib, "#!/bin/sh\nread x; echo $x\n")
	j.Checker.Interactive, j.TranscriptBytes, j.Cores, j.BuildFresh = true, 1000, Together, true
	return short(j, 60_000)
}}

// pinned is measured on a core of its own.
var pinned = shape{OK, func() *Job {
	j := shell("echo started")
	j.Measure.Pin = true
	return j
}}

// spoken has a terminal, and ends by a signal when it has begun.
var spoken = shape{OK, func() *Job {
	j := shell("trap 'exit 0' USR1; echo started; while :; do sleep 0.01; done")
	began := make(chan *Session, 1)
	j.Interactive = &Interactive{Terminal: true, Size: WindowSize{24, 80}, Began: func(s *Session) { began <- s }}
	j.Stdout = &firstWrite{do: func() { _ = (<-began).Signal("USR1") }} // what comes of it is the job's end
	return j
}}

// fed has an input that is written while it runs.
var fed = shape{OK, func() *Job {
	j := shell("echo started; cat")
	j.Interactive = &Interactive{Began: func(s *Session) { _ = s.CloseInput() }}
	return j
}}

// firstWrite does something when the program has printed something.
type firstWrite struct {
	once sync.Once
	do   func()
}

func (f *firstWrite) Write(b []byte) (int, error) {
	f.once.Do(f.do)
	return len(b), nil
}

// writable has a root of its own shape: overlays, and a second pivot.
var writable = shape{OK, func() *Job {
	j := shell("echo started; echo x > /etc/mark")
	j.Policy, j.WritableRoot = "dev", true
	return j
}}

// bench runs jobs in a lab while something fails.
type bench struct {
	*lab
	programs atomic.Int64 // how many have been started
	empty    holdings     // before the first job
	before   holdings     // before what fails
}

// holdings are all that a service has.
type holdings struct{ descriptors, processes, mounts, ids, groups int }

func newBench(t *testing.T, change ...func(*Config)) *bench {
	b := &bench{lab: newLab(t, change...)}
	dropped = func(started bool) {
		if started {
			b.programs.Add(1)
		}
	}
	t.Cleanup(func() { cell.Arm(cell.Fault{}); disarm(); dropped = nil })
	if _, err := b.builds(); err != nil { // its directory is there from now on
		t.Fatal(err)
	}
	b.empty = b.holds(t)
	b.before = b.empty
	return b
}

func (b *bench) holds(t *testing.T) holdings {
	groups := testkit.Groups(t, testkit.Descendants(t, os.Getpid()))
	return holdings{b.descriptors(t), len(testkit.Descendants(t, os.Getpid())), mountCount(t), b.config.Ranges.Free(), len(groups)}
}

// fails runs a job. It says whether it failed through us; then nothing of it may be
// left, and unless that came late its program may not have been started.
func (b *bench) fails(t *testing.T, s shape, late bool, want ...string) bool {
	t.Helper()
	b.programs.Store(0)
	b.log.Reset()
	job := s.job()
	r := b.run(t, job)
	b.pool.clearing.waitAll()
	if r.Verdict == s.verdict {
		if len(r.Programs) > 0 {
			r.Stdout = r.Programs[0].Stdout
		}
		if len(r.Tests) > 0 {
			r.Stdout = append(r.Tests[0].Stdout, r.Tests[0].Stderr...)
		}
		if n := b.programs.Load(); n == 0 || r.Verdict == OK && !strings.HasPrefix(string(r.Stdout), "started") {
			t.Fatalf("%d programs started in a job that ended well: %q", n, r.Stdout)
		}
		return false
	}
	if r.Verdict != InternalError {
		t.Errorf("%s (%s), want internal_error", r.Verdict, r.Message)
	}
	for _, w := range want {
		if !strings.Contains(r.Message, w) {
			t.Errorf("%q does not name %q", r.Message, w)
		}
		if log := b.log.String(); !strings.Contains(log, w) {
			t.Errorf("the log does not name %q:\n%s", w, log)
		}
	}
	before := int64(0) // of what failed: a build has ended well when its run fails
	if len(job.Build) > 0 {
		before = 1
	}
	if n := b.programs.Load(); !late && (n > before || len(r.Stdout) > 0) {
		t.Errorf("%q: %d programs have been started: %q", r.Message, n, r.Stdout)
	}
	return true
}

// within: nothing more than before, and as many ids. A fork server that has been
// ended may still be waiting for its successor.
func (h holdings) within(before holdings) bool {
	return h.ids == before.ids && h.groups == before.groups && h.mounts == before.mounts &&
		h.descriptors <= before.descriptors && h.processes <= before.processes
}

// clean wants the bench to be as it was.
func (b *bench) clean(t *testing.T) {
	t.Helper()
	var now holdings
	defer func() {
		if !now.within(b.before) {
			t.Errorf("left behind: %+v, before %+v", now, b.before)
		}
	}()
	eventually(t, "nothing is left behind", func() bool { now = b.holds(t); return now.within(b.before) })
}

// each has something fail at its first try, its second, and so on, until the job
// ends as it should. It says how many tries there were.
func (b *bench) each(t *testing.T, s shape, late bool, arm func(try int), want ...string) int {
	t.Helper()
	for try := 1; ; try++ {
		arm(try)
		if !b.fails(t, s, late, want...) {
			return try - 1
		}
		if try > 1000 || t.Failed() {
			t.Fatalf("try %d", try)
		}
		b.clean(t)
	}
}

// mute are the steps after which there is no way to tell: what the daemon finds.
var mute = map[string]string{
	"send_template_done": "stage template: start fork server", "receive_order": "stage cell: make", "send_cell_made": "stage cell: make",
	"send_ready": "stage cell: make ready", "send_ended": "stage cell: read its account", "send_strays": "stage cell: read its account",
	"send_layer_shown": "stage cell: show the build", "leave_mounts": "stage cell: show the build",
}

// mentions is what a Result says of a step that failed.
func mentions(s cell.Step, template bool) []string {
	if m := mute[s.String()]; m != "" {
		return []string{m}
	}
	stage := s.Stage()
	if template && stage == cell.StageMount {
		stage = cell.StageTemplate
	}
	return []string{"stage " + stage.String() + ": ", s.String(), injected.Error()}
}

// showSteps are those of showing files; their other steps are those of a layer.
var showSteps = map[string]bool{"decode_paths": true, "chdir_places": true, "take_file_ids": true, "make_place_parent": true, "make_place": true, "move_file": true}

// terminalSteps are those of a job with a terminal, and of a signal that is sent to it.
var terminalSteps = map[string]bool{"terminal_setsid": true, "take_terminal": true, "receive_signal": true, "job_setpgid": true, "foreground": true}

// viewSteps are those of a job that is inspected.
var viewSteps = map[string]bool{"lift_view": true, "tell_view": true, "await_viewed": true}

// inspected is looked at before its exec.
var inspected = shape{OK, func() *Job {
	j := shell("echo started")
	j.Inspect = true
	return j
}}

// Every step of the child side, each time that it is tried: of the root's
// template, of a cell, and of the job's process. None may go unseen.
func TestEveryStepOfTheCellFailsClosed(t *testing.T) {
	hits, total := map[cell.Step]int{}, 0
	for name, c := range map[string]struct {
		template bool
		shape    shape
	}{"template": {true, shapes[0]}, "cell": {false, shapes[0]}, "writable template": {true, writable}, "writable cell": {false, writable},
		"cell of a test": {false, suiteShape}, "cell with files": {false, shownShape(t)}, "cell with a terminal": {false, spoken}, "cell that is inspected": {false, inspected}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for step := cell.Step(1); step < cell.Steps(); step++ {
				mounts := step.Stage() == cell.StageMount
				home := step.Stage() == cell.StageNetwork && strings.HasSuffix(step.String(), "_home") || step.String() == "open_own_mounts"
				layer := step.Stage() == cell.StageLayer && !home || step.String() == "send_layer_shown"
				files := showSteps[step.String()]
				if terminalSteps[step.String()] != (c.shape.job().Interactive != nil) {
					continue // all else is tried by the others
				}
				if viewSteps[step.String()] != c.shape.job().Inspect {
					continue // likewise
				}
				if (layer && !files) != (len(c.shape.job().Tests) > 0) || files != (c.shape.job().Keep != nil) {
					continue // only a test has one, and all else is tried by the others
				}
				if !mounts && (c.shape.job().WritableRoot || c.template && step.Stage() != cell.StageProtocol && !home) {
					continue // as with the other root; and not the template's
				}
				t.Run(step.String(), func(t *testing.T) {
					if b.retire(t); !c.template { // with a fork server that is there
						b.start(t, c.shape)
					}
					late := step.Stage() == cell.StageEnd || step.String() == "capset_running"
					hits[step] += b.each(t, c.shape, late, func(try int) {
						if step.Stage() == cell.StageNetwork && step.String() != "join_network" {
							b.pool.networks.drop() // so that one has to be made
						}
						cell.Arm(cell.Fault{Step: step, Template: c.template, Errno: injected, Try: try})
					}, mentions(step, c.template)...)
				})
			}
		})
	}
	for step := cell.Step(1); step < cell.Steps(); step++ {
		if total += hits[step]; hits[step] == 0 && !(step.String() == "enter_cgroup" && isV2(t)) {
			t.Errorf("%s has never been tried: it needs a job that comes there", step)
		}
	}
	t.Logf("%d failures of %d steps", total, cell.Steps()-1)
}

// retire ends every fork server, as if there had been no job yet.
func (b *bench) retire(t *testing.T) {
	t.Helper()
	cell.Arm(cell.Fault{})
	b.pool.mu.Lock()
	for name, k := range b.pool.kinds {
		b.pool.retire(k)
		delete(b.pool.kinds, name)
	}
	b.pool.order = nil
	b.pool.mu.Unlock()
	b.before = b.empty
	b.clean(t)
}

// start runs a first job, so that there is a fork server.
func (b *bench) start(t *testing.T, s shape) {
	t.Helper()
	if b.fails(t, s, false) {
		t.Fatal("a job fails, and nothing was to fail")
	}
	b.before = b.holds(t)
}

func isV2(t *testing.T) bool {
	l := newLab(t)
	return l.cgroups.Name() == "cgroup-v2"
}

// The daemon's own steps towards the child side, each time they are tried.
func TestEveryPointOfTheProtocolFailsClosed(t *testing.T) {
	b := newBench(t)
	for i, name := range cell.Points() {
		point, late := i+1, name == "receive end" || name == "kill"
		t.Run(name, func(t *testing.T) {
			hits := 0
			for i, s := range append(slices.Clone(shapes), shownShape(t), sharedShape(t)) {
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					b.retire(t)
					cell.Arm(cell.Fault{Point: point, Errno: injected, Try: 1})
					if b.fails(t, s, late, "stage ", injected.Error()) {
						hits++
					}
					cell.Arm(cell.Fault{})
					b.start(t, s)
					hits += b.each(t, s, late, func(try int) {
						cell.Arm(cell.Fault{Point: point, Errno: injected, Try: try})
					}, "stage ", injected.Error())
				})
			}
			if hits == 0 {
				t.Error("never tried")
			}
		})
	}
}

// lateSteps come when the program has been started.
var lateSteps = map[step]bool{stepWatchCPU: true, stepKill: true, stepAwait: true, stepWaitEmpty: true, stepUsage: true,
	stepOpenWork: true, stepListOutputs: true, stepOpenOutput: true, stepStatOutput: true, stepReadOutput: true, stepKeepOutput: true, stepReadTree: true, stepKeepTree: true, stepPipes: true, stepRelay: true}

// Every step of the runner.
func TestEveryStepOfTheRunnerFailsClosed(t *testing.T) {
	b := newBench(t)
	for s := range stepCount {
		if s == stepRelease {
			continue // below
		}
		t.Run(steps[s].stage+" "+steps[s].op, func(t *testing.T) {
			hits := 0
			tried := shapes
			switch s {
			case stepPipes:
				tried = []shape{talking, carried}
			case stepRelay:
				tried = []shape{carried}
			case stepReadKept:
				tried = append(slices.Clone(shapes), shownShape(t))
			case stepShow, stepLookShown, stepKeepOutput:
				tried = []shape{shownShape(t)}
			case stepOpenInput:
				tried = []shape{fed}
			case stepOpenTerminal:
				tried = []shape{spoken}
			case stepView, stepSeeView:
				tried = []shape{inspected}
			case stepPin:
				tried = []shape{pinned, carried}
			case stepNoise:
				tried = []shape{pinned}
			}
			for _, shape := range tried {
				b.retire(t)
				for _, first := range []bool{true, false} {
					arm(s, injected)
					// Of several programs others may have been started, and have been ended.
					late := lateSteps[s] || shape.job().ensemble()
					failed := b.fails(t, shape, late, "stage "+steps[s].stage+": "+steps[s].op, injected.Error())
					if unused := disarm(); unused == failed {
						t.Errorf("job failed: %t, step failed: %t", failed, !unused)
					}
					if failed {
						hits++
					}
					if first {
						b.start(t, shape)
					} else {
						b.clean(t)
					}
				}
			}
			if hits == 0 {
				t.Error("never tried")
			}
		})
	}
}

// What cannot be taken down takes nothing from the job's Result. It is counted and
// told, and its ids are not given to another.
func TestReleaseFailsClosed(t *testing.T) {
	b := newBench(t)
	arm(stepRelease, injected)
	if b.fails(t, shapes[0], true) {
		t.Error("the job fails, and it has been run")
	}
	if n := b.Stats().Networks; n != 0 {
		t.Errorf("%d networks are kept of a cell of which something is left", n)
	}
	if s := b.Stats(); s.Leaks != 1 || int(s.FreeIDs) != b.before.ids-1 {
		t.Errorf("%+v: one leak and one pair of ids that is kept are wanted, of %d", s, b.before.ids)
	}
	if log := b.log.String(); !strings.Contains(log, "msg=leak") || !strings.Contains(log, injected.Error()) {
		t.Errorf("the log does not tell of a leak:\n%s", log)
	}
	b.pool.leaks.Store(0) // or the lab would blame this test
}

// A filler that fails while it warms cells spoils nothing: jobs are told, and go
// on as soon as it is over.
func TestWarmingFailsClosed(t *testing.T) {
	const warm = 2
	b := newBench(t, func(c *Config) { c.Warm = warm })
	setgroups := cell.Step(0)
	for s := range cell.Steps() {
		if s.String() == "setgroups" {
			setgroups = s
		}
	}
	cell.Arm(cell.Fault{Step: setgroups, Errno: injected, Try: 1})
	for range 3 {
		if !b.fails(t, shapes[0], false, mentions(setgroups, false)...) {
			t.Error("a cell that cannot be made ran a job")
		}
	}
	cell.Arm(cell.Fault{})
	if b.fails(t, shapes[0], false) {
		t.Error("it is over, and a job fails")
	}
	b.settled(t, b.before.ids, warm)
}
