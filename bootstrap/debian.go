package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

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
	packageForm = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?([=/][A-Za-z0-9.+~:-]+)?$`)
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

// plan is what mmdebstrap is told.
type plan struct {
	args  []string
	files map[string]string // beside mmdebstrap: proxies may have passwords, which are for no list of processes
	time  time.Time
}

// Files as mmdebstrap finds them in its /tmp.
const (
	waysFile    = "cordon-apt.conf"
	sourcesFile = "cordon.list"
)

func (p *plan) write(dir string) error {
	for name, text := range p.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) plan(ctx context.Context, program, dir string) (*plan, error) {
	wanted, err := o.sources(ctx)
	if err != nil {
		return nil, err
	}
	ways, err := aptWays(ctx)
	if err != nil {
		return nil, err
	}
	o.tell("looking for " + o.Suite + " at " + wanted[0].URI)
	there, latest, err := reached(ctx, dir, wanted)
	if err != nil {
		return nil, err
	}
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("SOURCE_DATE_EPOCH: %q given; seconds since 1970 are wanted", text)
		}
		latest = time.Unix(seconds, 0)
	}
	p := o.arguments(program, there, ways)
	p.time = latest
	return p, nil
}

func (o *Options) arguments(program string, there []source, ways []string) *plan {
	p := &plan{args: []string{program, "--mode=unshare", "--format=tar", "--skip=output/dev", "--variant=" + o.Variant}, files: map[string]string{}}
	if len(o.Include) > 0 {
		p.args = append(p.args, "--include="+strings.Join(o.Include, ","))
	}
	for _, w := range ways {
		p.files[waysFile] += w + ";\n"
	}
	if len(ways) > 0 {
		p.args = append(p.args, "--aptopt=/tmp/"+waysFile)
	}
	hook := "--customize-hook="
	if o.Variant == "extract" { // which has no others
		hook = "--extract-hook="
	}
	p.args = append(p.args, hook+o.tidying(there), o.Suite, "-", "/tmp/"+sourcesFile)
	for _, s := range there {
		p.files[sourcesFile] += s.line() + "\n"
	}
	return p
}

// tidying is the shell's: what is this machine's does not stay in the image.
func (o *Options) tidying(there []source) string {
	return `mkdir -p "$1/etc/apt" && rm -f "$1"/etc/apt/sources.list.d/00* "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1/etc/resolv.conf" "$1/etc/hostname" && ` +
		`printf '%s' '` + published(there, o.KeepMirror) + `' > "$1/etc/apt/sources.list"`
}

// environment of mmdebstrap: none of this machine's, but that it is the same for all.
func (p *plan) environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TMPDIR=/tmp", "LC_ALL=C.UTF-8",
		"SOURCE_DATE_EPOCH=" + strconv.FormatInt(p.time.Unix(), 10)}
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

// output is what mmdebstrap writes: an archive that is whole only if it says so.
type output struct {
	from   io.Reader
	ended  <-chan error
	told   *listener
	ctx    context.Context
	waited bool
}

// Read gives the end of the archive only where mmdebstrap has ended well.
func (r *output) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err == io.EOF {
		if failed := r.wait(false); failed != nil {
			return n, failed
		}
	}
	return n, err
}

// wait waits for the end. How it ended is of no interest where it was made to.
func (r *output) wait(killed bool) error {
	if r.waited {
		return nil
	}
	r.waited = true
	err := <-r.ended
	switch {
	case err == nil, killed:
		return nil
	case r.ctx.Err() != nil:
		return context.Cause(r.ctx)
	}
	return r.told.failure(err)
}

// listener reads what mmdebstrap tells.
type listener struct {
	progress func(string)
	part     string
	last     []string
	errors   []string
}

// Write takes it line by line.
func (l *listener) Write(p []byte) (int, error) {
	l.part += string(p)
	for {
		line, rest, ok := strings.Cut(l.part, "\n")
		if !ok {
			break
		}
		l.part = rest
		l.line(strings.TrimSpace(line))
	}
	l.part = l.part[max(0, len(l.part)-4096):]
	return len(p), nil
}

func (l *listener) line(text string) {
	if text == "" {
		return
	}
	if told, ok := strings.CutPrefix(text, "I: "); ok {
		l.progress(told)
		return
	}
	if strings.HasPrefix(text, "E: ") && len(l.errors) < 5 {
		l.errors = append(l.errors, text)
	}
	if l.last = append(l.last, text); len(l.last) > 8 {
		l.last = l.last[1:]
	}
}

func (l *listener) failure(err error) error {
	why := strings.Join(l.errors, "; ")
	if why == "" {
		why = strings.Join(l.last, "; ")
	}
	text := strings.Join(l.last, "\n") + why
	hint := ""
	switch {
	case strings.Contains(text, unix.ENOSPC.Error()) || strings.Contains(text, "No space left"):
		hint = "; the disk is full: make room (cordon image prune) and try again"
	case strings.Contains(text, "Unable to locate package"):
		hint = "; see the names of --include"
	}
	return &failedError{fmt.Errorf("mmdebstrap failed, and nothing of the image was kept: %w: %s%s", err, why, hint)}
}

// failedError is mmdebstrap's own failure, which is not the archive's that it was to write.
type failedError struct{ error }

// Unwrap gives how it ended.
func (e *failedError) Unwrap() error { return e.error }

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
