package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// reportCommand makes this test program print a whole report; its argument is
// "", "inside" or "exhausted".
const reportCommand = "__doctor-report"

// The test program is its own probe, as cordon is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == ProbeCommand || os.Args[1] == reportCommand) {
		if err := second(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// The race detector waits a second at each end of a program, and there are many.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	os.Exit(m.Run())
}

func second(args []string) error {
	if args[0] == ProbeCommand {
		return RunProbe(args[1], os.Stdout)
	}
	if args[1] == "exhausted" {
		if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
			return err
		}
	}
	r, err := Run(context.Background(), Options{Inside: args[1] != ""})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}
