package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"cordon/bench"
)

// benchProgram does nothing, so that all that is measured is ours.
const benchProgram = "/bin/true"

// benchFlags are what cordon bench takes.
type benchFlags struct {
	only          []string
	quick, full   bool
	scale         bool
	json          bool
	markdown      bool
	compare, read string
	plot          string
	peers         []string
	peerToken     string
	sustain       time.Duration
	soak          int
	trace         int
	service       bool
	jobs          int
}

func newBenchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure what a job costs against the bare program", Args: cobra.NoArgs,
		Long: "Starts a service of its own and sends it jobs over HTTP, in turns with the same programs without a sandbox,\n" +
			"with other sandboxes that are installed (bwrap, crun, runc, podman), and with the services that --peer names.\n" +
			"Takes two to three minutes. The ratios of one run compare; times of two machines, or of two days, do not.\n" +
			"Leave the machine alone meanwhile. docs/performance.md tells what each figure is.",
		Example: "  cordon bench --plot plots --json > today.json\n  cordon bench --only latency --peer go-judge=http://127.0.0.1:5050\n" +
			"  cordon bench --read today.json --compare yesterday.json\n" +
			"  cordon bench --service",
		RunE: func(cmd *cobra.Command, _ []string) error { return benchCommand(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.only, "only", nil, "only these `groups`, with commas between: "+strings.Join(bench.Groups, ", "))
	flags.BoolVar(&f.quick, "quick", false, "some seconds, for a first look")
	flags.BoolVar(&f.full, "full", false, "as long as it takes, for figures to keep: about ten minutes")
	flags.BoolVar(&f.scale, "scale", false, "also how the cost grows with running jobs, policies, roots, output and input")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.BoolVar(&f.markdown, "markdown", false, "print tables in Markdown")
	flags.StringVar(&f.compare, "compare", "", "set it beside another report, a `file` that --json has printed")
	flags.StringVar(&f.read, "read", "", "measure nothing and show a report that --json has printed, from this `file`")
	flags.StringVar(&f.plot, "plot", "", "draw the curves as SVG into this `directory`; measures --scale as well")
	flags.StringArrayVar(&f.peers, "peer", nil, "measure a running service as well, `KIND=URL`, with go-judge or cordon as KIND; may be repeated")
	flags.StringVar(&f.peerToken, "peer-token", "", "`file` with the bearer token of the peers")
	flags.DurationVar(&f.sustain, "sustain", 0, "how `long` jobs are run without a pause (default 30s, with --full 2m)")
	flags.IntVar(&f.soak, "soak", 0, "so many `jobs` before the daemon's memory is read again (default 20000, with --full 100000)")
	flags.IntVar(&f.trace, "trace", 0, "measure nothing else, and tell where the time of a job goes, with so many `clients`")
	flags.BoolVar(&f.service, "service", false, "measure the durable queue of POST /v1/jobs: accepted jobs, the way to a result, a full queue, kill -9, a flood")
	flags.IntVar(&f.jobs, "jobs", 0, "so many `jobs` wait in the full queue of --service (default 10000)")
	flags.Lookup("trace").NoOptDefVal = "1"
	addFlags(flags)
	for _, name := range []string{"listen", "socket", "allow-host", "state", "go-cache", "files-bytes", "files-ttl", "languages", "language-dir", "drain", "log-level", "parallel", "queue", "warm", "warm-most", "image-templates", "policies", "cpu-scale"} {
		_ = flags.MarkHidden(name)
	}
	return cmd
}

func benchCommand(cmd *cobra.Command, f *benchFlags) error {
	report, other, err := f.given()
	if err != nil {
		return err
	}
	if report == nil {
		if os.Geteuid() == 0 {
			return errRoot("bench")
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		if f.trace > 0 {
			return f.traced(ctx, cmd)
		}
		if report, err = f.measure(ctx, cmd); err != nil {
			return err
		}
	}
	if f.plot != "" {
		if err := report.Plot(f.plot); err != nil {
			return fmt.Errorf("--plot: %w", err)
		}
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), report)
	}
	w := benchPrinter{cmd.OutOrStdout(), f.markdown}
	if other != nil {
		return w.compared(report, other)
	}
	return w.print(report)
}

