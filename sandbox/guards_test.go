package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/cgroup"
	"cordon/policy"
	"cordon/rootfs"
	"cordon/userns"
)

// faulty is a driver of which one step fails.
type faulty struct {
	cgroup.Driver
	step string
}

var errFault = errors.New("made to fail")

// Create fails, or makes a group that does.
func (f faulty) Create() (cgroup.Group, error) {
	if f.step == "create" {
		return nil, errFault
	}
	g, err := f.Driver.Create()
	if err != nil {
		return nil, err
	}
	return &faultyGroup{Group: g, step: f.step}, nil
}

type faultyGroup struct {
	cgroup.Group
	step string
}

// SetLimits fails when that is the step.
func (g *faultyGroup) SetLimits(l cgroup.Limits) ([]cgroup.Applied, error) {
	if g.step == "set limits" {
		return nil, errFault
	}
	return g.Group.SetLimits(l)
}

// CPU fails when that is the step.
func (g *faultyGroup) CPU() (cgroup.CPU, error) {
	if g.step == "read CPU time" {
		return cgroup.CPU{}, errFault
	}
	return g.Group.CPU()
}

// Usage fails when that is the step.
func (g *faultyGroup) Usage() (cgroup.Usage, error) {
	if g.step == "read usage" {
		return cgroup.Usage{}, errFault
	}
	return g.Group.Usage()
}

// Entry has, when that is the step, a file that no process can be written into.
func (g *faultyGroup) Entry() cgroup.Entry {
	if g.step != "make" {
		return g.Group.Entry()
	}
	null, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	e := g.Group.Entry()
	if e.Dir != nil {
		return cgroup.Entry{Dir: null}
	}
	return cgroup.Entry{Tasks: append([]*os.File{null}, e.Tasks...)}
}

// WaitFew fails when that is the step.
func (g *faultyGroup) WaitFew(ctx context.Context, most int64) error {
	if g.step == "wait until empty" {
		return errFault
	}
	return g.Group.WaitFew(ctx, most)
}

// A guard that cannot be applied ends the job before its program starts, and the
// Result names the stage.
func TestGuardsThatFail(t *testing.T) {
	fault := func(step string) func(*Config) {
		return func(c *Config) { c.Cgroups = faulty{c.Cgroups, step} }
	}
	for _, test := range []struct {
		stage, op string
		change    func(*Config)
		after     bool // the program has run, but there is no account of it
	}{
		{"cgroup", "create", fault("create"), false},
		{"cgroup", "set limits", fault("set limits"), false},
		{"cgroup", "read CPU time", fault("read CPU time"), false},
		{"ids", "take a range", func(c *Config) { c.Ranges = userns.NewRanges(1, nil) }, false},
		// Ids that are not the daemon's to give: both of a cell, or the job's alone.
		{"clone", "make", func(c *Config) { c.Ranges = userns.NewRanges(0, nil); c.Ranges.Give(1 << 30) }, false},
		{"idmap", "make", func(c *Config) { c.Ranges = userns.NewRanges(0, nil); c.Ranges.Give(must(userns.Mapped())) }, false},
		{"template", "start fork server", func(c *Config) { c.Host.Base += "/absent" }, false},
		{"template", "start fork server", func(c *Config) { c.Host.FS = vanishing{c.Host.FS} }, false},
		{"cgroup", "wait until empty", fault("wait until empty"), true},
		{"cgroup", "read usage", fault("read usage"), true},
	} {
		t.Run(test.stage+" "+test.op, func(t *testing.T) {
			l := newLab(t, test.change)
			tee := newSignal()
			job := shell("echo started")
			job.Stdout = tee
			r := l.run(t, job)
			if r.Verdict != InternalError || !strings.HasPrefix(r.Message, "stage "+test.stage+": "+test.op) {
				t.Errorf("%s: %q; want internal_error at %s: %s", r.Verdict, r.Message, test.stage, test.op)
			}
			if r.ExitCode != nil || r.Signal != "" || len(r.Stdout) > 0 || r.Events.DeniedSyscalls == nil {
				t.Errorf("a verdict about the program: %+v", r.Step)
			}
			started := false
			select {
			case <-tee.told:
				started = true
			default:
			}
			if started != test.after {
				t.Errorf("program started: %t", started)
			}
			if log := l.log.String(); !strings.Contains(log, "stage="+test.stage) || !strings.Contains(log, job.ID) {
				t.Errorf("the log does not name stage and job:\n%s", log)
			}
			if err := l.Prepare("default"); (err == nil) != test.after {
				t.Errorf("Prepare: %v", err)
			} else if err != nil && !errors.Is(err, ErrInternal) {
				t.Errorf("Prepare: %v, not ErrInternal", err)
			}
		})
	}
}

