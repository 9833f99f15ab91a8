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
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"cordon/httpapi"
	"cordon/policies"
	"cordon/policy"
	"cordon/sandbox"
)

// runFlags are what cordon run takes.
type runFlags struct {
	jobFlags
	json, explain, quiet bool
}

func newRunCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGUMENT…]",
		Short: "Run one program in a sandbox, without a server",
		Long: "Runs one program in a fresh sandbox. Standard input, output and error are passed through, and so is\n" +
			"the exit status; 128+N when signal N or a limit ended it, 126 or 127 when it could not be started,\n" +
			"125 when Cordon itself failed. The program sees a read-only root and an empty /work, its directory.",
		Example: "  cordon run -- python3 -c 'print(6*7)'\n  cordon run --memory 64M --cpu-time 2s --file main.py -- python3 main.py",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && f.image == "" {
				return errors.New("run: no command; write it behind --, as in: cordon run -- python3 main.py")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runCommand(cmd, &f, args) },
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false)
	f.add(flags, "dev")
	flags.BoolVar(&f.json, "json", false, "print the whole result as JSON instead of passing the output through")
	flags.BoolVar(&f.explain, "explain", false, "print what would be granted and stop")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no summary line")
	addFlags(flags)
	for _, name := range []string{"listen", "socket", "parallel", "queue", "warm", "warm-most", "image-templates", "overcommit", "drain", "go-cache"} {
		_ = flags.MarkHidden(name)
	}
	return cmd
}

func runCommand(cmd *cobra.Command, f *runFlags, args []string) error {
	c, err := loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	job, err := f.job(cmd, args)
	if err != nil {
		return err
	}
	if f.image != "" {
		job.Image = &sandbox.JobImage{Image: *askedImage(f.image)} // all that is known of it before the namespace
	}
	if f.explain {
		return explainRun(cmd.OutOrStdout(), &c, job)
	}
	if !inside {
		private, err := os.MkdirTemp("", "cordon-run-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(private)
		return enterNamespace("run -- COMMAND", filepath.Join(private, "userns"), &c)
	}
	return runInside(cmd, f, &c, job)
}

// explainRun needs no namespace: the policy decides alone.
func explainRun(w io.Writer, c *config, job *sandbox.Job) error {
	set, err := policies.Load(c.Policies, policyOptions...)
	if err != nil {
		return err
	}
	p, err := set.Get(job.Policy)
	if err != nil {
		return err
	}
	rows, err := policy.Explain(p, job.Request())
	var denied *policy.DeniedError
	if err != nil && !errors.As(err, &denied) {
		return err
	}
	var denials []policy.Denial
	if denied != nil {
		denials = denied.Denials
	}
	if err := printExplanation(w, rows, denials); err != nil {
		return err
	}
	if denied != nil {
		return statusError(1)
	}
	return nil
}

func runInside(cmd *cobra.Command, f *runFlags, c *config, job *sandbox.Job) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	defer stop()
	// A reader of ours that is gone ends the job, not us: there is more to tidy.
	signal.Ignore(unix.SIGPIPE)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e, err := newEngine(ctx, engineOptions{config: *c, instance: fmt.Sprintf("%s%d", onceRun, os.Getpid()), parallel: 1,
		images: f.image != "", logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
	}
	if err := f.onImage(job, e); err != nil {
		return errors.Join(err, e.close())
	}
	stdin, err := pump(os.Stdin)
	if err != nil {
		return errors.Join(err, e.close())
	}
	defer stdin.Close()
	job.StdinFile = stdin
	if !f.json {
		job.Stdout, job.Stderr = &passThrough{os.Stdout, cancel}, &passThrough{os.Stderr, cancel}
	}
	result, err := e.runner.Run(ctx, job)
	err = errors.Join(err, e.close())
	if err != nil {
		return err
	}
	return f.report(cmd, result)
}

// passThrough hands the program's output on, and ends the job when nobody takes it.
type passThrough struct {
	to   *os.File
	gone func()
}

func (p *passThrough) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	if err != nil {
		p.gone()
	}
	return n, err
}

// report prints the account and turns the verdict into an exit status.
func (f *runFlags) report(cmd *cobra.Command, r *sandbox.Result) error {
	if f.json {
		if err := printJSON(cmd.OutOrStdout(), httpapi.NewResult(r)); err != nil {
			return err
		}
	} else if err := saveOutputs(r.Files); err != nil {
		return err
	}
	if !f.quiet && !f.json {
		fmt.Fprintln(os.Stderr, summary(r))
	}
	if status := exitOf(r); status != 0 {
		return statusError(status)
	}
	return nil
}

// summary is the one line about a run.
func summary(r *sandbox.Result) string {
	line := summaryOf(string(r.Verdict), r.Usage.CPUNanos, r.Usage.MemoryPeakBytes, r.Usage.WallNanos, r.Message)
	for _, d := range r.Events.DeniedSyscalls {
		line += summaryOfDenied(d.Name, int64(d.Count))
	}
	return line
}

func summaryOf(verdict string, cpu, memory, wall int64, message string) string {
	line := fmt.Sprintf("cordon: %s · cpu %s · peak memory %s · wall %s", verdict, time.Duration(cpu).Round(100*time.Microsecond),
		size(memory).String(), time.Duration(wall).Round(100*time.Microsecond))
	if message != "" {
		line += " · " + message
	}
	return line
}

func summaryOfDenied(name string, count int64) string {
	return fmt.Sprintf(" · denied %s ×%d", name, count)
}

// exitOf is the exit status that the README promises.
func exitOf(r *sandbox.Result) int {
	switch {
	case r.Verdict == sandbox.InternalError:
		return ownFailure
	case r.Verdict == sandbox.ExecFailed && r.ExecErrno == unix.ENOENT:
		return 127
	case r.Verdict == sandbox.ExecFailed:
		return 126
	case r.ExitCode != nil && *r.ExitCode != 0:
		return *r.ExitCode
	case r.Signal != "":
		return 128 + sandbox.SignalNumber(r.Signal)
	case r.Verdict != sandbox.OK: // ended well, but not within its limits
		return 128 + int(unix.SIGKILL)
	}
	return 0
}

// job is what the flags ask for.
func (f *runFlags) job(cmd *cobra.Command, args []string) (*sandbox.Job, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	if err := f.checkEnv(); err != nil {
		return nil, err
	}
	j := &sandbox.Job{ID: id.String(), Policy: f.policy, Command: args, Env: f.env, Outputs: f.outputs, WritableRoot: f.writable,
		RootDirs: f.rootDirs(), Limits: f.limits(cmd)}
	for _, name := range f.files {
		file, err := readFile(name)
		if err != nil {
			return nil, err
		}
		j.Files = append(j.Files, file)
	}
	return j, nil
}
