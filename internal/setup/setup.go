// Package setup does the few things that need root, once: the service user, its
// subordinate ids, its cgroup. Each is a step that knows whether it is done, so
// that setup can be run again, only tell what it would do, and be taken back.
package setup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Options of Run.
type Options struct {
	User       string
	DryRun     bool
	Undo       bool
	CgroupOnly bool // after a boot: groups do not outlive the kernel
	Out        io.Writer
	Host       Host
}

// step is one thing to be set up.
type step struct {
	name string // in the record: stable
	what string // for people
	done func() (bool, error)
	do   func() error
	// plan, when set, is asked before do for what exactly will be made; undo gets
	// it back from the record.
	plan func() (string, error)
	undo func(detail string) error // nil: nothing to take back; what is gone already is no error
	// fresh, when set, tells before do that nothing is there yet; what do only mends
	// is not recorded, and undo leaves it.
	fresh func() bool
	// ours, when set, tells that what is there was made by setup: no record is kept.
	ours func() bool
}

// Run does, tells or takes back the steps.
func Run(o Options) error {
	if o.Host.Root == "" {
		o.Host.Root = "/"
	}
	if os.Geteuid() != 0 && !o.DryRun && !o.Host.Fake {
		return errors.New("cordon setup changes users and groups of the machine: run it as root (sudo cordon setup), or look first with --dry-run")
	}
	if err := checkName(o.User); err != nil {
		return err
	}
	steps, err := o.Host.steps(o.User)
	if err != nil {
		return err
	}
	if o.CgroupOnly {
		steps = slices.DeleteFunc(steps, func(s step) bool { return s.name != cgroupStep })
	}
	if !o.DryRun {
		lock, err := o.Host.lock()
		if err != nil {
			return err
		}
		defer lock.Close()
	}
	r, err := o.Host.readRecord()
	if err != nil {
		return err
	}
	if o.Undo {
		return undo(&o, steps, r)
	}
	return do(&o, steps, r)
}

func do(o *Options, steps []step, r *record) error {
	for _, s := range steps {
		done, err := s.done()
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", s.what, err)
		case done:
			o.tell("kept", s.what)
			continue
		case o.DryRun:
			o.tell("would make", s.what)
			continue
		}
		if err := o.make(s, r); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
		o.tell("made", s.what)
	}
	return nil
}

// make writes the record first: what an interrupted run has made can be taken
// back.
func (o *Options) make(s step, r *record) error {
	detail := ""
	if s.plan != nil {
		var err error
		if detail, err = s.plan(); err != nil {
			return err
		}
	}
	if s.undo != nil && s.ours == nil && (s.fresh == nil || s.fresh()) {
		if err := o.Host.writeRecord(r.with(o.User, s.name, detail)); err != nil {
			return err
		}
	}
	return s.do()
}

// undo takes back, last first, what the record says setup has made.
func undo(o *Options, steps []step, r *record) error {
	slices.Reverse(steps)
	for _, s := range steps {
		if s.undo == nil {
			continue
		}
		recorded := r.has(o.User, s.name)
		switch {
		case !recorded && (s.ours == nil || !s.ours()):
			if there, err := s.done(); err == nil && there {
				o.tell("left", s.what+", which setup did not make")
			} else {
				o.tell("not there", s.what)
			}
			continue
		case o.DryRun:
			o.tell("would remove", s.what)
			continue
		}
		if err := s.undo(r.Made[o.User][s.name]); err != nil {
			return fmt.Errorf("take back %s: %w", s.what, err)
		}
		if recorded {
			if err := o.Host.writeRecord(r.without(o.User, s.name)); err != nil {
				return err
			}
		}
		o.tell("removed", s.what)
	}
	return nil
}

func (o *Options) tell(done, what string) { fmt.Fprintf(o.Out, "%-12s %s\n", done, what) }

// checkName: what useradd takes, so that no name can be an option or a path.
func checkName(name string) error {
	ok := name != "" && len(name) <= 32
	for i, c := range name {
		ok = ok && (c >= 'a' && c <= 'z' || c == '_' || i > 0 && (c >= '0' && c <= '9' || c == '-'))
	}
	if !ok {
		return fmt.Errorf("--user: %q given; allowed are 1 to 32 of a-z, 0-9, _ and -, the first a letter or _", name)
	}
	return nil
}
