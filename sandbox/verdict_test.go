package sandbox

import (
	"errors"
	"slices"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"cordon/sandbox/cell"
)

// Wait statuses as the kernel encodes them (wait(2)).
func exited(code int) syscall.WaitStatus                 { return syscall.WaitStatus(code << 8) }
func signaled(signal syscall.Signal) syscall.WaitStatus  { return syscall.WaitStatus(signal) }
func dumped(signal syscall.Signal) syscall.WaitStatus    { return syscall.WaitStatus(signal) | 0x80 }
func failed(s cell.Stage, e syscall.Errno) *cell.Failure { return &cell.Failure{Stage: s, Errno: e} }
func with(e Evidence, changes ...func(*Evidence)) *Evidence { // a copy
	for _, c := range changes {
		c(&e)
	}
	return &e
}

// well is the evidence of a program that ended well.
var well = Evidence{Ended: true, CPUNanos: 5, CPULimitNanos: 10}

// signs are what makes Decide say each verdict, in order of precedence. Each is
// put on top of any of those behind it.
var signs = []struct {
	verdict Verdict
	name    string
	show    func(*Evidence)
}{
	{InternalError, "failure of ours", func(e *Evidence) { e.Internal = errors.New("x") }},
	{InternalError, "set-up failed", func(e *Evidence) { e.Failure, e.Ended = failed(cell.StageRlimit, syscall.EPERM), false }},
	{Interrupted, "service stops", func(e *Evidence) { e.Killed = KilledInterrupted }},
	{Cancelled, "caller gone", func(e *Evidence) { e.Killed = KilledCancelled }},
	{ExecFailed, "exec refused", func(e *Evidence) { e.Failure, e.Ended = failed(cell.StageExec, syscall.ENOENT), false }},
	{MemoryLimit, "oom_kill rose", func(e *Evidence) { e.OOMKills = 1 }},
	{CPULimit, "timer on CPU time", func(e *Evidence) { e.Killed = KilledCPU }},
	{CPULimit, "group CPU", func(e *Evidence) { e.CPUNanos = e.CPULimitNanos + 1 }},
	{WallLimit, "wall timer", func(e *Evidence) { e.Killed = KilledWall }},
	{OutputLimit, "stdout", func(e *Evidence) { e.StdoutOver = true }},
	{OutputLimit, "stderr", func(e *Evidence) { e.StderrOver = true }},
	{SyscallDenied, "fatal call", func(e *Evidence) { e.Killed, e.FatalSyscall = KilledSyscall, "bpf" }},
	{InternalError, "no end known", func(e *Evidence) { e.Ended = false }},
	{Signaled, "SIGKILL", func(e *Evidence) { e.Status = signaled(syscall.SIGKILL) }},
	{Signaled, "SIGSEGV with core", func(e *Evidence) { e.Status = dumped(syscall.SIGSEGV) }},
	{Nonzero, "exit 1", func(e *Evidence) { e.Status = exited(1) }},
	{Nonzero, "exit 255", func(e *Evidence) { e.Status = exited(255) }},
	{OK, "ended well", func(*Evidence) {}},
}

var limitsNamed = Limited{"./main", 1 << 20, 1000, 10}

// Each sign alone, and each over every one behind it: the first wins.
func TestPrecedence(t *testing.T) {
	for i, first := range signs {
		for _, second := range signs[i:] {
			e := with(well, second.show, first.show)
			if got := Decide(e); got != first.verdict {
				t.Errorf("%s with %s: %s, want %s", first.name, second.name, got, first.verdict)
			}
			if text := Explain(Decide(e), e, limitsNamed); (text == "") != (Decide(e) == OK) {
				t.Errorf("%s with %s: explained as %q", first.name, second.name, text)
			}
		}
	}
}

