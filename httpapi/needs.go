package httpapi

import (
	"fmt"
	"runtime"
	"slices"

	"cordon/queue"
	"cordon/sandbox"
)

// architectures are those that a job may ask for, as Go has their names.
var architectures = []string{"amd64", "arm64", "riscv64", "ppc64le", "s390x", "loong64"}

// needs are what a service must have to run what a request asks for. The request was
// checked: its languages are known.
func (s *Server) needs(j *sandbox.Job, r *RunRequest, arch string) queue.Needs {
	n := queue.Needs{Policy: r.Policy, Arch: arch}
	if n.Policy == "" {
		n.Policy = DefaultPolicy
	}
	// A service that is alone finds out when it runs the job: images come and go meanwhile.
	if j.Image != nil && !s.config.Jobs.Queue.Alone() {
		n.Images = []string{j.Image.Needed}
	}
	add := func(name string) {
		if name == "" {
			return
		}
		if plan, err := s.config.Languages.Plan(name); err == nil {
			name = plan.ID
		}
		if !slices.Contains(n.Languages, name) {
			n.Languages = append(n.Languages, name)
		}
	}
	add(r.Language)
	for i := range r.Programs {
		add(r.Programs[i].Language)
	}
	for _, c := range []*CheckerRequest{r.Checker, r.Interactor} {
		if c != nil {
			add(c.Language)
		}
	}
	slices.Sort(n.Languages)
	return n
}

// checkArch: a service that is alone has one, and knows it.
func (s *Server) checkArch(arch string) *Problem {
	if arch == "" {
		return nil
	}
	if !slices.Contains(architectures, arch) {
		return problem(CodeInvalidField, "arch", fmt.Sprintf("%q given, allowed are %v", clip(arch), architectures))
	}
	if s.config.Jobs.Queue.Alone() && arch != runtime.GOARCH {
		return problem(CodeInvalidField, "arch", fmt.Sprintf("%q given, this service has %s, and no others beside it", arch, runtime.GOARCH))
	}
	return nil
}

// checkPlace holds where a job is to run.
func (s *Server) checkPlace(r *JobRequest) *Problem {
	if r.Interactive != nil && s.config.Runner == nil {
		return problem(CodeInvalidField, "interactive", "this service runs no jobs, so that nobody could attach to this one and write; submit it to a service that runs jobs itself (role all)")
	}
	return s.checkArch(r.Arch)
}
