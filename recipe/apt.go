package recipe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"cordon/bootstrap"
	"cordon/image"
	"cordon/sandbox"
)

// aptScript installs what was brought. No service starts in a cell, nothing needs to be on
// a disk, and what apt would keep for another time is of no use in a layer.
const aptScript = `set -e
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C.UTF-8
rc=/usr/sbin/policy-rc.d
if [ ! -e $rc ]; then printf '#!/bin/sh\nexit 101\n' > $rc; chmod 755 $rc; mine=yes; fi
set -- /work/apt/*.deb
if [ -e "$1" ]; then
	if command -v apt-get > /dev/null; then
		apt-get -q -y -o APT::Sandbox::User=root -o DPkg::Use-Pty=0 -o DPkg::Options::=--force-unsafe-io --no-install-recommends --allow-downgrades install "$@" < /dev/null
	else
		dpkg --force-unsafe-io --unpack "$@" < /dev/null
		dpkg --force-unsafe-io --configure -a < /dev/null
	fi
fi
if [ "$mine" = yes ]; then rm -f $rc; fi
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/log/apt/* /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache
`

// statusMax is more than a system of all of Debian's packages has.
const statusMax = 256 << 20

// bringAPT has this machine's apt find out which packages the image lacks, and bring them.
// Of the image it sees a list of packages alone, and of that what this file has read.
func (b *work) bringAPT(ctx context.Context, h *image.Held, words []string, dir string) ([]sandbox.File, error) {
	v, err := h.View(b.Store)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	release, err := v.ReadFile("/etc/os-release", 64<<10)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	suite := field(string(release), "VERSION_CODENAME")
	if field(string(release), "ID") != "debian" || suite == "" {
		return nil, fmt.Errorf("packages.apt: the base is no release of Debian (its /etc/os-release says %q, %q); take one that is, such as that of cordon image bootstrap debian",
			field(string(release), "ID"), suite)
	}
	text, err := v.ReadFile("/var/lib/dpkg/status", statusMax)
	if err != nil {
		return nil, fmt.Errorf("packages.apt: the base has no list of its packages: %w", err)
	}
	status, err := cleanStatus(string(text))
	if err != nil {
		return nil, fmt.Errorf("packages.apt: the base's list of its packages: %w", err)
	}
	b.tell("apt: looking for " + suite)
	archive, err := bootstrap.ArchiveOf(ctx, suite, dir)
	if err != nil {
		return nil, err
	}
	config, err := writeAPT(dir, archive, status)
	if err != nil {
		return nil, err
	}
	env := []string{"APT_CONFIG=" + config, "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	if err := tool(ctx, dir, env, "apt-get", "-q", "update"); err != nil {
		return nil, err
	}
	b.tell("apt: bringing packages")
	if err := tool(ctx, dir, env, "apt-get", append([]string{"-q", "-y", "--allow-downgrades", "--download-only", "install"}, words...)...); err != nil {
		return nil, fmt.Errorf("packages.apt: %w", err)
	}
	debs := filepath.Join(dir, "cache", "archives")
	for _, own := range []string{"partial", "lock"} {
		if err := os.RemoveAll(filepath.Join(debs, own)); err != nil {
			return nil, err
		}
	}
	return brought(debs, "apt")
}

// writeAPT writes what apt reads instead of this machine's settings. A name is a name: one that
// no package has would be looked for as a regular expression, and all that fit it be brought.
func writeAPT(dir string, a *bootstrap.Archive, status string) (config string, err error) {
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "log", "none"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return "", err
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	var c strings.Builder
	for _, set := range [][2]string{{"Dir::Etc::main", at("none/apt.conf")}, {"Dir::Etc::parts", at("none")}, {"Dir::Etc::sourcelist", at("sources.list")}, {"Dir::Etc::sourceparts", at("none")},
		{"Dir::Etc::preferences", at("none/preferences")}, {"Dir::Etc::preferencesparts", at("none")}, {"Dir::State", at("state")}, {"Dir::State::status", at("status")},
		{"Dir::State::extended_states", at("state/extended")}, {"Dir::Cache", at("cache")}, {"Dir::Cache::archives", at("cache/archives")}, {"Dir::Log", at("log")}, {"APT::Sandbox::User", "root"}, {"Debug::NoLocking", "true"},
		{"APT::Install-Recommends", "false"}, {"APT::Install-Suggests", "false"}, {"APT::Cmd::Pattern-Only", "true"}, {"Acquire::Languages", "none"}} {
		fmt.Fprintf(&c, "%s \"%s\";\n", set[0], set[1])
	}
	for _, w := range a.Ways {
		fmt.Fprintln(&c, w+";")
	}
	for name, text := range map[string]string{"apt.conf": c.String(), "sources.list": strings.Join(a.Lines, "\n") + "\n", "status": status} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return at("apt.conf"), nil
}

// field of a file like /etc/os-release.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return ""
}

// wantedFields of a package are what apt needs to know what is there.
var wantedFields = map[string]bool{"Package": true, "Status": true, "Architecture": true, "Version": true, "Multi-Arch": true, "Essential": true, "Protected": true, "Provides": true,
	"Depends": true, "Pre-Depends": true, "Conflicts": true, "Breaks": true, "Replaces": true}

var plainValue = regexp.MustCompile(`^[ -~]*$`)

// cleanStatus reads a list of packages and writes it anew: the fields that are wanted, in
// plain letters. An image may have anything in its own.
func cleanStatus(text string) (string, error) {
	var out strings.Builder
	last, line := "", 0
	put := func() error {
		if last == "" {
			return nil
		}
		if len(last) > 64<<10 || !plainValue.MatchString(last) {
			return fmt.Errorf("line %d: not a line of text", line)
		}
		out.WriteString(last + "\n")
		last = ""
		return nil
	}
	for one := range strings.Lines(text) {
		line++
		one = strings.TrimRight(one, "\r\n")
		switch {
		case strings.TrimSpace(one) == "":
			if err := put(); err != nil {
				return "", err
			}
			out.WriteString("\n")
		case one[0] == ' ' || one[0] == '\t': // goes on with the line before
			if last != "" {
				last += " " + strings.TrimSpace(one)
			}
		default:
			if err := put(); err != nil {
				return "", err
			}
			if name, _, ok := strings.Cut(one, ":"); ok && wantedFields[name] {
				last = one
			}
		}
	}
	err := put()
	return out.String(), err
}
