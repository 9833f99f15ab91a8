package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cordon/image"
	"cordon/userns"
)

// imageStore is where images lie in the state directory.
const imageStore = "images"

func newImageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Bring in, show and remove images",
		Long: "An image is a root of its own for jobs: layers of the OCI and docker world, unpacked once and shared by all\n" +
			"images that have them. They lie in the state directory. An IMAGE is named by NAME[:TAG], by NAME@sha256:… (its\n" +
			"manifest), or by its id (its configuration's digest), of which 12 digits are enough.",
	}
	addFlags(cmd.PersistentFlags())
	for _, o := range options {
		if o.flag != "state" {
			_ = cmd.PersistentFlags().MarkHidden(o.flag)
		}
	}
	cmd.AddCommand(imageImportCommand(), imagePullCommand(), imageBuildCommand(), imageListCommand(), imageHistoryCommand(), imageShowCommand(),
		imageBootstrapCommand(), imageEnvironmentCommand(), imageExportCommand(), imageRemoveCommand(), imagePruneCommand(), imageVerifyCommand())
	return cmd
}

// limitFlags are the limits of what is brought in.
func limitFlags(f *pflag.FlagSet) *image.Limits {
	l := image.DefaultLimits()
	f.Int64Var(&l.Layers, "max-layers", l.Layers, "layers of an image, at most")
	f.Int64Var(&l.Entries, "max-entries", l.Entries, "files, directories and links of all its layers, at most")
	bytes := func(to *int64, name, usage string) { f.Var((*size)(to), name, usage) }
	bytes(&l.Bytes, "max-bytes", "`size` of all its layers unpacked, at most")
	bytes(&l.FileBytes, "max-file-bytes", "`size` of one file, at most")
	bytes(&l.ArchiveBytes, "max-archive-bytes", "`size` of an archive of images, at most")
	f.Int64Var(&l.Ratio, "max-ratio", l.Ratio, "unpacked bytes for each packed one, at most")
	return &l
}

// withImages does something with the store of images, in the daemon's user namespace:
// files of images have its ids.
func withImages(cmd *cobra.Command, limits *image.Limits, do func(ctx context.Context, s *image.Store) error) error {
	c, err := loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	if limits != nil {
		if err := limits.Check(); err != nil {
			return err
		}
	}
	if !inside {
		if os.Geteuid() == 0 {
			return errRoot(cmd.CommandPath()[len("cordon "):] + " …")
		}
		private, err := os.MkdirTemp("", "cordon-image-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(private)
		return enterIDs(filepath.Join(private, "userns"), "files of images lose their owners")
	}
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	s, err := openImages(&c, limits)
	if err != nil {
		return err
	}
	if err := errors.Join(do(ctx, s), s.Close()); err != nil {
		return plainError{err}
	}
	return nil
}

// plainError may hold what an image or a registry says.
type plainError struct{ error }

func (e plainError) Error() string { return plainText(e.error.Error()) }
func (e plainError) Unwrap() error { return e.error }

// openImages opens the store of a state directory.
func openImages(c *config, limits *image.Limits) (*image.Store, error) {
	mapped, err := userns.Mapped()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	first, count := userns.ForImages(mapped)
	o := image.Config{Dir: filepath.Join(c.State, imageStore), Owners: image.Owners{First: int64(first), Count: int64(count)}}
	if limits != nil {
		o.Limits = *limits
	}
	return image.Open(o)
}

func jsonFlag(cmd *cobra.Command) *bool { return cmd.Flags().Bool("json", false, "print JSON") }

func imageImportCommand() *cobra.Command {
	var o image.ImportOptions
	var platform string
	cmd := &cobra.Command{
		Use:   "import FILE|DIR|-",
		Short: "Bring in images of an OCI layout or of what docker save writes",
		Long: "Brings in the images of a file or directory: an OCI layout, or what docker save writes, as a directory or as a tar\n" +
			"archive, plain or packed with gzip or zstd; - is standard input. Names that the archive gives are kept, but for\n" +
			"those that another image has already; --name always names, and takes the name from another.",
		Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "", "`NAME[:TAG]` for the image")
	f.StringVar(&o.Only, "only", "", "of several images the one that the archive calls `name`")
	f.StringVar(&platform, "platform", "", "`OS/ARCHITECTURE` that is wanted, such as linux/amd64; this machine's by default")
	limits, asJSON := limitFlags(f), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if o.Name, err = givenName(o.Name); err != nil {
			return err
		}
		if o.Platform, err = image.ParsePlatform(platform); err != nil {
			return err
		}
		return withImages(cmd, limits, func(ctx context.Context, s *image.Store) error {
			all, err := s.Import(ctx, args[0], os.Stdin, o)
			return errors.Join(printAdded(cmd, *asJSON, all...), err)
		})
	}
	return cmd
}

