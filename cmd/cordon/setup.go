package main

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"cordon/internal/setup"
)

func newSetupCommand() *cobra.Command {
	o := setup.Options{}
	var quiet bool
	cmd := &cobra.Command{
		Use:   "setup [flags] [-- COMMAND [ARGUMENT…]]",
		Short: "Make this machine ready, once, as root",
		Long: "Makes the service user, its subordinate ids and its cgroup: the only things that need root. It can be\n" +
			"run again, and keeps what is there. Behind -- stands a command that is started afterwards as the\n" +
			"service user, in its cgroup; \"cordon\" there is this program.",
		Example: "  sudo cordon setup --dry-run\n  sudo cordon setup -- cordon serve\n  sudo cordon setup --user alice     (so that alice can use cordon run)",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
				return errors.New("setup: a command stands behind --")
			}
			if len(args) > 0 && (o.Undo || o.DryRun) {
				return errors.New("setup: --undo and --dry-run start no command")
			}
			o.Out = cmd.OutOrStdout()
			if quiet {
				o.Out = io.Discard
			}
			if err := setup.Run(o); err != nil {
				return err
			}
			if len(args) == 0 {
				return nil
			}
			if os.Geteuid() != 0 {
				return errors.New("setup: only root can go on as the service user")
			}
			return o.Host.Exec(o.User, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.User, "user", setup.ServiceUser, "`name` of the service user")
	f.BoolVar(&o.DryRun, "dry-run", false, "only tell what would be done")
	f.BoolVar(&o.Undo, "undo", false, "take back what setup has made on this machine")
	f.BoolVar(&o.CgroupOnly, "cgroup-only", false, "only the cgroup, as after a boot")
	f.BoolVar(&quiet, "quiet", false, "only tell errors")
	return cmd
}
