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
	policy               string
	memory, disk         size
	cpu, wall            time.Duration
	pids                 int64
	cpus                 float64
	files, env, outputs  []string
	root                 string
	writable             bool
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
			if len(args) == 0 {
				return errors.New("run: no command; write it behind --, as in: cordon run -- python3 main.py")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runCommand(cmd, &f, args) },
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false)
	flags.StringVar(&f.policy, "policy", "dev", "`name` of the policy")
	flags.Var(&f.memory, "memory", "memory limit, such as 64M")
	flags.Var(&f.disk, "disk", "size of the scratch, such as 16M")
	flags.DurationVar(&f.cpu, "cpu-time", 0, "CPU time limit of all processes together, such as 2s")
	flags.DurationVar(&f.wall, "wall-time", 0, "wall time limit, such as 10s")
	flags.Int64Var(&f.pids, "pids", 0, "processes and threads at once")
	flags.Float64Var(&f.cpus, "cpus", 0, "CPU rate, such as 0.5")
	flags.StringArrayVar(&f.files, "file", nil, "copy the file `path[:name]` into /work, as name; may be repeated")
	flags.StringArrayVar(&f.env, "env", nil, "set a variable, `NAME=value`; may be repeated")
	flags.StringArrayVar(&f.outputs, "output", nil, "copy files that match `pattern` from /work into this directory; may be repeated")
	flags.StringVar(&f.root, "root", "", "directory trees `dir[:dir]` as the root, topmost first, instead of this machine's programs")
	flags.BoolVar(&f.writable, "writable-root", false, "let the program change the root; changes are gone afterwards")
	flags.BoolVar(&f.json, "json", false, "print the whole result as JSON instead of passing the output through")
	flags.BoolVar(&f.explain, "explain", false, "print what would be granted and stop")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no summary line")
	addFlags(flags)
	for _, name := range []string{"listen", "socket", "parallel", "queue", "warm", "warm-most", "overcommit", "drain", "go-cache", "state"} {
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
		logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
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
	line := fmt.Sprintf("cordon: %s · cpu %s · peak memory %s · wall %s", r.Verdict, time.Duration(r.Usage.CPUNanos).Round(100*time.Microsecond),
		size(r.Usage.MemoryPeakBytes).String(), time.Duration(r.Usage.WallNanos).Round(100*time.Microsecond))
	if r.Message != "" {
		line += " · " + r.Message
	}
	for _, d := range r.Events.DeniedSyscalls {
		line += fmt.Sprintf(" · denied %s ×%d", d.Name, d.Count)
	}
	return line
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
	j := &sandbox.Job{ID: id.String(), Policy: f.policy, Command: args, Env: f.env, Outputs: f.outputs, WritableRoot: f.writable}
	if f.root != "" {
		j.RootDirs = strings.Split(f.root, ":")
	}
	for _, kv := range f.env {
		if name, _, ok := strings.Cut(kv, "="); !ok || name == "" {
			return nil, fmt.Errorf("--env: %q given, NAME=value is wanted", kv)
		}
	}
	set := func(flag string, to **int64, value int64) {
		if cmd.Flags().Changed(flag) {
			*to = &value
		}
	}
	set("memory", &j.Limits.MemoryBytes, int64(f.memory))
	set("disk", &j.Limits.DiskBytes, int64(f.disk))
	set("cpu-time", &j.Limits.CPUMillis, f.cpu.Milliseconds())
	set("wall-time", &j.Limits.WallMillis, f.wall.Milliseconds())
	set("pids", &j.Limits.Pids, f.pids)
	if cmd.Flags().Changed("cpus") {
		j.Limits.CPUs = &f.cpus
	}
	for _, name := range f.files {
		file, err := readFile(name)
		if err != nil {
			return nil, err
		}
		j.Files = append(j.Files, file)
	}
	return j, nil
}
