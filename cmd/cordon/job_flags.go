package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cordon/policy"
)

// jobFlags are what a program gets: of cordon run, and of cordon submit.
type jobFlags struct {
	policy              string
	memory, disk        size
	cpu, wall           time.Duration
	pids                int64
	cpus                float64
	files, env, outputs []string
	root                string
	writable            bool
	image, user, dir    string
	idRange             bool
}

func (f *jobFlags) add(flags *pflag.FlagSet, policy string) {
	flags.StringVar(&f.policy, "policy", policy, "`name` of the policy")
	flags.Var(&f.memory, "memory", "memory limit, such as 64M")
	flags.Var(&f.disk, "disk", "size of the scratch, such as 16M")
	flags.DurationVar(&f.cpu, "cpu-time", 0, "CPU time limit of all processes together, such as 2s")
	flags.DurationVar(&f.wall, "wall-time", 0, "wall time limit, such as 10s")
	flags.Int64Var(&f.pids, "pids", 0, "processes and threads at once")
	flags.Float64Var(&f.cpus, "cpus", 0, "CPU rate, such as 0.5")
	flags.StringArrayVar(&f.files, "file", nil, "copy the file `path[:name]` into /work, as name; may be repeated")
	flags.StringArrayVar(&f.env, "env", nil, "set a variable, `NAME=value`; may be repeated")
	flags.StringArrayVar(&f.outputs, "output", nil, "copy files that match `pattern` from /work into this directory; may be repeated")
	flags.StringVar(&f.root, "root", "", "directory trees `dir[:dir]` as the root, topmost first, instead of this machine's programs")
	flags.StringVar(&f.image, "image", "", "`name` of the image that is the root, of cordon image list; without a command its own runs")
	flags.BoolVar(&f.idRange, "id-range", false, "be root of the image, inside the sandbox alone")
	flags.StringVar(&f.user, "user", "", "with --id-range: be this `user` of the image, as in www-data or 33:33")
	flags.StringVar(&f.dir, "workdir", "", "with --image: start in this `directory`")
	flags.BoolVar(&f.writable, "writable-root", false, "let the program change the root; changes are gone afterwards")
}

// limits are those that were given.
func (f *jobFlags) limits(cmd *cobra.Command) (l policy.LimitRequest) {
	set := func(flag string, to **int64, value int64) {
		if cmd.Flags().Changed(flag) {
			*to = &value
		}
	}
	set("memory", &l.MemoryBytes, int64(f.memory))
	set("disk", &l.DiskBytes, int64(f.disk))
	set("cpu-time", &l.CPUMillis, f.cpu.Milliseconds())
	set("wall-time", &l.WallMillis, f.wall.Milliseconds())
	set("pids", &l.Pids, f.pids)
	if cmd.Flags().Changed("cpus") {
		l.CPUs = &f.cpus
	}
	return l
}

// rootDirs are the directory trees; none where the flag was not given.
func (f *jobFlags) rootDirs() []string {
	if f.root == "" {
		return nil
	}
	return strings.Split(f.root, ":")
}

func (f *jobFlags) checkEnv() error {
	for _, kv := range f.env {
		if name, _, ok := strings.Cut(kv, "="); !ok || name == "" {
			return fmt.Errorf("--env: %q given, NAME=value is wanted", kv)
		}
	}
	return nil
}