// A process that cannot be put into its group never gets as far as the program.
func TestGroupNotEntered(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Cgroups = faulty{c.Cgroups, "make"} })
	for range 3 { // nor is anything left of the attempt: the lab looks
		r := l.run(t, shell("echo started"))
		if r.Verdict != InternalError || !strings.Contains(r.Message, "make") || len(r.Stdout) > 0 {
			t.Errorf("%s: %q", r.Verdict, r.Message)
		}
	}
}

// vanishing shows a directory that is gone when it is mounted.
type vanishing struct{ rootfs.FS }

// Lstat shows /nix/store, which is no directory here.
func (v vanishing) Lstat(name string) (os.FileInfo, error) {
	if name == "/nix/store" {
		return v.FS.Lstat("/usr")
	}
	return v.FS.Lstat(name)
}

// EvalSymlinks as Lstat.
func (v vanishing) EvalSymlinks(name string) (string, error) {
	if name == "/nix/store" {
		return name, nil
	}
	return v.FS.EvalSymlinks(name)
}

// Stat as Lstat.
func (v vanishing) Stat(name string) (os.FileInfo, error) {
	if name == "/nix/store" {
		return v.FS.Stat("/usr")
	}
	return v.FS.Stat(name)
}

// A root that cannot be is the request's mistake or the policy's, told before
// anything is made.
func TestRootsRefused(t *testing.T) {
	private := t.TempDir()
	l := newLab(t, func(c *Config) { c.Host.Private = []string{private} })
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(private, link); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"missing": "/no/such/directory", "private": private, "parent of private": filepath.Dir(private),
		"link to private": link, "a file": "/bin/sh"} {
		r, err := l.Run(t.Context(), &Job{Policy: "dev", Command: []string{"/hello"}, RootDirs: []string{dir}})
		if !errors.Is(err, ErrInvalidJob) {
			t.Errorf("%s: %+v, %v; want ErrInvalidJob", name, r, err)
		}
	}
}

// Without a range every job has the service user's id; a policy can refuse that.
func TestPolicyWantsOwnID(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Ranges = nil; c.Policies = wantsID{c.Policies} })
	if r, err := l.Run(t.Context(), shell("true")); !errors.Is(err, ErrUnsupportedHost) {
		t.Errorf("%+v, %v; want ErrUnsupportedHost", r, err)
	}
}

type wantsID struct{ Policies }

// Resolve asks for an own id.
func (w wantsID) Resolve(name string, q policy.Request) (*policy.Grant, error) {
	g, err := w.Policies.Resolve(name, q)
	if err == nil {
		g.RequireSubuid = true
	}
	return g, err
}

func TestStageError(t *testing.T) {
	cause := errors.New("cause")
	for _, test := range []struct {
		err  *StageError
		text string
	}{
		{&StageError{Stage: "cgroup", Op: "create"}, "stage cgroup: create"},
		{&StageError{Stage: "cgroup", Op: "create", Errno: unix.EACCES}, "stage cgroup: create: permission denied (errno 13)"},
		{&StageError{Stage: "cgroup", Op: "create", Err: cause}, "stage cgroup: create: cause"},
		{&StageError{Stage: "cgroup", Op: "create", Errno: unix.ENOENT, Err: cause}, "stage cgroup: create: no such file or directory (errno 2): cause"},
	} {
		if got := test.err.Error(); got != test.text {
			t.Errorf("%q, want %q", got, test.text)
		}
		if !errors.Is(test.err, ErrInternal) || test.err.Errno != 0 && !errors.Is(test.err, test.err.Errno) ||
			test.err.Err != nil && !errors.Is(test.err, cause) {
			t.Errorf("%v does not unwrap", test.err)
		}
	}
}
