package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cordon/bench"
	"cordon/cgroup"
	"cordon/userns"
)

// newBenchPrototypeCommand runs the bare prototype where the daemon runs: in the
// same user namespace, below the same control groups.
func newBenchPrototypeCommand() *cobra.Command {
	p := bench.Prototype{Loops: runtime.NumCPU()}
	cmd := &cobra.Command{
		Use: bench.PrototypeCommand, Short: "Run the bare prototype that cordon bench measures", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			if !inside {
				return enterNamespace(bench.PrototypeCommand, privateName(&c), &c)
			}
			made, err := runPrototype(cmd.Context(), &c, p)
			if err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), made)
		},
	}
	addFlags(cmd.Flags())
	cmd.Flags().DurationVar(&p.For, "for", time.Second, "how `long`")
	cmd.Flags().StringVar(&p.Program, "program", benchProgram, "`path` of the program")
	return cmd
}

func runPrototype(ctx context.Context, c *config, p bench.Prototype) (made bench.Made, err error) {
	driver, err := cgroup.Discover(cgroup.Options{Path: c.Cgroup, Name: fmt.Sprintf("%s%d", onceBench, os.Getpid()), Stale: staleInstance})
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	group, err := driver.Create()
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, group.Remove()) }()
	if p.Version, p.Groups, err = prototypeGroups(group); err != nil {
		return made, err
	}
	if p.Root, err = mountPoint(); err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, os.Remove(p.Root)) }()
	mapped, err := userns.Mapped()
	if err != nil {
		return made, fmt.Errorf("id maps: %w", err)
	}
	p.Single = mapped < userns.IDsPerCell
	return p.Run(ctx)
}

// prototypeGroups are the directories of a group in which the prototype makes those
// of its cells: memory, pids and cpu of v1, or the one of v2, which then hands the
// same controllers down.
func prototypeGroups(group cgroup.Group) (version int, dirs []string, err error) {
	entry := group.Entry()
	if entry.Dir == nil {
		for _, tasks := range entry.Tasks {
			file, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", tasks.Fd()))
			if err != nil {
				return 0, nil, err
			}
			dirs = append(dirs, filepath.Dir(file))
		}
		return 1, dirs[:min(len(dirs), 3)], nil // the fourth, where there is one, only counts CPU time
	}
	dir := entry.Dir.Name()
	file := filepath.Join(dir, "cgroup.subtree_control")
	if err := os.WriteFile(file, []byte(strings.Join([]string{"+memory", "+pids", "+cpu"}, " ")), 0); err != nil {
		return 0, nil, err
	}
	return 2, []string{dir}, nil
}
