package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"

	"cordon/builds"
	"cordon/policy"
	"cordon/sandbox/cell"
)

// Builds keeps what builds have left, each with its account.
type Builds = builds.Cache[*Built]

// Built is the account of a build. It is shared by all who have the build: nobody
// changes it.
type Built struct {
	outcome *stepOutcome
	shown   map[string]bool // files in what is kept that the build was shown: nobody may change them
}

// built is a build in use.
type built = builds.Build[*Built]

// buildSpec is what a build depends on.
type buildSpec struct {
	args   []string // empty: the files are what there is
	env    []string
	files  []File
	limits policy.Limits
	fresh  bool // not one that was built for another job
	tenant string
}

func (s *Spec) buildSpec() *buildSpec {
	j := s.Job
	return &buildSpec{args: j.Build, env: mergeEnv(j.baseEnv(), j.BuildEnv, j.Env), files: j.Files, limits: s.Grant.BuildLimits, fresh: j.BuildFresh, tenant: j.Tenant}
}

// build builds, or takes a build that was made of the same. One that did not end well
// is returned as well: its account says so. The caller releases it.
func (r *Runner) build(ctx context.Context, k *kind, s *buildSpec, g *policy.Grant) (*built, error) {
	key := ""
	// What lies in directories that were named can change without a trace.
	if !s.fresh && len(g.Root.Dirs) == 0 {
		var err error
		if key, err = buildKey(s, g); err != nil {
			return nil, err
		}
	}
	cache, err := r.builds()
	if err != nil {
		return nil, err
	}
	return cache.Get(ctx, key, func(dir *os.File) (builds.Left[*Built], error) {
		files, err := entries(s.files, s.limits.DiskFiles)
		if err != nil {
			return builds.Left[*Built]{}, err
		}
		if len(s.args) == 0 {
			given := shownOf(s.files)
			bytes, err := try(stepKeepTree, func() (int64, error) { return writeTree(ctx, files, given, dir) })
			return builds.Left[*Built]{Account: &Built{}, Bytes: bytes, Keep: true}, err
		}
		return r.buildIn(ctx, k, s, files, dir)
	})
}

// buildIn runs the build in a cell and keeps what it has left in dir.
func (r *Runner) buildIn(ctx context.Context, k *kind, s *buildSpec, files []cell.Entry, dir *os.File) (builds.Left[*Built], error) {
	spec := r.stepSpec(s.limits)
	spec.args, spec.entries, spec.shown, spec.env = s.args, files, shownOf(s.files), s.env
	var copied keptTree
	tooLarge, gone := false, false
	copying, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(r.stopping, stop)()
	out, err := r.runStep(ctx, k, spec, stepInput{core: noCore}, func(left remains, v Verdict) error {
		if v != OK {
			return nil
		}
		return do(stepKeepTree, func() (err error) {
			copied, err = copyTree(copying, left, dir, 2*s.limits.DiskBytes, s.limits.DiskFiles)
			if tooLarge, gone = errors.Is(err, errTreeTooLarge), copying.Err() != nil; tooLarge || gone {
				return nil
			}
			return err
		})
	})
	if err != nil {
		return builds.Left[*Built]{}, err
	}
	switch {
	case tooLarge:
		out.Verdict = OutputLimit
		out.Message = fmt.Sprintf("the build left more in /work than can be kept: %d bytes, with a page for each of %d names, paths of %d directories or %d bytes",
			2*s.limits.DiskBytes, s.limits.DiskFiles, maxDepth, maxPath)
	case gone && r.ending():
		out.Verdict, out.Message = Interrupted, "the service stopped while what the build had left was kept"
	case gone:
		out.Verdict, out.Message = Cancelled, "stopped because the caller went away or asked for it"
	}
	// One that failed may have failed for want of memory or time, on a busy host: it is
	// tried again.
	return builds.Left[*Built]{Account: &Built{out, copied.shown}, Bytes: copied.bytes + int64(len(out.Stdout)+len(out.Stderr)), Keep: out.Verdict == OK}, nil
}

// builds are where they are kept: in the directory that was given, or in one that is
// made for this Runner and gone with it.
func (r *Runner) builds() (*Builds, error) {
	r.buildsOnce.Do(func() {
		dir := r.config.BuildsDir
		if dir == "" {
			if dir, r.buildsErr = os.MkdirTemp("", "cordon-builds-"); r.buildsErr != nil {
				return
			}
		}
		var kept *Builds
		if kept, r.buildsErr = builds.Open[*Built](builds.Config{Dir: dir, MaxBytes: r.config.BuildsBytes}); r.buildsErr == nil {
			r.buildsKept.Store(kept)
		}
	})
	return r.buildsKept.Load(), stepKeepTree.failed(r.buildsErr)
}

// built notes the account of a build, and says whether to go on.
func (r *Result) built(b *built) bool {
	out := b.Account.outcome
	if out == nil { // there was nothing to be done
		return true
	}
	r.Build, r.BuildCached = &out.Step, b.Cached
	if !b.Cached {
		r.add(out)
	}
	if out.Verdict == OK {
		return true
	}
	r.Step = out.Step
	r.Verdict = builtVerdict(out.Verdict)
	return false
}

// builtVerdict: a build that ends badly is build_failed, with its own verdict in
// the build's account. What says nothing about the program stays what it is.
func builtVerdict(v Verdict) Verdict {
	if v == InternalError || v == Interrupted || v == Cancelled {
		return v
	}
	return BuildFailed
}

// left reads what a build left as files to be placed: a run has its own copy, which it
// may change. What the build was shown is shown to the run, too.
func (r *Runner) left(b *built, l policy.Limits) (files []cell.Entry, given []shown, err error) {
	err = do(stepReadTree, func() error {
		files, given, err = treeOf(b, treeBytes(l), l.DiskFiles)
		return err
	})
	return files, given, err
}

// leftTooMuch ends a job whose run cannot hold what its build has left.
func (r *Result) leftTooMuch(l policy.Limits) {
	failed := Step{Events: Events{DeniedSyscalls: []DeniedSyscall{}}}
	if r.Build != nil {
		failed = *r.Build
	}
	failed.Verdict = OutputLimit
	failed.Message = fmt.Sprintf("the build left more in /work than the run may hold: limits.disk_bytes and limits.memory_bytes allow %d bytes, limits.disk_files is %d, "+
		"paths have at most %d directories and %d bytes", treeBytes(l), l.DiskFiles, maxDepth, maxPath)
	r.Build, r.Step = &failed, failed
	r.Verdict = BuildFailed
}

// treeBytes: what a build leaves is placed by the run, in its memory. A file with
// holes is as large as it says.
func treeBytes(l policy.Limits) int64 { return min(l.DiskBytes, l.MemoryBytes) }

// errTreeTooLarge: what a build left does not fit the run's scratch.
var errTreeTooLarge = errors.New("too large for the run's scratch")
