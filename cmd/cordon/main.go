// Command cordon is the whole of Cordon: the service, its tools, and, under
// another name, the child side of every sandbox.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"cordon/userns"
)

// version is stamped by the Makefile.
var version = "dev"

// ownFailure is the exit status of a failure of ours, apart from any program's.
const ownFailure = 125

func main() { os.Exit(run()) }

// run is the only place that turns an error into an exit status.
func run() int {
	switch userns.Current() {
	case userns.Child: // RootlessKit's child has the same arguments, but nothing to parse
		return exitStatus(userns.Enter("", false, os.Stderr))
	case userns.Inside:
		if err := userns.Settle(); err != nil {
			return exitStatus(err)
		}
		inside = true
	}
	return exitStatus(newRootCommand().Execute())
}

// inside is set when this process is in the daemon's user namespace.
var inside bool

// statusError ends the program with a status and without a message.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func exitStatus(err error) int {
	var exit *userns.ExitError
	var status statusError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Status
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintln(os.Stderr, "cordon:", err)
	return ownFailure
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "cordon",
		Short: "Run untrusted code in rootless, single-use sandboxes",
		Long: "Cordon runs code that nobody trusts on a plain Linux machine, without root: as an HTTP\n" +
			"service (cordon serve) or directly (cordon run). Start with cordon doctor.",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newSubmitCommand(), newStatusCommand(), newListCommand(), newLogsCommand(), newCancelCommand())
	root.AddCommand(newServeCommand(), newRunCommand(), newTokenCommand(), newKeyCommand(), newTenantCommand(), newWebhookCommand(), newPolicyCommand(), newDoctorCommand(),
		newSetupCommand(), newCalibrateCommand(), newJudgeCommand(), newBenchCommand(), newBenchPrototypeCommand(), newVerifyCommand(), newImageCommand(), newAttachCommand(), newVersionCommand(), newProbeCommand(), newDebianRootCommand())
	return root
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "cordon", version)
			return err
		},
	}
}