func givenName(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	return image.ParseName(name)
}

func imageBuildCommand() *cobra.Command {
	var o image.BuildOptions
	var platform string
	cmd := &cobra.Command{
		Use:   "build-from-dir DIR|FILE|-",
		Short: "Make an image of one layer from a directory, or from a tar archive of a root",
		Long: "Makes an image of one layer. The files of a directory become root's; an archive of a root, plain or packed, says\n" +
			"itself whose they are. The same content makes the same image.",
		Example: "  cordon image build-from-dir ./root --name tools:1 --env PATH=/usr/bin:/bin --workdir /work",
		Args:    cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "", "`NAME[:TAG]` for the image")
	f.StringVar(&platform, "platform", "", "`OS/ARCHITECTURE` that it is for; this machine's by default")
	f.StringArrayVar(&o.Env, "env", nil, "a variable of its programs, `NAME=value`; may be repeated")
	f.StringArrayVar(&o.Entrypoint, "entrypoint", nil, "program and its first `arguments`; repeated for each")
	f.StringArrayVar(&o.Cmd, "cmd", nil, "the `arguments` behind it; repeated for each")
	f.StringVar(&o.WorkDir, "workdir", "", "`directory` that its programs begin in")
	f.StringVar(&o.User, "user", "", "`user[:group]` of its programs")
	limits, asJSON := limitFlags(f), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if o.Name, err = givenName(o.Name); err != nil {
			return err
		}
		if o.Platform, err = image.ParsePlatform(platform); err != nil {
			return err
		}
		for _, e := range o.Env {
			if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
				return fmt.Errorf("--env: %q given, NAME=value is wanted", e)
			}
		}
		return withImages(cmd, limits, func(ctx context.Context, s *image.Store) error {
			a, err := s.Build(ctx, args[0], os.Stdin, o)
			if err != nil {
				return err
			}
			return printAdded(cmd, *asJSON, a)
		})
	}
	return cmd
}

func imageExportCommand() *cobra.Command {
	var format, output string
	cmd := &cobra.Command{
		Use:   "export IMAGE",
		Short: "Write an image as one flat tar archive, or as an OCI layout",
		Long: "Writes what a job would see as one tar archive (--format tar), with the owners and set-id bits that the image came\n" +
			"with; or the image as an OCI layout (--format oci), with its configuration and layers as they came: as a directory,\n" +
			"or, where the output ends in .tar or is -, as an archive.",
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&format, "format", "tar", "`tar` or oci")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` or directory to write, which must not be there; - is standard output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := image.ParseRef(args[0])
		if err != nil {
			return err
		}
		if format != "tar" && format != "oci" {
			return fmt.Errorf("--format: %q given, allowed are tar and oci", format)
		}
		if output == "" {
			return errors.New("--output: where to write is missing; - is standard output")
		}
		return withImages(cmd, nil, func(ctx context.Context, s *image.Store) error {
			write := s.ExportFlat
			if format == "oci" {
				if output != "-" && !strings.HasSuffix(output, ".tar") {
					return s.ExportLayoutTo(ctx, r, output)
				}
				write = s.ExportLayout
			}
			return toOutput(cmd, output, func(w io.Writer) error { return write(ctx, r, w) })
		})
	}
	return cmd
}

// toOutput writes a new file, which is not left where it did not become whole.
func toOutput(cmd *cobra.Command, name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(cmd.OutOrStdout())
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if err != nil {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}
