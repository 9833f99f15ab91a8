package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"cordon/tenants"
)

func newKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Add, list, rotate and revoke the keys of tenants",
		Long: "A key lets a tenant use the API, within its scopes and the tenant's limits. Keys are kept, as hashes, in\n" +
			"a file that a running service follows: nothing has to be started anew. Run this as the user of the service.",
	}
	addTenantFlags(cmd.PersistentFlags())
	cmd.AddCommand(keyAddCommand(), keyListCommand(), keyRevokeCommand(), keyRotateCommand())
	return cmd
}

// printKey shows a new key: the text on standard output, for programs, and what it is on
// standard error.
func printKey(cmd *cobra.Command, text, what string) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "cordon: %s; this is shown once:\n", what)
	_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

func keyAddCommand() *cobra.Command {
	var tenant, name, expires string
	var scopes []string
	cmd := &cobra.Command{
		Use: "add --tenant NAME", Short: "Make a key and print it, once", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := tenantsFile(cmd)
			if err != nil {
				return err
			}
			now, end := time.Now(), time.Time{}
			if cmd.Flags().Changed("expires") { // given and empty it is no time: not a key for ever
				d, err := days("expires", expires)
				if err != nil {
					return err
				}
				end = now.Add(d)
			}
			list := make([]tenants.Scope, len(scopes))
			for i, s := range scopes {
				list[i] = tenants.Scope(strings.TrimSpace(s))
			}
			var text string
			var key tenants.Key
			err = file.Edit(func(d *tenants.Document) (err error) {
				text, key, err = d.AddKey(tenant, name, list, now, end)
				return err
			})
			if err != nil {
				return err
			}
			return printKey(cmd, text, fmt.Sprintf("key %s of tenant %s", key.ID, tenant))
		},
	}
	defaults := make([]string, len(tenants.DefaultScopes))
	for i, s := range tenants.DefaultScopes {
		defaults[i] = string(s)
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`name` of the tenant; cordon tenant set makes it")
	cmd.Flags().StringVar(&name, "name", "", "a `name` for people, as in lists")
	cmd.Flags().StringSliceVar(&scopes, "scope", defaults, "`scopes` of the key, with commas between, or given more than once: "+fmt.Sprint(tenants.Scopes))
	cmd.Flags().StringVar(&expires, "expires", "", "how `long` the key is good, as in 90d; not given: until it is revoked")
	_ = cmd.MarkFlagRequired("tenant")
	return cmd
}

// keyRow is a key as it is listed: nothing in it is secret, nor made of a secret.
type keyRow struct {
	ID      string          `json:"id"`
	Tenant  string          `json:"tenant"`
	Name    string          `json:"name,omitempty"`
	Scopes  []tenants.Scope `json:"scopes"`
	State   string          `json:"state"`
	Created time.Time       `json:"created"`
	Rotated time.Time       `json:"rotated,omitzero"`
	Expires time.Time       `json:"expires,omitzero"`
	Revoked time.Time       `json:"revoked,omitzero"`
	Overlap time.Time       `json:"earlier_secret_until,omitzero"`
}

func keyRows(d *tenants.Document, tenant string, now time.Time) []keyRow {
	rows := []keyRow{}
	for i := range d.Tenants {
		t := &d.Tenants[i]
		if tenant != "" && t.Name != tenant {
			continue
		}
		for _, k := range t.Keys {
			row := keyRow{ID: k.ID, Tenant: t.Name, Name: k.Name, Scopes: k.Scopes, State: k.State(now), Created: k.Created, Rotated: k.Rotated, Expires: k.Expires, Revoked: k.Revoked}
			for _, old := range k.Previous {
				if now.Before(old.Until) && old.Until.After(row.Overlap) && row.State == "good" {
					row.Overlap = old.Until
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// loadTenants reads the file; one that is not there has nobody.
func loadTenants(cmd *cobra.Command) (*tenants.Document, error) {
	file, err := tenantsFile(cmd)
	if err != nil {
		return nil, err
	}
	d, err := file.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return &tenants.Document{}, nil
	}
	return d, err
}

func keyListCommand() *cobra.Command {
	var tenant string
	cmd := &cobra.Command{
		Use: "list", Short: "List the keys, without their secrets", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := loadTenants(cmd)
			if err != nil {
				return err
			}
			rows := keyRows(d, tenant, time.Now())
			if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
				return printJSON(cmd.OutOrStdout(), rows)
			}
			t := newTable("id", "tenant", "name", "scopes", "state", "created", "rotated", "expires", "earlier secret until")
			for _, r := range rows {
				t.AppendRow(table.Row{r.ID, r.Tenant, r.Name, strings.Trim(fmt.Sprint(r.Scopes), "[]"), r.State, day(r.Created), day(r.Rotated), day(r.Expires), day(r.Overlap)})
			}
			return printTable(cmd.OutOrStdout(), t)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "only those of the tenant of this `name`")
	cmd.Flags().Bool("json", false, "print JSON")
	return cmd
}

func keyRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID...", Short: "End keys for good, at once", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			file, err := tenantsFile(cmd)
			if err != nil {
				return err
			}
			err = file.Edit(func(d *tenants.Document) error {
				for _, id := range ids {
					if _, err := d.Revoke(id, time.Now()); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "cordon: revoked: %s\n", strings.Join(ids, " "))
			return nil
		},
	}
}

func keyRotateCommand() *cobra.Command {
	var overlap string
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Give a key a new secret and print it, once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := tenantsFile(cmd)
			if err != nil {
				return err
			}
			wait, err := days("overlap", overlap)
			if err != nil {
				return err
			}
			var text string
			err = file.Edit(func(d *tenants.Document) (err error) {
				text, _, err = d.Rotate(args[0], time.Now(), wait)
				return err
			})
			if err != nil {
				return err
			}
			return printKey(cmd, text, fmt.Sprintf("key %s has a new secret, and the earlier one is good for %s more", args[0], overlap))
		},
	}
	cmd.Flags().StringVar(&overlap, "overlap", "24h", "how `long` the earlier secret stays good; 0s: not at all")
	return cmd
}
