package httpapi

import (
	"fmt"
	"time"

	"cordon/sandbox"
)

// InteractiveRequest asks for an input that a client writes while the program runs.
type InteractiveRequest struct {
	TTY       bool   `json:"tty,omitempty" doc:"Standard input, output and error are a terminal; else the input is a pipe"`
	Rows      *int64 `json:"rows,omitempty" doc:"Of the terminal; 24 when absent" minimum:"1" maximum:"4096"`
	Cols      *int64 `json:"cols,omitempty" doc:"Of the terminal; 80 when absent" minimum:"1" maximum:"4096"`
	StdinIdle *int64 `json:"stdin_idle_ms,omitempty" doc:"When nothing was written for so long the input ends, and at a terminal the job gets HUP; without it only wall_ms ends the waiting" minimum:"1"`
}

// queuedJob is job for what comes by the queue.
func (s *Server) queuedJob(r *JobRequest, k *kept) (*sandbox.Job, *Problem) {
	if p := checkInteractive(r); p != nil {
		return nil, p
	}
	return s.job(&r.RunRequest, k, func(j *sandbox.Job) {
		if i := r.Interactive; i != nil {
			j.Interactive = &sandbox.Interactive{Terminal: i.TTY,
				Size: sandbox.WindowSize{Rows: uint16(orElse(i.Rows, 24)), Cols: uint16(orElse(i.Cols, 80))}}
		}
	})
}

func orElse(v *int64, otherwise int64) int64 {
	if v == nil {
		return otherwise
	}
	return *v
}

// checkInteractive holds what needs no policy. What does not go together with an input
// that is written while the program runs is the job's own to know.
func checkInteractive(r *JobRequest) *Problem {
	i := r.Interactive
	if i == nil {
		return nil
	}
	for name, side := range map[string]*int64{"rows": i.Rows, "cols": i.Cols} {
		if side == nil {
			continue
		}
		if !i.TTY {
			return problem(CodeInvalidField, "interactive."+name, "given without tty, and a pipe has no size; give tty, or leave it out")
		}
		if *side < 1 || *side > maxSide {
			return problem(CodeInvalidField, "interactive."+name, fmt.Sprintf("%d given, allowed is 1 to %d", *side, maxSide))
		}
	}
	if ms := i.StdinIdle; ms != nil && (*ms < 1 || *ms > maxIdle) {
		return problem(CodeInvalidField, "interactive.stdin_idle_ms", fmt.Sprintf("%d given, allowed is 1 to %d", *ms, maxIdle))
	}
	if r.RetrySafe {
		return problem(CodeInvalidField, "retry_safe", "given together with interactive; what was typed is not kept, so that a second run could not have it")
	}
	return nil
}

// maxIdle is the longest wall time that any policy can allow, in milliseconds.
const maxIdle = 604800000

func (i *InteractiveRequest) idle() time.Duration {
	if i == nil || i.StdinIdle == nil {
		return 0
	}
	return time.Duration(*i.StdinIdle) * time.Millisecond
}
