package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cordon/image"
	"cordon/imageroots"
	"cordon/recipe"
	"cordon/sandbox"
)

// environmentFlags are those of cordon image build.
type environmentFlags struct {
	name           string
	limits         jobFlags
	fresh, verbose bool
	json           *bool
}

func imageEnvironmentCommand() *cobra.Command {
	var f environmentFlags
	cmd := &cobra.Command{
		Use:   "build FILE",
		Short: "Make an image of an environment: a base, packages, and steps",
		Long: "Makes the image of a small file that names a base image, packages of apt, pip and npm, and steps of the shell.\n" +
			"Packages are brought by this machine's own apt, pip and npm, which run nothing of them, and installed in a cell\n" +
			"without network, where steps run as well. What was made before of the same base, file and policy is taken as it is.",
		Example: "  cordon image build numpy.yaml\n  cordon image build judge.yaml --name judge:2 --memory 4G --disk 3G",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return environmentCommand(cmd, &f, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "`NAME[:TAG]` for the image (default the file's name)")
	flags.BoolVar(&f.fresh, "fresh", false, "make it anew, as when packages have newer versions")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print what programs print while it is made")
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.limits.add(all, "ci")
	for _, name := range []string{"policy", "memory", "disk", "cpu-time", "wall-time", "pids", "cpus"} {
		flags.AddFlag(all.Lookup(name))
	}
	for _, name := range []string{"policies", "cgroup"} {
		if o := cmd.Flag(name); o != nil {
			o.Hidden = false
		}
	}
	f.json = jsonFlag(cmd)
	return cmd
}

func environmentCommand(cmd *cobra.Command, f *environmentFlags, file string) error {
	c, err := loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	r, err := recipe.Decode(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if f.name == "" {
		f.name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	name, err := image.ParseName(f.name)
	if err != nil {
		return err
	}
	if !inside {
		private, err := os.MkdirTemp("", "cordon-image-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(private)
		return enterNamespace("image build FILE", filepath.Join(private, "userns"), &c)
	}
	return f.build(cmd, &c, r, name)
}

func (f *environmentFlags) build(cmd *cobra.Command, c *config, r *recipe.Recipe, name string) error {
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	e, err := newEngine(ctx, engineOptions{config: *c, instance: fmt.Sprintf("%s%d", onceRun, os.Getpid()), parallel: 1, images: true,
		logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
	}
	line := newStepLine(cmd.ErrOrStderr())
	b := &recipe.Builder{Store: e.images, Images: imageroots.Store{Images: e.images}, Run: e.run, Resolve: resolver{e.policies}.Resolve,
		Policy: f.limits.policy, Limits: f.limits.limits(cmd), Fresh: f.fresh, Progress: line.show}
	if f.verbose {
		b.Output = func(p []byte) { line.clear(); _, _ = cmd.ErrOrStderr().Write(p) }
	}
	built, err := b.Build(ctx, r, name)
	line.clear()
	if err = errors.Join(err, e.close()); err != nil {
		return err
	}
	return f.print(cmd, built)
}

// run is the runner's, and tells what was ours of a failure.
func (e *engine) run(ctx context.Context, job *sandbox.Job) (*sandbox.Result, error) {
	r, err := e.runner.Run(ctx, job)
	if err == nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return r, err
}

func (f *environmentFlags) print(cmd *cobra.Command, b *recipe.Built) error {
	if *f.json {
		return printJSON(cmd.OutOrStdout(), struct {
			Image  any            `json:"image"`
			Phases []recipe.Phase `json:"phases"`
			Notes  []image.Note   `json:"notes,omitempty"`
		}{b.Image.Told(), b.Phases, b.Notes})
	}
	w := cmd.OutOrStdout()
	for _, p := range b.Phases {
		how := "made"
		if p.Cached {
			how = "there"
		}
		fmt.Fprintf(w, "%s %s: %s\n", shortID("sha256:"+p.Key), how, plainText(p.What))
	}
	if n := len(b.Notes); n > 0 {
		fmt.Fprintf(w, "%d entries are not as they were made, such as %q: %s; --json has them\n", n, b.Notes[0].Entry, plainText(b.Notes[0].Note))
	}
	fmt.Fprintf(w, "%s %s: %d layers, %v\n", b.ID, strings.Join(b.Names, " "), len(b.Layers), size(b.Bytes()))
	return nil
}
