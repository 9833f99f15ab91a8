package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"cordon/client"
)

func newStatusCommand() *cobra.Command {
	var r remote
	var asJSON bool
	cmd := r.command(&cobra.Command{
		Use: "status ID", Short: "What is known of a queued job", Args: cobra.ExactArgs(1),
		Long:    "Prints what the service knows of a job, with the account of its result when it has ended. --json prints all of it.",
		Example: "  cordon status 01a1ffc0-8141-724a-b3f1-8cc3569ca4ca",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client(hasty)
			if err != nil {
				return err
			}
			j, err := c.Job(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), j)
			}
			return printJob(cmd.OutOrStdout(), j, time.Now())
		},
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the job as JSON")
	return cmd
}

// printJob is a table of what there is to tell.
func printJob(w io.Writer, j *client.JobStatus, now time.Time) error {
	t := newTable("field", "value")
	row := func(name, value string) {
		if value != "" {
			t.AppendRow(table.Row{name, printable(value)})
		}
	}
	row("id", j.ID)
	row("state", string(j.State))
	row("priority", string(j.Priority))
	row("attempts", strconv.FormatInt(j.Attempts, 10))
	row("created", stamp(j.CreatedAt))
	row("started", stamp(j.StartedAt))
	row("finished", stamp(j.FinishedAt))
	row("ran", ranFor(j, now))
	if j.State == client.StateQueued {
		row("expires", stamp(j.ExpiresAt))
	}
	if j.CancelRequested {
		row("", "it is about to be ended")
	}
	if r := j.Result; r != nil {
		row("verdict", string(r.Verdict))
		row("message", r.Message)
		if r.ExitCode != nil {
			row("exit code", strconv.FormatInt(*r.ExitCode, 10))
		}
		if r.Signal != nil {
			row("signal", *r.Signal)
		}
		row("cpu", time.Duration(r.Usage.CPUNs).Round(100*time.Microsecond).String())
		row("peak memory", size(r.Usage.MemoryPeakBytes).String())
		row("output", fmt.Sprintf("%d bytes, and %d of errors", len(r.Stdout)+decodedLen(r.StdoutBase64), len(r.Stderr)+decodedLen(r.StderrBase64)))
	}
	if j.Problem != nil {
		row("problem", j.Problem.Error())
	}
	return printTable(w, t)
}

func decodedLen(text string) int { return len(text)/4*3 - strings.Count(text, "=") }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

// ranFor is how long the last attempt ran, or runs.
func ranFor(j *client.JobStatus, now time.Time) string {
	switch {
	case j.StartedAt.IsZero() || j.State == client.StateQueued:
		return ""
	case !j.FinishedAt.IsZero():
		now = j.FinishedAt
	}
	return now.Sub(j.StartedAt).Round(time.Millisecond).String()
}

func newListCommand() *cobra.Command {
	var r remote
	var state string
	var most int
	var asJSON bool
	states := []string{"queued", "running", "done", "failed", "cancelled", "expired", "interrupted"}
	cmd := r.command(&cobra.Command{
		Use: "list", Short: "List queued jobs and those that have ended", Args: cobra.NoArgs,
		Long:    "Lists jobs in the order in which they came: those that wait or run, and those whose records are kept yet.",
		Example: "  cordon list --state running",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if state != "" && !slices.Contains(states, state) {
				return fmt.Errorf("--state: %q given, allowed are %s", state, strings.Join(states, ", "))
			}
			if most < 1 {
				return fmt.Errorf("--most: %d given, at least 1 is wanted", most)
			}
			c, err := r.client(hasty)
			if err != nil {
				return err
			}
			all := []*client.JobStatus{}
			for j, err := range c.Jobs(cmd.Context(), client.JobsQuery{State: client.State(state), Page: min(most, 1000)}) {
				if err != nil {
					return err
				}
				if all = append(all, j); len(all) == most {
					break
				}
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), all)
			}
			return printJobs(cmd.OutOrStdout(), all, time.Now())
		},
	})
	cmd.Flags().StringVar(&state, "state", "", "only jobs in this `state`: "+strings.Join(states, ", "))
	cmd.Flags().IntVar(&most, "most", 1000, "jobs that are listed, at most")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the jobs as JSON")
	return cmd
}

func printJobs(w io.Writer, all []*client.JobStatus, now time.Time) error {
	t := newTable("id", "state", "priority", "attempts", "created", "ran")
	for _, j := range all {
		t.AppendRow(table.Row{j.ID, j.State, j.Priority, j.Attempts, stamp(j.CreatedAt), ranFor(j, now)})
	}
	return printTable(w, t)
}

func newCancelCommand() *cobra.Command {
	var r remote
	return r.command(&cobra.Command{
		Use: "cancel ID…", Short: "Cancel queued jobs", Args: cobra.MinimumNArgs(1),
		Long: "Ends jobs, and prints the state that each has then: one that waits is not begun, one that runs is killed with all\n" +
			"its processes, and one that has ended stays as it is. The exit status is 125 when one of them is not known.",
		Example: "  cordon cancel 01a1ffc0-8141-724a-b3f1-8cc3569ca4ca",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client(hasty)
			if err != nil {
				return err
			}
			var failed []error
			for _, id := range args {
				j, err := c.Cancel(cmd.Context(), id)
				if err != nil {
					failed = append(failed, fmt.Errorf("%s: %w", id, err))
					continue
				}
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), id, j.State); err != nil {
					return err
				}
			}
			return errors.Join(failed...)
		},
	})
}

func newLogsCommand() *cobra.Command {
	var r remote
	var follow bool
	cmd := r.command(&cobra.Command{
		Use: "logs [-f] ID", Short: "Print what a queued job has printed", Args: cobra.ExactArgs(1),
		Long: "Prints the job's standard output and standard error, each to where it belongs. With -f it goes on until the job\n" +
			"has ended, also over broken connections and starts of the service, and exits as cordon submit --wait does.\n" +
			"Jobs with tests, and those that are measured, tell their output at the end only.",
		Example: "  cordon logs -f 01a1ffc0-8141-724a-b3f1-8cc3569ca4ca",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client(patient)
			if err != nil {
				return err
			}
			if err := r.knows(cmd.Context(), args[0]); err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			to := &follower{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), progress: newJobProgress(cmd.ErrOrStderr(), true)}
			if !follow {
				to.enough = toldSoFar
			}
			ended, err := to.follow(ctx, c, args[0])
			switch {
			case err != nil:
				return followFailed(ctx, cmd, args[0], err)
			case ended != nil && ended.Result == nil:
				fmt.Fprintln(cmd.ErrOrStderr(), summaryOfJob(ended))
			}
			if ended == nil || !follow || exitOfJob(ended) == 0 {
				return nil
			}
			return statusError(exitOfJob(ended))
		},
	})
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the job has ended")
	return cmd
}

// toldSoFar: what a job has printed is told before what it uses, which comes at once or
// within a second. One that waits has not printed.
func toldSoFar(e *client.Event) bool {
	return e.Type == client.EventUsage || e.Type == client.EventState && e.Job.State == client.StateQueued
}
