package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"cordon/internal/verify"
)

// verifyFlags are what cordon verify takes.
type verifyFlags struct {
	rows           []string
	runs           int
	loaded         bool
	json, markdown bool
	with           []string
	tolerances     int
}

func newVerifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use: "verify", Short: "Attack the sandbox on this machine and see that it holds", Args: cobra.NoArgs,
		Long: "Starts a service of its own and sends it small hostile programs as jobs. Each has an outcome that is promised;\n" +
			"a probe for something that must be denied is also run outside, because one that fails there too proves nothing.\n\n" +
			"  contained  it came out as promised\n" +
			"  vacuous    so it did, but on this kernel it would have come out so without a sandbox\n" +
			"  ESCAPED    a job got what it must not get\n" +
			"  WRONG      another verdict, account or after-state than promised\n\n" +
			"Needs a C compiler. Exit status 0 only if nothing is ESCAPED or WRONG.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.runs < 1 {
				return fmt.Errorf("--runs: %d given, at least 1 is wanted", f.runs)
			}
			if os.Geteuid() == 0 {
				return errRoot("verify")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM)
			defer stop()
			return runVerify(ctx, cmd, &f)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.rows, "row", nil, "only the row with this `id`; may be repeated")
	flags.IntVar(&f.runs, "runs", 1, "how often to run all; a difference between two runs is a failure")
	flags.BoolVar(&f.loaded, "loaded", false, "keep every processor busy meanwhile")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.BoolVar(&f.markdown, "markdown", false, "print a table in Markdown")
	flags.StringArrayVar(&f.with, "with", nil, "with --markdown: a `file` that --json printed elsewhere, as a further column; may be repeated")
	flags.IntVar(&f.tolerances, "tolerances", 0, "instead, measure so `often` how exactly limits are held and usage is told")
	addFlags(flags)
	for _, name := range []string{"listen", "socket", "state", "go-cache", "files-bytes", "files-ttl", "drain", "parallel", "queue", "warm", "warm-most", "image-templates", "languages", "language-dir", "cpu-scale"} {
		_ = flags.MarkHidden(name)
	}
	return cmd
}

func runVerify(ctx context.Context, cmd *cobra.Command, f *verifyFlags) error {
	c, err := loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	o := verify.Options{Binary: binary, User: userName(), Rows: f.rows, Loaded: f.loaded}
	if c.Cgroup != "" {
		o.Serve = append(o.Serve, "--cgroup", c.Cgroup)
	}
	if c.Policies != "" {
		o.Serve = append(o.Serve, "--policies", c.Policies)
	}
	if f.tolerances > 0 {
		return printTolerances(ctx, cmd.OutOrStdout(), f, o)
	}
	o.Note = func(row *verify.Outcome) { noteRow(cmd.ErrOrStderr(), row) }
	reports, err := readReports(f.with)
	if err != nil {
		return err
	}
	var first *verify.Report
	for range f.runs {
		report, err := verify.Run(ctx, o)
		if err != nil {
			return err
		}
		if !report.Good() {
			first = report
			break
		}
		if first == nil {
			first = report
		} else if d := first.Differences(report); len(d) > 0 {
			return fmt.Errorf("two runs differ: %s", strings.Join(d, "; "))
		}
	}
	if err := printVerify(cmd.OutOrStdout(), f, first, reports); err != nil {
		return err
	}
	if !first.Good() {
		return statusError(1)
	}
	return nil
}

// printTolerances measures and prints.
func printTolerances(ctx context.Context, w io.Writer, f *verifyFlags, o verify.Options) error {
	t, err := verify.Measure(ctx, o, f.tolerances)
	switch {
	case err != nil:
		return err
	case f.json:
		return printJSON(w, t)
	case f.markdown:
		return t.Markdown(w)
	}
	shown := newTable("kernel "+t.Kernel+", "+t.Cgroup, "unit", "least", "median", "most", "runs")
	for _, r := range t.Rows {
		shown.AppendRow(table.Row{r.Name, r.Unit, fmt.Sprintf("%.2f", r.Min), fmt.Sprintf("%.2f", r.Mid), fmt.Sprintf("%.2f", r.Max), r.Runs})
	}
	return printTable(w, shown)
}

// noteRow tells of each row as soon as it is through.
func noteRow(w io.Writer, o *verify.Outcome) {
	fmt.Fprintf(w, "%-5s %-10s %s\n", o.ID, o.Record, o.Title)
	for _, p := range o.Problems {
		fmt.Fprintf(w, "      %s\n", p)
	}
}

func readReports(names []string) ([]*verify.Report, error) {
	var out []*verify.Report
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("--with: %w", err)
		}
		var r verify.Report
		if err := json.Unmarshal(text, &r); err != nil || len(r.Rows) == 0 {
			return nil, fmt.Errorf("--with %s: not a report that cordon verify --json has printed: %v", name, err)
		}
		out = append(out, &r)
	}
	return out, nil
}

func printVerify(w io.Writer, f *verifyFlags, r *verify.Report, others []*verify.Report) error {
	switch {
	case f.json:
		return printJSON(w, r)
	case f.markdown:
		return verify.Markdown(w, append([]*verify.Report{r}, others...))
	}
	t := newTable("", "rows")
	for _, record := range []string{verify.Contained, verify.Vacuous, verify.Escaped, verify.Wrong, verify.Missing} {
		t.AppendRow(table.Row{record, r.Count(record)})
	}
	fmt.Fprintf(w, "\nkernel %s, %s, %d of the probes vacuous\n", r.Kernel, r.Cgroup, len(r.Vacuous()))
	return printTable(w, t)
}
