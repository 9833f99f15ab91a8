package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"cordon/internal/doctor"
	"cordon/languages"
)

// notReady is the exit status of a host that cannot run jobs with every limit.
const notReady statusError = 1

// diagnosis is doctor.Run; tests give another.
type diagnosis func(context.Context, doctor.Options) (*doctor.Report, error)

func newDoctorCommand() *cobra.Command { return doctorCommand(doctor.Run) }

func doctorCommand(run diagnosis) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell whether this host can run jobs with every limit, and what to do if not",
		Long: "Looks at every feature of the kernel and the host that Cordon needs or likes. What the kernel can do\n" +
			"is tried, not read from its version. Rows that are missing and needed make the host not ready; degraded\n" +
			"means that every limit holds and something less is lost. The exit status is 0 when the host is ready,\n" +
			"1 when it is not. Ask as the user who runs the service: root does not run jobs.",
		Example: "  cordon doctor\n  cordon doctor --json | jq '.rows[] | select(.status != \"ok\")'",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return diagnose(cmd, run) },
	}
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.Flags().String("cgroup", os.Getenv("CORDON_CGROUP"), "delegated cgroup `directory`; empty: found by itself")
	return cmd
}

func diagnose(cmd *cobra.Command, run diagnosis) error {
	set, err := languages.Load()
	if err != nil {
		return err
	}
	path, _ := cmd.Flags().GetString("cgroup")
	ctx := cmd.Context()
	if ctx == nil { // a command that is executed without one has none
		ctx = context.Background()
	}
	r, err := run(ctx, doctor.Options{CgroupPath: path, Inside: inside, Languages: toolchains(set)})
	if err != nil {
		return err
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		err = printJSON(cmd.OutOrStdout(), r)
	} else {
		err = printReport(cmd.OutOrStdout(), r)
	}
	if err == nil && !r.Ready {
		err = notReady
	}
	return err
}

// printReport shows the table, then each command in full on a line of its own,
// as it is copied: a column would break it.
func printReport(w io.Writer, r *doctor.Report) error {
	t := newTable("feature", "status", "found", "without it")
	t.SetColumnConfigs([]table.ColumnConfig{
		{Name: "found", WidthMax: 48, WidthMaxEnforcer: text.WrapSoft},
		{Name: "without it", WidthMax: 40, WidthMaxEnforcer: text.WrapSoft},
	})
	for _, row := range r.Rows {
		t.AppendRow(table.Row{row.Name, row.Status, row.Found, row.Lost})
	}
	if err := printTable(w, t); err != nil {
		return err
	}
	if err := printFixes(w, r.Rows); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, r.Summary())
	return err
}

// printFixes tells each command once, with the features that it mends.
func printFixes(w io.Writer, rows []doctor.Row) error {
	mended := map[string][]string{}
	for _, row := range rows {
		mended[row.Fix] = append(mended[row.Fix], row.Name)
	}
	for _, row := range rows {
		if row.Fix == "" || mended[row.Fix] == nil {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s:\n    %s\n", strings.Join(mended[row.Fix], ", "), row.Fix); err != nil {
			return err
		}
		mended[row.Fix] = nil
	}
	return nil
}

// toolchains looks for the languages of a set, once, and lists them.
func toolchains(set *languages.Set) func(context.Context) ([]doctor.Toolchain, error) {
	return func(ctx context.Context) ([]doctor.Toolchain, error) {
		if err := set.Detect(ctx); err != nil {
			return nil, err
		}
		var out []doctor.Toolchain
		for _, i := range set.List() {
			if i.Missing != "" && i.Family != "" && i.Family != i.ID {
				continue // one version of several: nobody has all
			}
			out = append(out, doctor.Toolchain{ID: i.ID, Version: i.Version, Missing: i.Missing})
		}
		return out, nil
	}
}

// newProbeCommand is the child side of the doctor's trials.
func newProbeCommand() *cobra.Command {
	return &cobra.Command{
		Use: doctor.ProbeCommand + " NAME", Short: "Try one ability of the kernel", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return doctor.RunProbe(args[0], cmd.OutOrStdout()) },
	}
}
