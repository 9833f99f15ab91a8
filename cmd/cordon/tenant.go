package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"cordon/tenants"
)

func newTenantCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tenant",
		Short: "Set, list and remove tenants and their limits",
		Long: "A tenant has jobs and files of its own, keys (cordon key), and limits. A running service follows every\n" +
			"change. Run this as the user of the service.",
	}
	addTenantFlags(cmd.PersistentFlags())
	cmd.AddCommand(tenantSetCommand(), tenantListCommand(), tenantRemoveCommand())
	return cmd
}

// noLimit lifts one.
const noLimit = "none"

// tenantLimit is one of a tenant's, by its name in the file.
type tenantLimit struct {
	name, help string
	set        func(*tenants.Limits, string) error
	show       func(*tenants.Limits) string
}

func countLimit(name, help string, of func(*tenants.Limits) *int) tenantLimit {
	return tenantLimit{name, help, func(l *tenants.Limits, text string) error {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s: %q given, a whole number is wanted, or %s", name, text, noLimit)
		}
		*of(l) = n
		return nil
	}, func(l *tenants.Limits) string { return strconv.Itoa(*of(l)) }}
}

func numberLimit(name, help string, of func(*tenants.Limits) *float64) tenantLimit {
	return tenantLimit{name, help, func(l *tenants.Limits, text string) error {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%s: %q given, a number such as 0.5 or 100 is wanted, or %s", name, text, noLimit)
		}
		*of(l) = n
		return nil
	}, func(l *tenants.Limits) string { return strconv.FormatFloat(*of(l), 'f', -1, 64) }}
}

func sizeLimit(name, help string, of func(*tenants.Limits) *int64) tenantLimit {
	return tenantLimit{name, help, func(l *tenants.Limits, text string) error {
		var s size
		if err := s.Set(text); err != nil {
			return fmt.Errorf("%s: %w, or %s", name, err, noLimit)
		}
		*of(l) = int64(s)
		return nil
	}, func(l *tenants.Limits) string { return size(*of(l)).String() }}
}

var tenantLimits = []tenantLimit{
	countLimit("concurrency", "jobs that run at once", func(l *tenants.Limits) *int { return &l.Concurrency }),
	numberLimit("rate", "jobs that come in a second", func(l *tenants.Limits) *float64 { return &l.Rate }),
	countLimit("burst", "jobs that may come at once, with rate", func(l *tenants.Limits) *int { return &l.Burst }),
	countLimit("queue", "jobs that wait in the durable queue", func(l *tenants.Limits) *int { return &l.Queue }),
	numberLimit("cpu_seconds_per_hour", "CPU time within an hour", func(l *tenants.Limits) *float64 { return &l.CPUPerHour }),
	sizeLimit("memory_bytes", "memory limits of all jobs that run, together", func(l *tenants.Limits) *int64 { return &l.MemoryBytes }),
	sizeLimit("stored_bytes", "kept files", func(l *tenants.Limits) *int64 { return &l.StoredBytes }),
}

// setLimit takes NAME=VALUE.
func setLimit(l *tenants.Limits, text string) error {
	name, value, found := strings.Cut(text, "=")
	for _, one := range tenantLimits {
		if one.name != strings.TrimSpace(name) || !found {
			continue
		}
		if value = strings.TrimSpace(value); value == noLimit {
			value = "0"
		}
		return one.set(l, value)
	}
	names := make([]string, len(tenantLimits))
	for i, one := range tenantLimits {
		names[i] = one.name
	}
	return fmt.Errorf("--limit: %q given, NAME=VALUE is wanted, with a name of %s", text, strings.Join(names, ", "))
}

func tenantSetCommand() *cobra.Command {
	var limits, policies []string
	var help strings.Builder
	for _, one := range tenantLimits {
		fmt.Fprintf(&help, "  %-22s%s\n", one.name, one.help)
	}
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Make a tenant, or change its limits", Args: cobra.ExactArgs(1),
		Long: "Makes a tenant, or changes those of its limits that are given. Limits:\n\n" + help.String() +
			"\nA limit of none, or 0, is none but the service's own. Nothing has to be started anew.",
		Example: "  cordon tenant set courses --limit concurrency=2,rate=5,cpu_seconds_per_hour=3600,stored_bytes=1G --policy judge",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := tenantsFile(cmd)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("policy") && (len(policies) == 0 || len(policies) > 1 && slices.Contains(policies, noLimit)) {
				return fmt.Errorf("--policy: %q given; names of policies are wanted, or %s alone for all of them", policies, noLimit)
			}
			created := false
			err = file.Edit(func(d *tenants.Document) (err error) {
				created, err = d.Set(args[0], time.Now(), func(l *tenants.Limits) error {
					for _, text := range limits {
						if err := setLimit(l, text); err != nil {
							return err
						}
					}
					if cmd.Flags().Changed("policy") {
						l.Policies = policies
					}
					if len(policies) == 1 && policies[0] == noLimit {
						l.Policies = nil
					}
					return nil
				})
				return err
			})
			if err != nil {
				return err
			}
			what := "changed"
			if created {
				what = "made; cordon key add --tenant " + args[0] + " gives it a key"
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "cordon: tenant %s %s\n", args[0], what)
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&limits, "limit", nil, "`NAME=VALUE` of a limit, with commas between, or given more than once")
	cmd.Flags().StringSliceVar(&policies, "policy", nil, "`names` of the policies that it may use; none: all")
	return cmd
}

func tenantListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the tenants and their limits", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := loadTenants(cmd)
			if err != nil {
				return err
			}
			type row struct {
				Name    string         `json:"name"`
				Created time.Time      `json:"created"`
				Limits  tenants.Limits `json:"limits"`
				Keys    int            `json:"good_keys"`
			}
			rows := []row{}
			for i := range d.Tenants {
				t := &d.Tenants[i]
				r := row{t.Name, t.Created, t.Limits, 0}
				for k := range t.Keys {
					if t.Keys[k].State(time.Now()) == "good" {
						r.Keys++
					}
				}
				rows = append(rows, r)
			}
			if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
				return printJSON(cmd.OutOrStdout(), rows)
			}
			columns := []string{"name", "good keys"}
			for _, one := range tenantLimits {
				columns = append(columns, one.name)
			}
			t := newTable(append(columns, "policies")...)
			for _, r := range rows {
				cells := table.Row{r.Name, r.Keys}
				for _, one := range tenantLimits {
					text := one.show(&r.Limits)
					if text == "0" {
						text = ""
					}
					cells = append(cells, text)
				}
				t.AppendRow(append(cells, strings.Join(r.Limits.Policies, " ")))
			}
			return printTable(cmd.OutOrStdout(), t)
		},
	}
	cmd.Flags().Bool("json", false, "print JSON")
	return cmd
}

func tenantRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a tenant and all its keys, at once", Args: cobra.ExactArgs(1),
		Long: "Removes a tenant and all its keys, at once. Jobs that it has queued are run, unless somebody cancels them; they, and\n" +
			"its files, go when their time has come. A tenant that is made later with this name has them again.",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := tenantsFile(cmd)
			if err != nil {
				return err
			}
			if err := file.Edit(func(d *tenants.Document) error { return d.Remove(args[0]) }); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "cordon: tenant %s removed\n", args[0])
			return nil
		},
	}
}
