package languages

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"text/template"

	"cordon/policy"
)

// Plan is how a program of one language is built and run.
type Plan struct {
	ID         string
	SourceFile string   // the name that the source text gets below /work
	Build      []string // without the options that depend on the limits; empty: no build step
	Run        []string // without the options that depend on the limits

	language *language
	found    finding
	cache    string
	exists   func(path string) bool // in the job's root; nil: that is the host's
}

// BuildArgs is the argv of the build under these limits, nil without a build.
func (p Plan) BuildArgs(l policy.Limits) []string { return p.args(p.language.Build, l) }

// RunArgs is the argv of the run under these limits.
func (p Plan) RunArgs(l policy.Limits) []string { return p.args(p.language.Run, l) }

// BuildEnv are the "NAME=value" settings of the build under these limits.
func (p Plan) BuildEnv(l policy.Limits) []string {
	if p.language.Build == nil {
		return nil
	}
	return p.render(p.language.Build.env, l)
}

// RunEnv are the "NAME=value" settings of the run under these limits.
func (p Plan) RunEnv(l policy.Limits) []string { return p.render(p.language.Run.env, l) }

func (p Plan) args(s *step, l policy.Limits) []string {
	if s == nil {
		return nil
	}
	command := p.found.command(s.Command)
	return slices.Concat(command[:1], p.render(s.options, l), command[1:])
}

func (p Plan) render(templates []*template.Template, l policy.Limits) []string {
	var out []string
	for _, t := range templates {
		var b strings.Builder
		// Every template was tried when the file was loaded, and settings has no
		// method that fails: an error here is a mistake in this package.
		if err := t.Execute(&b, settings{limits: l, Cache: p.cache, exists: p.exists}); err != nil {
			panic(fmt.Sprintf("languages: %s: %v", p.ID, err))
		}
		if b.Len() > 0 {
			out = append(out, b.String())
		}
	}
	return out
}

const mib = 1 << 20

// settings is what the templates of a step can use.
type settings struct {
	limits policy.Limits
	exists func(path string) bool
	Cache  string // prepared compiler cache inside the root, "" without one
}

// CPUs is how many threads can make use of the CPU rate: the rate rounded up.
func (s settings) CPUs() int {
	return max(1, int(math.Ceil(s.limits.CPUs)))
}

// MemoryMiB is this share, in per cent, of the memory limit.
func (s settings) MemoryMiB(percent int64) int64 {
	return max(1, s.limits.MemoryBytes/mib*percent/100)
}

// HeapMiB is what is left for a managed heap: the memory limit less what the
// runtime needs beside it (overhead), and at least half of the limit, so that a
// small limit fails in the program and not in the runtime's start.
func (s settings) HeapMiB(overhead int64) int64 {
	return max(1, s.limits.MemoryBytes/mib-overhead, s.limits.MemoryBytes/mib/2)
}

// StackKiB is this share, in per cent, of the stack limit, within low and high.
func (s settings) StackKiB(percent, low, high int64) int64 {
	return min(max(s.limits.StackBytes/1024*percent/100, low), high)
}

// Exists reports whether the job's root has this file (for optional type libraries).
func (s settings) Exists(path string) bool {
	if s.exists != nil {
		return s.exists(path)
	}
	_, err := os.Stat(path)
	return err == nil
}
