package httpapi

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"

	"cordon/languages"
	"cordon/policies"
	"cordon/policy"
	"cordon/sandbox"
)

// DefaultPolicy is used when a request names none.
const DefaultPolicy = "default"

// job turns a request into a job: the language fills in what the request leaves
// out, with settings that follow from the granted limits.
func (s *Server) job(r *RunRequest, k *kept, change ...func(*sandbox.Job)) (*sandbox.Job, *Problem) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, problem(CodeInternal, "", "no id could be made: "+err.Error())
	}
	j := &sandbox.Job{ID: id.String(), Tenant: k.tenant, Policy: r.Policy, Command: r.Command, Limits: r.Limits,
		Outputs: r.Outputs, WritableRoot: r.WritableRoot, RootDirs: r.RootDirs}
	if j.Policy == "" {
		j.Policy = DefaultPolicy
	}
	if p := s.mayHave(j.Tenant, j.Policy); p != nil {
		return nil, p
	}
	for _, f := range change { // what a job of the queue has besides
		f(j)
	}
	if r.Build != nil {
		j.Build, j.BuildLimits, j.BuildFresh = r.Build.Command, r.Build.Limits, r.Build.Fresh
	}
	if p := k.input(j, r); p != nil {
		return nil, p
	}
	if p := s.findImage(j, r); p != nil {
		return nil, p
	}
	var plan *languages.Plan
	if r.Language != "" || r.Source != nil {
		var p *Problem
		if plan, p = s.plan(j, r); p != nil {
			return nil, p
		}
	}
	if p := s.useImage(j, r); p != nil {
		return nil, p
	}
	if p := runnable(j, r); p != nil {
		return nil, p
	}
	if p := s.tests(j, r, k); p != nil {
		return nil, p
	}
	if p := views(j, r); p != nil {
		return nil, p
	}
	if err := j.Check(); err != nil {
		return nil, refusal(err)
	}
	grant, p := s.granted(j, j.Request(), "")
	if p != nil {
		return j, p
	}
	if p := s.fillPrograms(j, r); p != nil || plan == nil {
		return j, p
	}
	fill(j, r, plan, grant)
	return j, s.fillTests(j, r, plan)
}

// granted asks the job's policy. at is the part of the request that q is about, "" for
// the job itself.
func (s *Server) granted(j *sandbox.Job, q policy.Request, at string) (*policy.Grant, *Problem) {
	grant, err := s.config.Policies.Resolve(j.Policy, q)
	if err == nil {
		return grant, nil
	}
	if at != "" {
		err = policy.Within(err, at)
	}
	return nil, refusal(err)
}

// plan looks the language up and places the source.
func (s *Server) plan(j *sandbox.Job, r *RunRequest) (*languages.Plan, *Problem) {
	plan, p := s.planned(j, r.Language, r.Source, &j.Files, "")
	if p != nil {
		return nil, p
	}
	// What the policy decides about does not depend on the options that follow
	// from the limits: these lists only say that there is a build.
	if len(j.Build) == 0 {
		j.Build = plan.Build
	}
	if len(j.Command) == 0 {
		j.Command = plan.Run
	}
	return plan, nil
}

// planned finds a language, and adds the source to the files.
func (s *Server) planned(j *sandbox.Job, name string, source *string, files *[]sandbox.File, at string) (*languages.Plan, *Problem) {
	if name == "" {
		return nil, problem(CodeInvalidField, at+"language", "source is given without language; name a language of GET /v1/languages, or use files")
	}
	plan, err := s.config.Languages.PlanOn(name, s.rootOf(j))
	switch {
	case errors.Is(err, languages.ErrMissing):
		return nil, problem(CodeMissingLanguage, at+"language", err.Error())
	case err != nil && j.Image != nil && !errors.Is(err, languages.ErrUnknown): // the image, in which it was looked for
		return nil, problem(CodeInvalidField, "image", err.Error())
	case err != nil:
		return nil, problem(CodeUnknownLanguage, at+"language", err.Error())
	}
	if source != nil {
		if slices.ContainsFunc(*files, func(f sandbox.File) bool { return f.Path == plan.SourceFile }) {
			return nil, problem(CodeInvalidField, at+"source", fmt.Sprintf("files has %q too, which is the name of the source; give one of them", plan.SourceFile))
		}
		*files = append(*files, sandbox.File{Path: plan.SourceFile, Mode: 0o644, Data: []byte(*source)})
	}
	return &plan, nil
}

func fill(j *sandbox.Job, r *RunRequest, plan *languages.Plan, g *policy.Grant) {
	if r.Build == nil || len(r.Build.Command) == 0 {
		j.Build = plan.BuildArgs(g.BuildLimits)
	}
	if len(r.Command) == 0 {
		j.Command = plan.RunArgs(g.Limits)
	}
	j.BuildEnv, j.RunEnv = plan.BuildEnv(g.BuildLimits), plan.RunEnv(g.Limits)
}

