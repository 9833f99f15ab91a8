package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"cordon/policies"
	"cordon/policy"
	"cordon/seccomp"
)

// policyOptions are how every command reads policy files.
var policyOptions = []policies.Option{policies.WithSyscalls(seccomp.Known)}

// notUsable is the exit status for a policy file with problems and for a
// request that a policy denies: neither is a failure of ours.
const notUsable statusError = 1

func newPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show, check and explain policies",
		Long: "A policy is the ceiling of what a job may have. Cordon brings some; --policies, or the variable\n" +
			"CORDON_POLICIES, adds the operator's own.",
	}
	cmd.PersistentFlags().String("policies", os.Getenv("CORDON_POLICIES"), "`directory` of further policy files")
	cmd.AddCommand(policyListCommand(), policyShowCommand(), policyCheckCommand(), policyExplainCommand(), policySeccompCommand(), policySchemaCommand())
	return cmd
}

// policyDir reads the flag that all commands below policy share.
func policyDir(cmd *cobra.Command) string { return cmd.Flag("policies").Value.String() }

func policyListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the policies", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := policies.Load(policyDir(cmd), policyOptions...)
			if err != nil {
				return err
			}
			if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
				return printJSON(cmd.OutOrStdout(), set.List())
			}
			t := newTable("name", "description", "extends", "source")
			for _, i := range set.List() {
				t.AppendRow(table.Row{i.Name, i.Description, i.Extends, i.Source})
			}
			return printTable(cmd.OutOrStdout(), t)
		},
	}
	cmd.Flags().Bool("json", false, "print JSON")
	return cmd
}

func policyShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show a policy with everything it takes over, and the reasons", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := getPolicy(cmd, args[0])
			if err != nil {
				return err
			}
			if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
				return printJSON(cmd.OutOrStdout(), p)
			}
			// A request that asks for nothing shows every rule of both steps.
			rows, err := policy.Explain(p, policy.Request{HasBuild: true})
			if err != nil {
				return err
			}
			t := newTable("field", "default", "max", "reason")
			for _, r := range rows {
				t.AppendRow(table.Row{r.Field, r.Value, r.Max, oneLine(r.Reason)})
			}
			choice := p.Root.JobMayChooseDirs
			t.AppendRow(table.Row{"root.job_may_choose_dirs", choice.Allowed, "", oneLine(choice.Reason)})
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", p.Name, oneLine(p.Description))
			return printTable(cmd.OutOrStdout(), t)
		},
	}
	cmd.Flags().Bool("json", false, "print JSON")
	return cmd
}

func policyCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE...", Short: "Check policy files; exit status 1 if one has a problem", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reports, err := policies.CheckFiles(policyDir(cmd), args, policyOptions...)
			if err != nil {
				return err
			}
			var status error
			for _, r := range reports {
				if r.Err != nil {
					status = notUsable
					fmt.Fprintln(cmd.OutOrStdout(), r.Err)
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: ok, policy %s\n", r.File, r.Policy.Name)
			}
			return status
		},
	}
}

func policyExplainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain NAME [FIELD=VALUE...]",
		Short: "Say what a job would get, and why; exit status 1 if it is denied",
		Long: "Say what a job would get that asks for these values, where each comes from, and why. The fields\n" +
			"are those of the API: limits.cpu_ms (or cpu_ms alone), build.limits.cpu_ms, files, stdin, outputs,\n" +
			"env (each a number), writable_root=true, root_dirs=/a:/b.",
		Example: "  cordon policy explain judge cpu_ms=5000 build.limits.memory_bytes=2147483648",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := parseRequest(args[1:])
			if err != nil {
				return err
			}
			p, err := getPolicy(cmd, args[0])
			if err != nil {
				return err
			}
			return explain(cmd, p, q)
		},
	}
	cmd.Flags().Bool("json", false, "print JSON")
	return cmd
}

func explain(cmd *cobra.Command, p *policy.Policy, q policy.Request) error {
	rows, err := policy.Explain(p, q)
	var denied *policy.DeniedError
	if err != nil && !errors.As(err, &denied) {
		return err
	}
	var denials []policy.Denial
	var status error
	if denied != nil {
		denials, status = denied.Denials, notUsable
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		err = printJSON(cmd.OutOrStdout(), map[string]any{"policy": p.Name, "granted": denied == nil, "rows": rows, "denials": denials})
	} else {
		err = printExplanation(cmd.OutOrStdout(), rows, denials)
	}
	if err != nil {
		return err
	}
	return status
}

// printExplanation shows what a request gets, and everything it does not.
func printExplanation(w io.Writer, rows []policy.Row, denials []policy.Denial) error {
	t := newTable("field", "value", "max", "source", "reason")
	for _, r := range rows {
		t.AppendRow(table.Row{r.Field, r.Value, r.Max, r.Source, oneLine(r.Reason)})
	}
	if err := printTable(w, t); err != nil {
		return err
	}
	for _, d := range denials {
		if _, err := fmt.Fprintf(w, "denied: %s\n", d); err != nil {
			return err
		}
	}
	return nil
}

func policySchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of policy files", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(policies.Schema())
			return err
		},
	}
}

func getPolicy(cmd *cobra.Command, name string) (*policy.Policy, error) {
	set, err := policies.Load(policyDir(cmd), policyOptions...)
	if err != nil {
		return nil, err
	}
	return set.Get(name)
}

// newTable makes a plain ASCII table without colour, fit for a terminal, a pipe
// and a mail alike. The last column of a wide table wraps.
func newTable(columns ...string) table.Writer {
	t := table.NewWriter()
	header := table.Row{}
	for _, c := range columns {
		header = append(header, c)
	}
	t.AppendHeader(header)
	t.SetColumnConfigs([]table.ColumnConfig{
		{Name: "reason", WidthMax: 60, WidthMaxEnforcer: text.WrapSoft},
		{Name: "value", WidthMax: 40, WidthMaxEnforcer: text.WrapText},
	})
	return t
}

func printTable(w io.Writer, t table.Writer) error {
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// oneLine folds a text of several lines, as YAML gives it, into one.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
