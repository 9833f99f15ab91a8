package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"cordon/httpapi"
)

func newTokenCommand() *cobra.Command {
	var link bool
	var url string
	cmd := &cobra.Command{
		Use: "token", Short: "Print the API's token", Args: cobra.NoArgs,
		Long: "Prints the bearer token of the service with this state directory. The service makes it at its first start.\n" +
			"With --link, prints a link instead that opens the page of the running service with the operator's rights: good once, for ten minutes.",
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
			if link {
				return printLink(cmd.Context(), &c, url, token, cmd.OutOrStdout())
			}
			if url != "" {
				return errors.New("--url is for --link: it is the address that the link begins with")
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token.Reveal())
			return err
		},
	}
	addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&link, "link", false, "print a link to the page instead, which begins a session in one browser")
	cmd.Flags().StringVar(&url, "url", "", "`URL` under which the browser reaches the service, when --listen does not tell: http://localhost:8080, https://host")
	for _, o := range options {
		if o.flag != "state" {
			_ = cmd.Flags().MarkHidden(o.flag)
		}
	}
	return cmd
}
