package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"cordon/judge/problem"
	"cordon/userns"
)

// Exit statuses of cordon judge. Whoever ends it by signal N gets 128+N.
const (
	judgeBroken = 1 // a submission did not get what its folder promises
	judgeUsage  = 2 // the command line or the package is wrong
	judgeFailed = 3 // the judge itself failed: nothing is known about a submission
)

// judgeFlags are what cordon judge takes.
type judgeFlags struct {
	policy                    string
	timeLimit                 time.Duration
	all, json, quiet, verbose bool
	parallel                  int
}

func newJudgeCommand() *cobra.Command {
	var f judgeFlags
	cmd := &cobra.Command{
		Use:   "judge [flags] DIR [SUBMISSION…]",
		Short: "Judge a problem package's submissions, and see that each gets what its folder promises",
		Long: "Reads the problem package in DIR (ICPC, Kattis and DOMjudge layout), runs its submissions on its cases, each in a\n" +
			"fresh sandbox, and prints a table. A SUBMISSION is a path, a name such as accepted/a.cpp, or a folder such as\n" +
			"wrong_answer; without one all are judged.\n\n" +
			"  AC  accepted        TLE  time limit       OLE  too much output: a run-time error   CE  does not compile\n" +
			"  WA  wrong answer    RTE  run-time error   MLE  out of memory: a run-time error     JE  the judge failed\n\n" +
			"The verdict is that of the first case, in order, that fails; the cases behind it are run with --all only. Where\n" +
			"neither --time-limit nor the package gives a time limit, it is twice what the slowest accepted submission needs.\n\n" +
			"Exit status: 0 every submission got what its folder promises, 1 one did not, 2 the command line or the package is\n" +
			"wrong, 3 the judge itself failed, 128+N ended by signal N.",
		Example: "  cordon judge examples/problems/ropeferry\n  cordon judge --parallel 2 --all examples/problems/lateecho wrong_answer\n" +
			"  cordon judge --json . accepted/a.cpp | jq '.submissions[].verdict'",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return judgeEnd(usageError{errors.New("no package; name its directory, as in: cordon judge examples/problems/ropeferry")})
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return judgeEnd(judgeCommand(cmd, &f, args[0], args[1:]))
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return judgeEnd(usageError{err}) })
	flags := cmd.Flags()
	flags.StringVar(&f.policy, "policy", "judge", "`name` of the policy")
	flags.DurationVar(&f.timeLimit, "time-limit", 0, "CPU time of a case, such as 2s, whatever the package says")
	flags.BoolVar(&f.all, "all", false, "run every case, also behind one that fails")
	flags.BoolVar(&f.json, "json", false, "print JSON, with every case")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress on standard error")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "also tell which parts of the package mean nothing here")
	addFlags(flags)
	parallel := flags.Lookup("parallel")
	parallel.Usage, parallel.DefValue = "submissions that are judged at once; they share the processors, and their times suffer", "1"
	for _, name := range []string{"listen", "socket", "allow-host", "state", "languages", "files-bytes", "files-ttl", "drain", "log-level", "queue", "warm", "warm-most", "image-templates"} {
		_ = flags.MarkHidden(name)
	}
	return cmd
}

// usageError is a mistake of the caller's, or of the package's author.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// judgeEnd tells an error and turns it into the command's exit status.
func judgeEnd(err error) error {
	var exit *userns.ExitError
	var status statusError
	var usage usageError
	switch {
	case err == nil, errors.As(err, &exit), errors.As(err, &status):
		return err
	case errors.As(err, &usage):
		status = judgeUsage
	default:
		status = judgeFailed
	}
	fmt.Fprintln(os.Stderr, "cordon: judge:", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	return status
}

func judgeCommand(cmd *cobra.Command, f *judgeFlags, dir string, names []string) error {
	c, err := loadConfig(cmd.Flags())
	if err != nil {
		return usageError{err}
	}
	f.parallel = 1
	if cmd.Flags().Changed("parallel") {
		f.parallel = c.Parallel
	}
	// What is wrong with the package is told before anything is started.
	j, err := newJudging(cmd.Flags().Changed("time-limit"), &c, f, dir, names)
	if err != nil {
		return err
	}
	if !inside {
		private, err := os.MkdirTemp("", "cordon-judge-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(private)
		return enterNamespace("judge "+dir, filepath.Join(private, "userns"), &c)
	}
	return j.inside(cmd, &c)
}

// ended is the cause of a run that a signal has ended.
type ended struct{ syscall.Signal }

func (e ended) Error() string { return "ended by " + unix.SignalName(e.Signal) }

// untilSignal is cancelled by the first signal that asks for the end.
func untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	go func() {
		select {
		case s := <-signals:
			n, _ := s.(syscall.Signal)
			cancel(ended{n})
		case <-ctx.Done():
		}
	}()
	// Until the very end: a second signal is no reason to leave things behind.
	return ctx, func() { cancel(nil) }
}

// inside judges, in the daemon's user namespace.
func (j *judging) inside(cmd *cobra.Command, c *config) error {
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	signal.Ignore(unix.SIGPIPE) // a reader of ours that is gone is an error of the write
	c.Languages = strings.Join(j.languages(), ",")
	c.Parallel = j.flags.parallel
	j.progress = newProgress(cmd.ErrOrStderr(), j.flags.quiet)
	j.progress.say("looking for toolchains: " + c.Languages)
	e, err := newEngine(ctx, engineOptions{config: *c, instance: fmt.Sprintf("%s%d", onceRun, os.Getpid()), parallel: c.Parallel, warm: c.Parallel,
		languages: true, logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		j.progress.clear()
		return err
	}
	j.run, j.plan, j.resolve = e.runner.Run, e.languages.Plan, resolver{e.policies}.Resolve
	j.judge(ctx)
	j.progress.clear()
	j.report.end(ctx)
	if err := e.close(); err != nil {
		return err
	}
	return j.print(cmd.OutOrStdout())
}

// print prints what came of it, and gives the exit status.
func (j *judging) print(w io.Writer) error {
	var err error
	if j.flags.json {
		err = printJSON(w, &j.report)
	} else {
		err = j.table(w)
	}
	if err == nil && j.report.Status != 0 {
		err = statusError(j.report.Status)
	}
	return err
}

// languages of all programs.
func (j *judging) languages() []string {
	var programs []*problem.Program
	for _, t := range j.trials {
		programs = append(programs, &t.submission.Program)
	}
	for i := range j.problem.Validators {
		programs = append(programs, &j.problem.Validators[i])
	}
	return uniqueLanguages(programs)
}
