package bootstrap

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

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
