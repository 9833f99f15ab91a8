package sandbox

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"cordon/judge"
)

// ends are what one of two programs has of the pipes between them. The kernel carries
// the bytes: nothing of ours is on their way.
type ends struct{ in, out *os.File }

// close lets go of them: a program learns that its partner is gone only when nobody
// else has the partner's ends.
func (e *ends) close() {
	if e != nil {
		e.in.Close()
		e.out.Close()
	}
}

// joined makes the pipes between a program and its interactor, and the witness.
func joined() (program, partner *ends, w *witness, err error) {
	var fds [6]int // there, back: read and write ends; the witness's of there and of back
	made := 0
	defer func() {
		for _, fd := range fds[:made] {
			unix.Close(fd)
		}
	}()
	for ; made < 4; made += 2 {
		if err := unix.Pipe2(fds[made:made+2], unix.O_CLOEXEC); err != nil {
			return nil, nil, nil, os.NewSyscallError("pipe2", err)
		}
		// Programs open /dev/stdin and /dev/stdout by name, each with an id of its own.
		if err := unix.Fchmod(fds[made], 0o666); err != nil {
			made += 2
			return nil, nil, nil, os.NewSyscallError("fchmod", err)
		}
	}
	for _, from := range []int{0, 3} {
		if fds[made], err = unix.FcntlInt(uintptr(fds[from]), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return nil, nil, nil, os.NewSyscallError("fcntl", err)
		}
		made++
	}
	made = 0
	file := func(fd int) *os.File { return os.NewFile(uintptr(fd), "pipe") }
	return &ends{file(fds[2]), file(fds[1])}, &ends{file(fds[0]), file(fds[3])}, &witness{file(fds[4]), file(fds[5])}, nil
}

// witness finds out which of the two came to its end first, where the end of one makes
// that of the other. It holds what the program would notice of its partner's end, the
// reading end of the one pipe and the writing end of the other, until it has looked
// whether the program is still there.
type witness struct{ there, back *os.File }

// look is called when the interactor has ended: it says whether the program had
// closed its output by then, and lets it notice.
func (w *witness) look() (programFirst bool) {
	defer w.there.Close()
	defer w.back.Close()
	p := []unix.PollFd{{Fd: int32(w.there.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(p, 0)
		if err != unix.EINTR {
			return p[0].Revents&unix.POLLHUP != 0
		}
	}
}

// errDecided ends a program about which its interactor has said all there is to say.
var errDecided = errors.New("the interactor has decided")

// interact runs a test's program and the interactor at once, each in its own cell.
func (t *suite) interact(ctx context.Context, test *Test, spec *stepSpec, core int, r *TestResult) (*stepOutcome, error) {
	c := t.checker
	partnerSpec, err := c.interactorSpec(t, test, spec)
	if err != nil {
		return nil, err
	}
	var program, partner *ends
	var w *witness
	if err := do(stepPipes, func() (err error) { program, partner, w, err = joined(); return err }); err != nil {
		return nil, err
	}
	until, decided := context.WithCancelCause(ctx)
	defer decided(nil)
	var theirs *stepOutcome
	var theirErr error
	var said []byte
	var first bool
	var wait sync.WaitGroup
	wait.Go(func() {
		theirs, theirErr = t.runner.runStep(ctx, t.kind, partnerSpec,
			stepInput{core: noCore, layer: c.build.Dir, pipes: partner}, c.feedback(&said))
		first = w.look()
		// One that has closed its output is at its end, and about to tell how.
		if theirErr != nil || !first && !c.opinion(&theirs.Step, said).Accepted {
			decided(errDecided)
		}
	})
	ours, err := t.runner.runStep(until, t.kind, spec, stepInput{core: core, layer: t.layer, pipes: program}, nil)
	wait.Wait()
	if err := errors.Join(err, theirErr); err != nil {
		return nil, err
	}
	r.Step, r.Checker = ours.Step, &theirs.Step
	c.settle(r, c.opinion(&theirs.Step, said), first, errors.Is(context.Cause(until), errDecided))
	keep(&theirs.Stderr, &theirs.StderrTruncated, t.spec.Job.KeepOutput)
	settled := *ours // for who runs it again
	settled.Verdict = r.Verdict
	return &settled, nil
}

// interactorSpec: it may take a little longer than the program it talks with, so that
// of two that wait for each other the program is the one whose time is up.
func (c *checker) interactorSpec(t *suite, test *Test, program *stepSpec) (*stepSpec, error) {
	spec := t.runner.stepSpec(c.grant.Limits)
	spec.env = mergeEnv(fixedEnv, c.RunEnv)
	// What it is longer by is for the start of two cells, which no scale makes shorter.
	spec.granted.WallMillis = max(spec.granted.WallMillis, program.granted.WallMillis+interactorAllowance)
	spec.limits.WallMillis = max(spec.limits.WallMillis, program.limits.WallMillis+interactorAllowance)
	files, err := c.files(test, spec)
	if err != nil {
		return nil, err
	}
	spec.args, spec.entries = c.args(test), append(files, c.links...)
	return spec, nil
}

const interactorAllowance = 1000 // ms

// settle finds out whose fault it is. A program that has ended badly before its
// interactor ended was not made to by that; and one that ends badly is wrong even where
// the interactor was content. decided: the program was ended because of what the
// interactor said.
func (c *checker) settle(r *TestResult, o judge.Opinion, programFirst, decided bool) {
	r.Points = o.Points
	ours := r.Verdict == Cancelled && decided
	switch {
	case r.Verdict == Interrupted, r.Verdict == InternalError, r.Verdict == Cancelled && !decided:
	case r.Verdict != OK && !ours && (o.Accepted || programFirst):
	case o.Failed && programFirst: // as for want of a reader: it was the program that went
		r.Verdict, r.Message = WrongAnswer, "the program ended before its interactor had done"
	case o.Failed:
		r.Verdict, r.Message = CheckerFailed, strings.TrimSuffix("the interactor has failed: "+o.Message, ": ")
	case !o.Accepted:
		r.Verdict, r.Message = WrongAnswer, o.Message
	default:
		r.Message = o.Message
	}
}