// given checks the flags before anything is measured, and reads the reports that
// they name.
func (f *benchFlags) given() (report, other *bench.Report, err error) {
	for _, group := range f.only {
		if !slices.Contains(bench.Groups, group) {
			return nil, nil, fmt.Errorf("--only: %q given, allowed are %s", group, strings.Join(bench.Groups, ", "))
		}
	}
	switch {
	case f.quick && f.full:
		return nil, nil, errors.New("--quick and --full: both given; leave one out")
	case f.sustain < 0:
		return nil, nil, fmt.Errorf("--sustain: %v given, a time such as 60s is wanted", f.sustain)
	case f.trace < 0:
		return nil, nil, fmt.Errorf("--trace: %d given, a number of clients is wanted", f.trace)
	case f.jobs < 0:
		return nil, nil, fmt.Errorf("--jobs: %d given, a number of jobs is wanted", f.jobs)
	case f.soak < 0:
		return nil, nil, fmt.Errorf("--soak: %d given, a number of jobs is wanted", f.soak)
	}
	if f.read != "" {
		if report, err = bench.ReadReport(f.read); err != nil {
			return nil, nil, fmt.Errorf("--read: %w", err)
		}
	}
	if f.compare != "" {
		if other, err = bench.ReadReport(f.compare); err != nil {
			return nil, nil, fmt.Errorf("--compare: %w", err)
		}
	}
	return report, other, nil
}

// groups are those that are asked for; none means those of every run.
func (f *benchFlags) groups() []string {
	groups := slices.Clone(f.only)
	if len(groups) == 0 && (f.scale || f.plot != "") {
		groups = slices.DeleteFunc(slices.Clone(bench.Groups), func(g string) bool { return g == bench.Queue })
	}
	if f.service {
		groups = append(groups, bench.Queue)
	}
	return groups
}

// options are those of every way to measure.
func (f *benchFlags) options(cmd *cobra.Command) (o bench.Options, err error) {
	c, err := loadConfig(cmd.Flags())
	if err != nil {
		return o, err
	}
	o = bench.Options{Program: benchProgram, Groups: f.groups(), Sustain: f.sustain, Soak: f.soak, Jobs: f.jobs, Tenants: benchTenants,
		Note: func(what string) { fmt.Fprintln(cmd.ErrOrStderr(), "measuring", what) }}
	if o.Binary, err = os.Executable(); err != nil {
		return o, err
	}
	if c.Cgroup != "" {
		o.Serve = append(o.Serve, "--cgroup", c.Cgroup)
	}
	switch {
	case f.quick:
		o.Effort = bench.Quick
	case f.full:
		o.Effort = bench.Full
	}
	return o, nil
}

// traced tells where the time goes.
func (f *benchFlags) traced(ctx context.Context, cmd *cobra.Command) error {
	o, err := f.options(cmd)
	if err != nil {
		return err
	}
	traced, err := bench.Trace(ctx, o, f.trace)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), traced)
	}
	return benchPrinter{cmd.OutOrStdout(), f.markdown}.stages(traced)
}

// measure runs the benchmark.
func (f *benchFlags) measure(ctx context.Context, cmd *cobra.Command) (*bench.Report, error) {
	o, err := f.options(cmd)
	if err != nil {
		return nil, err
	}
	token := ""
	if f.peerToken != "" {
		text, err := os.ReadFile(f.peerToken)
		if err != nil {
			return nil, fmt.Errorf("--peer-token: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	for _, text := range f.peers {
		p, err := bench.ParsePeer(text, token)
		if err != nil {
			return nil, err
		}
		o.Peers = append(o.Peers, p)
	}
	return bench.Measure(ctx, o)
}
