package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/client"
	"cordon/sandbox"
)

// A job at a service ends as the same job without one does.
func TestExitOfJob(t *testing.T) {
	for _, v := range sandbox.Verdicts() {
		for _, code := range []*int{nil, new(0), new(3)} {
			for _, signal := range []string{"", "SIGSEGV", "SIG40"} {
				for _, errno := range []unix.Errno{unix.ENOENT, unix.EACCES} {
					here := &sandbox.Result{}
					here.Verdict, here.ExitCode, here.Signal, here.ExecErrno = v, code, signal, errno
					there := &client.RunResult{Verdict: client.Verdict(v), Message: fmt.Sprintf("the kernel refused to start %q: x (%s)", "a", unix.ErrnoName(errno))}
					if code != nil {
						there.ExitCode = new(int64(*code))
					}
					if signal != "" {
						there.Signal = &signal
					}
					if got, want := exitOfJob(&client.JobStatus{State: client.StateDone, Result: there}), exitOf(here); got != want {
						t.Errorf("%s, %v, %q, %v: %d, want %d", v, code, signal, errno, got, want)
					}
				}
			}
		}
	}
	for _, s := range []client.State{client.StateFailed, client.StateCancelled, client.StateExpired, client.StateInterrupted} {
		j := &client.JobStatus{State: s, Result: &client.RunResult{Verdict: client.VerdictOk, ExitCode: new(int64(0))}}
		if got := exitOfJob(j); got != 125 {
			t.Errorf("%s: %d", s, got)
		}
		if line := summaryOfJob(j); !strings.HasPrefix(line, "cordon: "+string(s)+" · ok · ") {
			t.Errorf("%s", line)
		}
	}
	if line := summaryOfJob(&client.JobStatus{State: client.StateFailed, Problem: &client.Problem{Code: "unknown_file", Path: "files[0].sha256", Detail: "gone\x1b[2J"}}); line != "cordon: failed · unknown_file: files[0].sha256: gone [2J" {
		t.Errorf("%s", line)
	}
}

// The line is taken away before anything else is printed, and never wraps.
func TestJobProgress(t *testing.T) {
	var out strings.Builder
	now := time.Unix(0, 0)
	p := &jobProgress{to: &out, columns: 40, now: func() time.Time { return now }}
	p.redraw() // there is nothing to show yet
	p.state(&client.JobStatus{State: client.StateRunning, Attempts: 2})
	now = now.Add(65 * time.Second)
	p.used(&client.UsageSample{CPUNs: 1_234_567_890, MemoryPeakBytes: 3 << 20})
	for _, text := range []string{"amid", " a line\n"} {
		if err := p.print(&out, []byte(text)); err != nil {
			t.Error(err)
		}
		p.redraw()
	}
	p.clear()
	const clear = "\r\x1b[K"
	want := clear + "running · 0s · attempt 2" + clear + "running · 1m5s · attempt 2 · cpu 1.23s " + clear + "amid a line\n" + clear + "running · 1m5s · attempt 2 · cpu 1.23s " + clear
	if out.String() != want {
		t.Errorf("%q, want\n%q", out.String(), want)
	}
	if got := newJobProgress(&out, false); got.columns != 0 {
		t.Error("a buffer is a terminal")
	}
}

// What a further attempt prints is told apart from what came before.
func TestFollowerTellsOfAttempts(t *testing.T) {
	var out, errs strings.Builder
	f := &follower{out: &out, err: &errs, progress: newJobProgress(&errs, true)}
	for _, e := range []*client.Event{
		{Type: client.EventState, Job: &client.JobStatus{State: client.StateQueued}},
		{Type: client.EventState, Job: &client.JobStatus{State: client.StateRunning, Attempts: 1}},
		{Type: client.EventStdout, Output: &client.Output{Data: []byte("one ")}},
		{Type: client.EventState, Job: &client.JobStatus{State: client.StateRunning, Attempts: 2}},
		{Type: client.EventStdout, Output: &client.Output{Data: []byte("one two")}},
		{Type: client.EventStderr, Output: &client.Output{Data: []byte("error")}},
	} {
		if err := f.take(e); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "one one two" || errs.String() != "cordon: the service ended while the job ran; it is run again, and prints anew\nerror" {
		t.Errorf("%q %q", out.String(), errs.String())
	}
}
