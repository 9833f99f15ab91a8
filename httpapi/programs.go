package httpapi

import (
	"fmt"
	"slices"

	"cordon/languages"
	"cordon/policy"
	"cordon/sandbox"
)

// maxTranscript is what one may hold.
const maxTranscript = 1 << 20

// programs fills in what a job has besides its own program: further ones and the pipes
// between them. Whether they fit the sandbox says, with the field at fault.
func (s *Server) programs(j *sandbox.Job, r *RunRequest, k *kept) *Problem {
	switch j.Cores = sandbox.Cores(r.Cores); j.Cores {
	case "", sandbox.Together, sandbox.Apart:
	default:
		return problem(CodeInvalidField, "cores", fmt.Sprintf("%q given, allowed is %s or %s", clip(r.Cores), sandbox.Together, sandbox.Apart))
	}
	if r.Transcript < 0 || r.Transcript > maxTranscript {
		return problem(CodeInvalidField, "transcript_bytes", fmt.Sprintf("%d given, allowed is 0 to %d", r.Transcript, maxTranscript))
	}
	if all := r.Transcript * int64(max(len(r.Tests), 1)); all > sandbox.MaxKept {
		return problem(CodeInvalidField, "transcript_bytes", fmt.Sprintf("%d given, allowed for %d tests is 0 to %d: the result holds %d bytes of all transcripts at most",
			r.Transcript, len(r.Tests), sandbox.MaxKept/len(r.Tests), sandbox.MaxKept))
	}
	j.TranscriptBytes = r.Transcript
	if n := len(r.Programs); n >= sandbox.MaxPrograms { // before anything is made of them
		return problem(CodeInvalidField, "programs", fmt.Sprintf("%d given, allowed is 0 to %d: with the job's own there are %d at most", n, sandbox.MaxPrograms-1, sandbox.MaxPrograms))
	}
	for _, at := range []struct {
		field string
		given bool
	}{{"programs", r.Programs != nil && len(r.Programs) == 0}, {"pipes", r.Pipes != nil && len(r.Pipes) == 0}} {
		if at.given {
			return problem(CodeInvalidField, at.field, "empty; give one, or leave it out")
		}
	}
	if p := pipes(j, r); p != nil {
		return p
	}
	for i := range r.Programs {
		at := fmt.Sprintf("programs[%d].", i)
		p, wrong := s.program(j, &r.Programs[i], k, at)
		if wrong != nil {
			return wrong
		}
		j.Programs = append(j.Programs, *p)
	}
	return nil
}

func pipes(j *sandbox.Job, r *RunRequest) *Problem {
	for i, p := range r.Pipes {
		from, err := sandbox.ParseEnd(p.From, 1)
		if err != nil {
			return problem(CodeInvalidField, fmt.Sprintf("pipes[%d].from", i), err.Error())
		}
		to, err := sandbox.ParseEnd(p.To, 0)
		if err != nil {
			return problem(CodeInvalidField, fmt.Sprintf("pipes[%d].to", i), err.Error())
		}
		j.Pipes = append(j.Pipes, sandbox.Pipe{From: from, To: to})
	}
	return nil
}

// program turns the request's into a job's, as job does for its own.
func (s *Server) program(j *sandbox.Job, r *ProgramRequest, k *kept, at string) (*sandbox.Program, *Problem) {
	p := &sandbox.Program{Name: r.Name, SameAs: r.SameAs, Command: r.Command, Args: r.Args, Limits: r.Limits}
	if err := sandbox.CheckName(r.Name); err != nil {
		return nil, problem(CodeInvalidField, at+"name", err.Error())
	}
	if r.Build != nil {
		p.Build, p.BuildLimits = r.Build.Command, r.Build.Limits
	}
	if r.SameAs != "" && (r.Language != "" || r.Source != nil || r.Build != nil || r.Files != nil) {
		return nil, problem(CodeInvalidField, at+"same_as", "language, source, files or build is given too; a copy has those of the other program")
	}
	var wrong *Problem
	if p.Stdin, wrong = k.stdin(r.Stdin, r.StdinBase64, r.StdinSHA256, at); wrong != nil {
		return nil, wrong
	}
	if p.Files, wrong = k.list(r.Files, at); wrong != nil {
		return nil, wrong
	}
	if r.Language != "" || r.Source != nil {
		plan, wrong := s.planned(j, r.Language, r.Source, &p.Files, at)
		if wrong != nil {
			return nil, wrong
		}
		if len(p.Build) == 0 {
			p.Build = plan.Build
		}
		if len(p.Command) == 0 {
			p.Command = plan.Run
		}
	}
	if r.Command != nil && len(r.Command) == 0 {
		return nil, problem(CodeInvalidField, at+"command", "empty: give the program and its arguments, or leave it out")
	}
	if r.Build != nil && len(p.Build) == 0 {
		return nil, problem(CodeInvalidField, at+"build.command", "empty: give the program and its arguments, or leave build out")
	}
	for _, list := range []struct {
		words   []string
		at      string
		program bool
	}{{p.Command, "command", true}, {p.Args, "args", false}, {p.Build, "build.command", true}} {
		if wrong := words(list.words, at+list.at, list.program); wrong != nil {
			return nil, wrong
		}
	}
	return p, nil
}

// fillPrograms gives the further programs what their languages make of the limits that they
// get. A copy has the language of the program that it is the same as.
func (s *Server) fillPrograms(j *sandbox.Job, r *RunRequest) *Problem {
	for i := range j.Programs {
		p, from := &j.Programs[i], &r.Programs[i]
		grant, wrong := s.granted(j, j.ProgramRequest(i), fmt.Sprintf("programs[%d]", i))
		if wrong != nil {
			return wrong
		}
		language, own := from.Language, true
		if from.SameAs != "" {
			language, own = r.Language, len(r.Command) == 0
			if k := slices.IndexFunc(r.Programs, func(p ProgramRequest) bool { return p.Name == from.SameAs }); k >= 0 {
				language, own = r.Programs[k].Language, len(r.Programs[k].Command) == 0
			}
		}
		if language == "" {
			continue
		}
		plan, err := s.config.Languages.PlanOn(language, s.rootOf(j))
		if err != nil {
			return problem(CodeInternal, "", err.Error()) // it was found before
		}
		fillProgram(p, from, &plan, grant, own && len(from.Command) == 0)
	}
	return nil
}

func fillProgram(p *sandbox.Program, r *ProgramRequest, plan *languages.Plan, g *policy.Grant, command bool) {
	p.RunEnv = plan.RunEnv(g.Limits)
	if command {
		p.Command = plan.RunArgs(g.Limits)
	}
	if r.SameAs != "" {
		return
	}
	p.BuildEnv = plan.BuildEnv(g.BuildLimits)
	if r.Build == nil || len(r.Build.Command) == 0 {
		p.Build = plan.BuildArgs(g.BuildLimits)
	}
}
