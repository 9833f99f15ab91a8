package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cordon/image"
)

// Options say what system is wanted.
type Options struct {
	Suite, Variant         string
	Include                []string // packages
	Mirror, SecurityMirror string   // "": what this machine's apt uses
	Keyring                string   // "": Debian's
	KeepMirror             bool     // the image's list of sources names the mirror
	Name                   string   // of the image
	Progress               func(line string)
}

// Variants are mmdebstrap's that make an image of use to programs, the smallest first.
var Variants = []string{"extract", "essential", "apt", "minbase", "standard"}

var (
	suiteForm   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`)
	packageForm = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9-]*[a-z0-9])?([=/][A-Za-z0-9.+~:-]+)?$`)
)

// Check says what is wrong with options.
func (o *Options) Check() error {
	if !suiteForm.MatchString(o.Suite) {
		return fmt.Errorf("--suite: %q given; the name of a Debian release is wanted, such as bookworm", o.Suite)
	}
	if !slices.Contains(Variants, o.Variant) {
		return fmt.Errorf("--variant: %q given, allowed are %s", o.Variant, strings.Join(Variants, ", "))
	}
	for _, p := range o.Include {
		if !packageForm.MatchString(p) {
			return fmt.Errorf("--include: %q given; the name of a package is wanted", p)
		}
	}
	if o.SecurityMirror != "" && o.Mirror == "" {
		return errors.New("--security-mirror: given without --mirror, to which it belongs")
	}
	for _, m := range []struct{ flag, value string }{{"--mirror", o.Mirror}, {"--security-mirror", o.SecurityMirror}} {
		if m.value == "" {
			continue
		}
		if err := checkURI(m.flag, m.value); err != nil {
			return err
		}
	}
	if o.Keyring != "" {
		if !filepath.IsAbs(o.Keyring) || strings.ContainsAny(o.Keyring, " \t\n'\"[],") {
			return fmt.Errorf("--keyring: %q given; the absolute path of a file is wanted", o.Keyring)
		}
		if _, err := os.Stat(o.Keyring); err != nil {
			return fmt.Errorf("--keyring: %w", err)
		}
	}
	return nil
}

// Debian makes the system and brings it in. Nothing of it is left where that fails.
func Debian(ctx context.Context, s *image.Store, o Options) (a *image.Added, err error) {
	program, err := exec.LookPath("mmdebstrap")
	if err != nil {
		return nil, errors.New("mmdebstrap is not installed, which makes Debian systems: sudo apt-get install mmdebstrap (Debian, Ubuntu)")
	}
	owners := s.Owners()
	if owners.Count == 0 {
		return nil, errors.New("files of a Debian system have many owners, and this user has no subordinate range of ids for them; cordon doctor tells how to get one")
	}
	bench, err := s.Workbench()
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := bench.Close(); closed != nil && err == nil {
			a, err = nil, closed
		}
	}()
	plan, err := o.plan(ctx, program, bench.Dir())
	if err != nil {
		return nil, err
	}
	at := filepath.Join(bench.Dir(), "tmp")
	if err := errors.Join(os.Mkdir(at, 0o700), plan.write(at), os.Chown(at, int(owners.First), int(owners.First)), os.Chmod(at, 0o1777)); err != nil {
		return nil, err
	}
	return o.make(ctx, s, plan, stage(owners, plan.args), at)
}

// make runs mmdebstrap and takes what it writes as it comes.
func (o *Options) make(ctx context.Context, s *image.Store, p *plan, c *exec.Cmd, at string) (*image.Added, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	told := &listener{progress: o.tell}
	c.Env, c.Stdout, c.Stderr = p.environment(), w, told
	ended, err := start(c, at)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("start mmdebstrap: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Process.Kill() })
	defer stop()
	from := &output{from: r, ended: ended, told: told, ctx: ctx}
	a, err := s.Build(ctx, "-", from, image.BuildOptions{Name: o.Name, Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Cmd: []string{o.shell()}, CreatedBy: o.command()})
	if err != nil {
		_ = c.Process.Kill() // it has ended, or it is of no use any more
	}
	var failed *failedError
	if errors.As(err, &failed) {
		err = failed
	}
	return a, errors.Join(err, from.wait(err != nil))
}

func (o *Options) shell() string {
	if o.Variant == "extract" {
		return "sh"
	}
	return "bash"
}

// command is what the image's history tells: nothing of this machine.
func (o *Options) command() string {
	text := "cordon image bootstrap debian --suite " + o.Suite + " --variant " + o.Variant
	if len(o.Include) > 0 {
		text += " --include " + strings.Join(o.Include, ",")
	}
	return text
}

func (o *Options) tell(line string) {
	if o.Progress != nil {
		o.Progress(line)
	}
}

// said is an error of a program with what it said.
func said(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, lastLines(exit.Stderr, 3))
	}
	return err
}

func lastLines(text []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
