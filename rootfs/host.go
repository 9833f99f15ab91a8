package rootfs

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"cordon/sandbox/cell"
)

// system are the directories that hold programs and libraries. On merged-usr
// systems most are symbolic links, which are made again as they are.
var system = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store"}

// etcTrees are what most programs read below /etc; a toolchain's own come from
// Host.Extra. Nothing else of the host's /etc is shown.
var etcTrees = []string{"/etc/alternatives", "/etc/ssl/certs", "/etc/ld.so.cache"}

// etcFiles are copied when the template is planned: small, and one mount less each.
var etcFiles = []string{"/etc/localtime", "/etc/timezone", "/etc/mime.types", "/etc/os-release", "/etc/ld.so.conf",
	"/etc/protocols", "/etc/shells", "/etc/fpc.cfg", "/etc/debian_version", "/etc/inputrc"}

const etcFileMax = 8192

// hostRoot shows a curated, read-only part of this machine: toolchains yes,
// people's files and the machine's secrets never.
func (b *builder) hostRoot(more []string) error {
	b.add(cell.Op{Kind: cell.OpTmpfs, Target: b.base, Data: "mode=0755,size=8m", Flags: noSuid | noDev})
	b.skeleton()
	made := map[string]bool{"/etc": true}
	for _, d := range system {
		if err := b.showSystem(d, made); err != nil {
			return err
		}
	}
	for _, d := range etcTrees {
		b.showTree(Bind{d, d}, made)
	}
	for _, x := range b.host.Extra {
		b.showTree(x, made)
	}
	for _, f := range etcFiles {
		if made[f] { // shown as what a toolchain reads
			continue
		}
		if data, err := b.host.FS.ReadFile(f); err == nil && len(data) <= etcFileMax {
			b.file(f, string(data))
		}
	}
	for _, d := range slices.Sorted(slices.Values(more)) { // the outer before the inner
		if err := errors.Join(b.host.named(d), uncovered(d)); err != nil {
			return err
		}
		if _, err := b.host.FS.Lstat(d); err != nil {
			return fmt.Errorf("root directory %s: %w; make it or take it from the policy's root.dirs", d, err)
		}
		seen, err := b.visible(d)
		if err != nil {
			return err
		}
		if !seen {
			b.showTree(Bind{d, d}, made)
		}
	}
	b.finish()
	return b.layers()
}

// layers: each tree of a writable root is a layer of a cell's overlay.
func (b *builder) layers() error {
	if !b.writable {
		return nil
	}
	for _, source := range b.sources {
		if err := b.host.layer(source); err != nil {
			return err
		}
	}
	return nil
}

// own are the places where every cell has something of its own, which would cover
// what is shown there. /var/tmp leads to /tmp.
var own = []string{"/tmp", "/var/tmp", "/work", "/dev", "/proc", "/sys"}

func uncovered(dir string) error {
	for _, place := range own {
		if within(dir, place) {
			return fmt.Errorf("root directory %s: lies in %s, of which every job has its own; name a directory elsewhere", dir, place)
		}
	}
	return nil
}

func (b *builder) showSystem(dir string, made map[string]bool) error {
	info, err := b.host.FS.Lstat(dir)
	if err != nil {
		return nil // not every system has each
	}
	if info.Mode()&os.ModeSymlink == 0 {
		// Every job sees it: the service cannot keep its own things there.
		if err := b.host.private(dir); err != nil {
			return fmt.Errorf("%w: every job sees %s, so the service's own must lie elsewhere (--state)", err, dir)
		}
		b.showTree(Bind{dir, dir}, made)
		return nil
	}
	to, err := b.host.FS.Readlink(dir)
	if err != nil {
		return fmt.Errorf("root directory %s: %w", dir, err)
	}
	b.symlink(to, dir)
	b.links = append(b.links, dir)
	return nil
}

// visible: what lies in a tree that is shown already, by its own name or by that
// of a link made for it, needs no mount of its own; nor could one be made, for
// the tree is read-only.
func (b *builder) visible(dir string) (bool, error) {
	inside := func(place string) func(string) bool {
		return func(shown string) bool { return within(place, shown) }
	}
	if !slices.ContainsFunc(b.trees, inside(dir)) && !slices.ContainsFunc(b.links, inside(dir)) {
		for _, shown := range slices.Concat(b.trees, b.files) {
			if within(shown, dir) {
				return false, fmt.Errorf("root directory %s: would cover %s, which is part of every root; name the directories beside it", dir, shown)
			}
		}
		return false, nil
	}
	real, err := b.host.FS.EvalSymlinks(dir)
	if err != nil {
		return false, fmt.Errorf("root directory %s: %w", dir, err)
	}
	if !slices.ContainsFunc(b.trees, inside(real)) {
		return false, fmt.Errorf("root directory %s: lies in a directory that is shown already, and leads out of it to %s; name %[2]s instead", dir, real)
	}
	return true, nil
}

// showTree binds one directory or file of the host, read-only. What does not
// exist here, or is shown already, is left out.
func (b *builder) showTree(x Bind, made map[string]bool) {
	info, err := b.host.FS.Stat(x.Source)
	if err != nil || made[x.Target] {
		return
	}
	b.parents(x.Target, made)
	made[x.Target] = true
	if info.IsDir() {
		b.mkdir(x.Target, 0o755)
		b.trees, b.sources = append(b.trees, x.Target), append(b.sources, x.Source)
	} else {
		b.file(x.Target, "")
		b.files = append(b.files, x.Target)
	}
	b.bind(x.Source, x.Target, lowerAttr)
}
