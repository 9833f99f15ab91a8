package sandbox

import (
	"context"
	"fmt"
	"os"
	"slices"

	"cordon/policy"
	"cordon/sandbox/cell"
)

// part is a further program of a job, built.
type part struct {
	*Program
	grant   *policy.Grant
	build   *built   // nil: another's
	layer   *os.File // what that has left
	command []string
	env     []string
	entries []cell.Entry // links to what is in the layer
}

func (p *part) args() []string { return slices.Concat(p.command, p.Args) }

// makeParts builds the further programs of a job. One that could not be built the result
// tells, and then it has a verdict.
func (t *suite) makeParts(ctx context.Context, result *Result) error {
	j := t.spec.Job
	t.parts = make([]part, len(j.Programs))
	for i := range t.parts {
		p := &t.parts[i]
		p.Program, p.grant = &j.Programs[i], t.spec.Programs[i]
		p.command, p.env = p.Command, mergeEnv(t.spec.Job.baseEnv(), p.RunEnv)
		if p.SameAs != "" {
			continue
		}
		var err error
		if p.build, err = t.runner.build(ctx, t.kind, &buildSpec{args: p.Build, env: mergeEnv(t.spec.Job.baseEnv(), p.BuildEnv), files: p.Files,
			limits: p.grant.BuildLimits, fresh: j.BuildFresh, tenant: j.Tenant}, p.grant); err != nil {
			return err
		}
		p.layer, p.entries = p.build.Dir, links(p.build.Names)
		if out := p.build.Account.outcome; out != nil && out.Verdict != OK {
			result.Build, result.BuildCached, result.Step = &out.Step, p.build.Cached, out.Step
			result.Verdict, result.Message = builtVerdict(out.Verdict), fmt.Sprintf("the build of %s: %s", p.Name, out.Message)
			return nil
		}
	}
	for i := range t.parts {
		p := &t.parts[i]
		t.copied(p)
		if overfull(p.entries, &p.grant.Limits) {
			result.leftTooMuch(p.grant.Limits)
			result.Message = p.Name + ": " + result.Message
			return nil
		}
	}
	return nil
}

// copied gives a copy what the program has that it is the same as.
func (t *suite) copied(p *part) {
	command, runEnv := t.spec.Job.Command, t.spec.Job.RunEnv
	switch p.SameAs {
	case "":
		return
	case MainProgram:
		p.layer, p.entries = t.layer, t.links
	default:
		of := &t.parts[t.spec.Job.program(p.SameAs)]
		p.layer, p.entries = of.layer, of.entries
		command, runEnv = of.Command, of.RunEnv
	}
	if p.Command == nil {
		p.command = command
	}
	if p.RunEnv != nil {
		runEnv = p.RunEnv
	}
	p.env = mergeEnv(t.spec.Job.baseEnv(), runEnv)
	if p.SameAs == MainProgram {
		p.env = mergeEnv(p.env, t.spec.Job.Env)
	}
}

// releaseParts gives their builds back.
func (t *suite) releaseParts() {
	for i := range t.parts {
		if t.parts[i].build != nil {
			t.parts[i].build.Release()
		}
	}
}