// runnable: there is something to start, and its words can be given to a program.
func runnable(j *sandbox.Job, r *RunRequest) *Problem {
	if len(j.Command) == 0 {
		return problem(CodeInvalidField, "command", "nothing to run: give command (program and arguments) or language with source")
	}
	if r.Build != nil && len(j.Build) == 0 {
		return problem(CodeInvalidField, "build.command", "empty: give the program and its arguments, or leave build out")
	}
	for field, args := range map[string][]string{"command": j.Command, "build.command": j.Build} {
		for i, a := range args {
			if strings.ContainsRune(a, 0) || i == 0 && a == "" {
				return problem(CodeInvalidField, fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("%q: a word without NUL is wanted, and the first may not be empty", clip(a)))
			}
		}
	}
	return nil
}

// input decodes standard input, files and variables.
func (k *kept) input(j *sandbox.Job, r *RunRequest) *Problem {
	var p *Problem
	if j.Stdin, p = k.stdin(r.Stdin, r.StdinBase64, r.StdinSHA256, ""); p != nil {
		return p
	}
	if j.Files, p = k.list(r.Files, ""); p != nil {
		return p
	}
	if p := k.outputs(j, r); p != nil {
		return p
	}
	return variables(j, r.Env)
}

func (k *kept) list(list []FileRequest, at string) (out []sandbox.File, p *Problem) {
	seen := map[string]bool{}
	for i := range list {
		name := fmt.Sprintf("%sfiles[%d]", at, i)
		f, p := k.file(&list[i], name)
		if p != nil {
			return nil, p
		}
		if seen[f.Path] {
			return nil, problem(CodeInvalidField, name+".path", fmt.Sprintf("%q is given twice", f.Path))
		}
		seen[f.Path] = true
		out = append(out, *f)
	}
	return out, nil
}

func (k *kept) file(f *FileRequest, at string) (*sandbox.File, *Problem) {
	if err := sandbox.CheckPath(f.Path); err != nil {
		return nil, problem(CodeInvalidField, at+".path", err.Error())
	}
	out := &sandbox.File{Path: f.Path, Mode: 0o644}
	if f.Mode != nil {
		if *f.Mode > 0o777 {
			return nil, problem(CodeInvalidField, at+".mode", fmt.Sprintf("%d given, allowed is 0 to 511 (0777)", *f.Mode))
		}
		out.Mode = os.FileMode(*f.Mode)
	}
	given := 0
	for _, one := range []bool{f.Content != nil, f.Base64 != nil, f.SHA256 != nil} {
		if one {
			given++
		}
	}
	var p *Problem
	switch {
	case given != 1:
		p = problem(CodeInvalidField, at, "give content, base64 or sha256, and one of them only")
	case f.Content != nil:
		out.Data = []byte(*f.Content)
	case f.Base64 != nil:
		out.Data, p = decoded(*f.Base64, at+".base64")
	default:
		if f.Mode == nil {
			out.Mode = 0o555 // it is shown as it is
		}
		out.Kept, p = k.get(*f.SHA256, at+".sha256")
	}
	return out, p
}

// variables: a name may hold what a shell takes as one; a value anything but NUL.
func variables(j *sandbox.Job, env map[string]string) *Problem {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return problem(CodeInvalidField, "env."+clip(name), fmt.Sprintf("%q is no name of a variable: it may not be empty nor hold = or NUL", clip(name)))
		}
		if strings.ContainsRune(env[name], 0) {
			return problem(CodeInvalidField, "env."+clip(name), "the value holds NUL, which no variable can")
		}
		j.Env = append(j.Env, name+"="+env[name])
	}
	return nil
}

// refusal is the answer to a job that is not taken.
func refusal(err error) *Problem {
	var denied *policy.DeniedError
	var wrong *sandbox.InvalidError
	switch {
	case errors.As(err, &denied):
		p := problem(CodePolicyDenied, denied.Denials[0].Field, denied.Error())
		p.Denials = denied.Denials
		return p
	case errors.Is(err, policies.ErrUnknown):
		return problem(CodeUnknownPolicy, "policy", err.Error())
	case errors.As(err, &wrong):
		return problem(CodeInvalidField, wrong.Field, wrong.Detail)
	case errors.Is(err, sandbox.ErrInvalidJob):
		return problem(CodeInvalidField, "", err.Error())
	case errors.Is(err, sandbox.ErrUnsupportedHost):
		return problem(CodeUnsupportedHost, "", err.Error())
	case errors.Is(err, sandbox.ErrShuttingDown):
		return problem(CodeShuttingDown, "", "the service is ending; try again")
	}
	return nil
}
