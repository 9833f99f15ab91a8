package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"cordon/bootstrap"
	"cordon/image"
)

func imageBootstrapCommand() *cobra.Command {
	o := bootstrap.Options{}
	var include []string
	cmd := &cobra.Command{
		Use:   "bootstrap debian",
		Short: "Make an image of a Debian system, without any image to begin with",
		Long: "Makes a small Debian system with mmdebstrap and brings it in as an image of one layer. Packages come from where this\n" +
			"machine's apt has them from, by its proxies, and their signatures are checked; their scripts run as root of images,\n" +
			"which is nobody on this machine. The same packages make the same image, and nothing in it tells where it was made.",
		Example: "  cordon image bootstrap debian\n  cordon image bootstrap debian --suite trixie --include python3,g++ --name judge:13",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] != "debian" {
				return fmt.Errorf("bootstrap: %q given; debian is the one system that can be made", args)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Suite, "suite", debianSuite("/etc/os-release"), "`release` of Debian")
	f.StringVar(&o.Variant, "variant", "minbase", "how much of it: "+strings.Join(bootstrap.Variants, ", "))
	f.StringSliceVar(&include, "include", nil, "further `packages`; may be repeated")
	f.StringVar(&o.Mirror, "mirror", "", "`URL` of the archive, instead of the one of this machine's apt")
	f.StringVar(&o.SecurityMirror, "security-mirror", "", "`URL` of the archive of security updates, beside --mirror; without it there are none")
	f.StringVar(&o.Keyring, "keyring", "", "`file` of the keys that the archive is signed with, instead of Debian's")
	f.BoolVar(&o.KeepMirror, "keep-mirror", false, "name the archive in the image's sources.list, which otherwise has deb.debian.org")
	f.StringVar(&o.Name, "name", "", "`NAME[:TAG]` for the image (default debian:SUITE)")
	limits, asJSON := limitFlags(f), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		o.Include = include
		if o.Name == "" {
			o.Name = "debian:" + o.Suite
		}
		if o.Name, err = image.ParseName(o.Name); err != nil {
			return err
		}
		if o.Keyring != "" {
			if o.Keyring, err = filepath.Abs(o.Keyring); err != nil {
				return err
			}
		}
		if err := o.Check(); err != nil {
			return err
		}
		return withImages(cmd, limits, func(ctx context.Context, s *image.Store) error {
			line := newStepLine(cmd.ErrOrStderr())
			o.Progress = line.show
			a, err := bootstrap.Debian(ctx, s, o)
			line.clear()
			if err != nil {
				return err
			}
			return printAdded(cmd, *asJSON, a)
		})
	}
	return cmd
}

// debianSuite is this machine's own, where it is a Debian.
func debianSuite(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return "stable"
	}
	defer f.Close()
	values := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		values[name] = strings.Trim(value, `"'`)
	}
	if values["ID"] != "debian" || values["VERSION_CODENAME"] == "" {
		return "stable"
	}
	return values["VERSION_CODENAME"]
}

// stepLine is one line on a terminal about what is being done. Elsewhere it is nothing.
type stepLine struct {
	mu      sync.Mutex
	to      io.Writer
	columns int
}

func newStepLine(w io.Writer) *stepLine {
	l := &stepLine{to: w}
	if columns, ok := terminal(w); ok && os.Getenv("TERM") != "dumb" {
		l.columns = columns
	}
	return l
}

func (l *stepLine) show(text string) { l.put("\r\x1b[K", []rune(plainText(text))) }

func (l *stepLine) clear() { l.put("\r\x1b[K", nil) }

func (l *stepLine) put(before string, text []rune) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.columns > 1 {
		fmt.Fprint(l.to, before, string(text[:min(len(text), l.columns-1)]))
	}
}

// newDebianRootCommand is the inner side of a bootstrap.
func newDebianRootCommand() *cobra.Command {
	return &cobra.Command{
		Use: bootstrap.StageCommand, Short: "Become mmdebstrap", Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error { return bootstrap.Stage(args) },
	}
}
