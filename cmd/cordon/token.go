package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"cordon/httpapi"
)

func newTokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Print the API's token", Args: cobra.NoArgs,
		Long: "Prints the bearer token of the service with this state directory. The service makes it at its first start.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			token, err := httpapi.LoadToken(c.State)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("no token in %s yet: start the service once with the same --state, or name another directory", c.State)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token.Reveal())
			return err
		},
	}
	addFlags(cmd.Flags())
	for _, o := range options {
		if o.flag != "state" {
			_ = cmd.Flags().MarkHidden(o.flag)
		}
	}
	return cmd
}
