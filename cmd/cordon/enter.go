package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rootless-containers/rootlesskit/v3/pkg/parent/idtools"

	"cordon/cgroup"
	"cordon/userns"
)

func (c *config) drain() (time.Duration, error) { return time.ParseDuration(c.Drain) }

// errRoot tells root how to go on.
func errRoot(command string) error {
	self, err := os.Executable()
	if err != nil {
		self = "cordon"
	}
	return fmt.Errorf("root does not run jobs: a service that holds no right cannot lose one.\n"+
		"  once:      %[1]s setup\n  then:      %[1]s setup --quiet -- cordon %[2]s\n"+
		"(the second line goes on as the service user, in its own cgroup)", self, command)
}

// enterNamespace is the outer half of a command that runs jobs: it starts the
// same command inside the daemon's user namespace and waits for it. private is a
// directory that is made, used by RootlessKit and removed.
func enterNamespace(command, private string, c *config) error {
	if os.Geteuid() == 0 {
		return errRoot(command)
	}
	if err := cgroup.Settle(c.Cgroup); err != nil {
		return err
	}
	return enterIDs(private, "every job has the user's own id; policies that ask for more refuse to run")
}

// enterIDs enters the namespace of this user's ids. lost is what it means to have but one.
func enterIDs(private, lost string) error {
	if err := os.MkdirAll(filepath.Dir(private), 0o700); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := os.MkdirAll(private, 0o700); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	single := !hasRange()
	if single {
		fmt.Fprintf(os.Stderr, "cordon: %v for this user: %s. cordon doctor tells how to get a range\n", userns.ErrNoRange, lost)
	}
	err := userns.Enter(private, single, os.Stderr)
	var exit *userns.ExitError
	if err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("enter the user namespace: %w; see cordon doctor", err)
	}
	return err
}

// privateName is the directory of one start in the state directory.
func privateName(c *config) string {
	return filepath.Join(c.runFiles(), fmt.Sprintf("%s%d", runName, os.Getpid()))
}

// runFiles is the directory of what a start needs while it lives.
func (c *config) runFiles() string { return filepath.Join(c.State, "run") }

// hasRange: both files hold a range for this user, looked up by name and by
// number as newuidmap does.
func hasRange() bool {
	uids, gids, err := idtools.GetSubIDRanges(os.Getuid(), userName())
	return err == nil && len(uids) > 0 && len(gids) > 0
}

func userName() string {
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) > 2 && f[2] == fmt.Sprint(os.Getuid()) {
			return f[0]
		}
	}
	return ""
}
