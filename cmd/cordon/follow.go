package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"cordon/client"
	"cordon/sandbox"
)

// follower passes on what a job prints, and shows how far it is.
type follower struct {
	out, err io.Writer // out nil: the output is not wanted
	progress *jobProgress
	attempt  int64
	enough   func(*client.Event) bool // ends the following before the job's end; nil: nothing does
}

// follow gives the job when it has ended, or nil when there was enough.
func (f *follower) follow(ctx context.Context, c *client.Client, id string) (*client.JobStatus, error) {
	stop := f.progress.start()
	defer stop()
	for e, err := range c.Events(ctx, id) {
		if err != nil {
			return nil, err
		}
		if err := f.take(e); err != nil {
			return nil, err
		}
		if e.Type == client.EventResult {
			return e.Job, nil
		}
		if f.enough != nil && f.enough(e) {
			return nil, nil
		}
	}
	return c.Job(ctx, id)
}

func (f *follower) take(e *client.Event) error {
	switch {
	case e.Type == client.EventState:
		if e.Job.Attempts > f.attempt && f.attempt > 0 {
			if err := f.progress.print(f.err, []byte("cordon: the service ended while the job ran; it is run again, and prints anew\n")); err != nil {
				return err
			}
		}
		f.attempt = e.Job.Attempts
		f.progress.state(e.Job)
	case e.Usage != nil:
		f.progress.used(e.Usage)
	case e.Output != nil && f.out != nil:
		to := f.out
		if e.Type == client.EventStderr {
			to = f.err
		}
		return f.progress.print(to, e.Output.Data)
	}
	return nil
}

// summaryOfJob is the one line about a job that has ended.
func summaryOfJob(j *client.JobStatus) string {
	switch {
	case j.State != client.StateDone && j.Problem != nil:
		return fmt.Sprintf("cordon: %s · %s", j.State, printable(j.Problem.Error()))
	case j.Result == nil:
		return "cordon: " + string(j.State)
	}
	r := j.Result
	line := summaryOf(string(r.Verdict), r.Usage.CPUNs, r.Usage.MemoryPeakBytes, r.Usage.WallNs, printable(r.Message))
	if j.State != client.StateDone {
		line = fmt.Sprintf("cordon: %s · %s", j.State, strings.TrimPrefix(line, "cordon: "))
	}
	for _, d := range r.Events.DeniedSyscalls {
		line += summaryOfDenied(d.Name, d.Count)
	}
	return line
}

// exitOfJob is what exitOf is of a result that is here.
func exitOfJob(j *client.JobStatus) int {
	if j.State != client.StateDone || j.Result == nil {
		return ownFailure
	}
	r := j.Result
	switch {
	case r.Verdict == client.VerdictInternalError:
		return ownFailure
	case r.Verdict == client.VerdictExecFailed && strings.HasSuffix(r.Message, "(ENOENT)"):
		return 127
	case r.Verdict == client.VerdictExecFailed:
		return 126
	case r.ExitCode != nil && *r.ExitCode != 0:
		return int(*r.ExitCode)
	case r.Signal != nil && *r.Signal != "":
		return 128 + sandbox.SignalNumber(*r.Signal)
	case r.Verdict != client.VerdictOk:
		return 128 + int(unix.SIGKILL)
	}
	return 0
}

// saveResults writes outputs as cordon run does.
func saveResults(files []client.FileResult) error {
	var all []sandbox.OutputFile
	for i := range files {
		data, err := files[i].Data()
		if err != nil {
			return fmt.Errorf("output %q: %w", files[i].Path, err)
		}
		one := sandbox.OutputFile{Path: files[i].Path, Data: data, Error: string(files[i].Error)}
		if files[i].PathBase64 != "" {
			one.Error = "its name is no text"
		}
		if files[i].SHA256 != "" {
			one.Error = "it is kept by the service, as /v1/files/" + files[i].SHA256
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil
	}
	return saveOutputs(all)
}