func TestDecideClose(t *testing.T) {
	for name, test := range map[string]struct {
		evidence *Evidence
		want     Verdict
	}{
		// Exactly the limit is within it.
		"CPU at its limit": {with(well, func(e *Evidence) { e.CPUNanos = e.CPULimitNanos }), OK},
		// Numbers that shells and judges use for signals and limits say nothing.
		"exit 137": {with(well, func(e *Evidence) { e.Status = exited(137) }), Nonzero},
		"exit 152": {with(well, func(e *Evidence) { e.Status = exited(152) }), Nonzero},
		"exit 127": {with(well, func(e *Evidence) { e.Status = exited(127) }), Nonzero},
		"SIGXCPU":  {with(well, func(e *Evidence) { e.Status = signaled(syscall.SIGXCPU) }), Signaled},
		"SIGXFSZ":  {with(well, func(e *Evidence) { e.Status = signaled(syscall.SIGXFSZ) }), Signaled},
		"SIGSYS":   {with(well, func(e *Evidence) { e.Status = signaled(syscall.SIGSYS) }), Signaled},
		// The OOM notification is no OOM kill.
		"killed for an OOM that was none": {with(well, func(e *Evidence) { e.Killed, e.Ended = KilledOOM, false }), InternalError},
		// The main program's end stands, whatever became of its strays.
		"strays that would not end": {with(well, func(e *Evidence) { e.Killed = KilledStuck }), OK},
		"strays after a crash":      {with(well, func(e *Evidence) { e.Killed, e.Status = KilledStuck, signaled(syscall.SIGSEGV) }), Signaled},
		// The kernel took the process while its files were placed: the limit was too
		// small for the program.
		"OOM before the exec": {with(well, func(e *Evidence) { e.Failure, e.Ended, e.OOMKills = failed(cell.StageFiles, 0), false, 1 }), MemoryLimit},
		// A step that was refused is ours, OOM or not.
		"refused step and OOM":        {with(well, func(e *Evidence) { e.Failure, e.Ended, e.OOMKills = failed(cell.StageCaps, syscall.EPERM), false, 1 }), InternalError},
		"killed step without OOM":     {with(well, func(e *Evidence) { e.Failure, e.Ended = failed(cell.StageFiles, 0), false }), InternalError},
		"gone and nobody knows how":   {&Evidence{}, InternalError},
		"exec refused for memory":     {with(well, func(e *Evidence) { e.Failure, e.Ended, e.OOMKills = failed(cell.StageExec, syscall.ENOMEM), false, 1 }), ExecFailed},
		"cancelled before it started": {&Evidence{Killed: KilledCancelled}, Cancelled},
		"all at once":                 {with(well, func(e *Evidence) { e.OOMKills, e.Killed, e.Status = 3, KilledCPU, signaled(syscall.SIGKILL) }), MemoryLimit},
	} {
		if got := Decide(test.evidence); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// Explanations name what a person needs to go on.
func TestExplain(t *testing.T) {
	for want, e := range map[string]*Evidence{
		"x": with(well, func(e *Evidence) { e.Internal = errors.New("x") }),
		"cell stage rlimit: operation not permitted":                               with(well, func(e *Evidence) { e.Failure = failed(cell.StageRlimit, syscall.EPERM) }),
		"the cell ended without telling how its program ended":                     {},
		"the service stopped while the program ran":                                {Killed: KilledInterrupted},
		"stopped because the caller went away or asked for it":                     {Killed: KilledCancelled},
		`the kernel refused to start "./main": no such file or directory (ENOENT)`: {Failure: failed(cell.StageExec, syscall.ENOENT)},
		"out of memory: the limit is 1048576 bytes (memory_bytes)":                 with(well, func(e *Evidence) { e.OOMKills = 1 }),
		"used 2001 ms of CPU time, the limit is 2000 ms (cpu_ms)":                  {CPUNanos: 2001e6, CPULimitNanos: 2000e6, Ended: true},
		"still running after the wall limit of 1000 ms (wall_ms)":                  {Killed: KilledWall},
		"wrote more than 10 bytes to one stream (output_bytes)":                    {StdoutOver: true},
		"ended for the system call bpf":                                            {Killed: KilledSyscall, FatalSyscall: "bpf"},
		"ended by SIGSEGV":                                                         {Ended: true, Status: signaled(syscall.SIGSEGV)},
		"exit code 3":                                                              {Ended: true, Status: exited(3)},
		"":                                                                         &well,
	} {
		if got := Explain(Decide(e), e, limitsNamed); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestVerdictsAreClosed(t *testing.T) {
	all := Verdicts()
	for i, v := range all {
		if v == "" || slices.Contains(all[:i], v) {
			t.Errorf("%q is empty or stands twice", v)
		}
	}
	if all[len(all)-1] != OK {
		t.Error("ok must be the last: what nothing else is")
	}
	for i, sign := range signs { // the table goes in the order of the list
		if sign.name == "no end known" {
			continue // internal_error again, where nothing is known of the end
		}
		for _, later := range signs[i:] {
			if later.name != "no end known" && slices.Index(all, later.verdict) < slices.Index(all, sign.verdict) {
				t.Errorf("%s stands behind %s", sign.verdict, later.verdict)
			}
		}
	}
	for _, v := range []Verdict{BuildFailed, WrongAnswer} { // of a whole job, not of a step
		if slices.ContainsFunc(signs, func(s struct {
			verdict Verdict
			name    string
			show    func(*Evidence)
		}) bool {
			return s.verdict == v
		}) {
			t.Errorf("a step has the verdict %s", v)
		}
	}
}

func TestBuiltVerdict(t *testing.T) {
	for _, v := range Verdicts() {
		want := BuildFailed
		switch v {
		case InternalError, Interrupted, Cancelled:
			want = v // nothing about the program
		}
		if got := builtVerdict(v); got != want {
			t.Errorf("a build with %s: %s, want %s", v, got, want)
		}
	}
}

// anyEvidence draws what may and what can hardly come.
func anyEvidence(t *rapid.T) *Evidence {
	e := &Evidence{
		Ended:  rapid.Bool().Draw(t, "ended"),
		Status: syscall.WaitStatus(rapid.OneOf(rapid.Uint32(), rapid.SampledFrom([]uint32{0, 9, 137 << 8, 152 << 8, 1 << 8, 11 | 0x80})).Draw(t, "status")),
		Killed: KillReason(rapid.IntRange(int(NotKilled), int(KilledStuck)).Draw(t, "killed")), OOMKills: rapid.Int64Range(0, 3).Draw(t, "oom"),
		CPUNanos: rapid.Int64Range(0, 12).Draw(t, "cpu"), CPULimitNanos: rapid.Int64Range(0, 12).Draw(t, "limit"),
		StdoutOver: rapid.Bool().Draw(t, "stdout"), StderrOver: rapid.Bool().Draw(t, "stderr"),
		FatalSyscall: rapid.SampledFrom([]string{"", "bpf"}).Draw(t, "fatal"),
	}
	if rapid.Bool().Draw(t, "internal") {
		e.Internal = errors.New("x")
	}
	if rapid.Bool().Draw(t, "failure") {
		e.Failure = failed(cell.Stage(rapid.IntRange(int(cell.StageProtocol), int(cell.StageExec)).Draw(t, "stage")), syscall.Errno(rapid.IntRange(0, 133).Draw(t, "errno")))
	}
	return e
}

// Decide has an answer for everything, ok only for a program that ended by itself
// with 0 and against which nothing was observed, and a limit only on its own
// evidence.
func TestDecideProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvidence(t)
		v := Decide(e)
		if !slices.Contains(Verdicts(), v) || v == BuildFailed || v == WrongAnswer {
			t.Fatalf("%q for %+v", v, e)
		}
		own := map[Verdict]bool{
			Interrupted: e.Killed == KilledInterrupted, Cancelled: e.Killed == KilledCancelled,
			ExecFailed: e.Failure != nil && e.Failure.Stage == cell.StageExec, MemoryLimit: e.OOMKills > 0,
			CPULimit: e.Killed == KilledCPU || e.CPUNanos > e.CPULimitNanos, WallLimit: e.Killed == KilledWall,
			OutputLimit: e.StdoutOver || e.StderrOver, SyscallDenied: e.Killed == KilledSyscall,
			Signaled: e.Ended && e.Status.Signaled(), Nonzero: e.Ended && e.Status.ExitStatus() != 0,
			InternalError: e.Internal != nil || e.Failure != nil || !e.Ended,
		}
		if sign, ok := own[v]; ok && !sign {
			t.Fatalf("%s without its evidence: %+v", v, e)
		}
		if v == OK {
			for w, sign := range own {
				if sign {
					t.Fatalf("ok with the evidence of %s: %+v", w, e)
				}
			}
		}
		if text := Explain(v, e, limitsNamed); (text == "") != (v == OK) {
			t.Fatalf("%s is explained as %q: %+v", v, text, e)
		}
		// The number of a signal or an exit decides nothing but signaled and nonzero.
		for _, status := range []syscall.WaitStatus{signaled(9), exited(137), exited(152), signaled(syscall.SIGXCPU)} {
			other := with(*e, func(e *Evidence) { e.Status = status })
			w := Decide(other)
			if v != Signaled && v != Nonzero && v != OK && w != v {
				t.Fatalf("%s turns into %s by the status %#x: %+v", v, w, uint32(status), e)
			}
			if (v == Signaled || v == Nonzero || v == OK) && w != Signaled && w != Nonzero {
				t.Fatalf("%s by the status %#x alone: %+v", w, uint32(status), e)
			}
		}
	})
}
