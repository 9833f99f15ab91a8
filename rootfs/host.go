package rootfs

import (
	"fmt"
	"os"
	"slices"

	"cordon/sandbox/cell"
)

// system are the directories that hold programs and libraries. On merged-usr
// systems most are symbolic links, which are made again as they are.
var system = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store"}

// etcTrees are the directories of /etc without which toolchains do not start.
// Nothing else of the host's /etc is shown.
var etcTrees = []string{"/etc/alternatives", "/etc/ssl/certs", "/etc/ca-certificates", "/etc/java*", "/etc/perl",
	"/etc/php", "/etc/mono", "/etc/ghc*", "/etc/fonts", "/etc/ld.so.cache"}

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
	for _, pattern := range etcTrees {
		matches, err := b.host.FS.Glob(pattern)
		if err != nil {
			return fmt.Errorf("root: %s: %w", pattern, err)
		}
		for _, m := range matches {
			b.showTree(m, made)
		}
	}
	for _, f := range etcFiles {
		if data, err := b.host.FS.ReadFile(f); err == nil && len(data) <= etcFileMax {
			b.file(f, string(data))
		}
	}
	for _, d := range slices.Concat(b.host.Extra, more) {
		if err := b.host.private(d); err != nil && !slices.Contains(b.host.Extra, d) {
			return err
		}
		if _, err := b.host.FS.Lstat(d); err != nil {
			return fmt.Errorf("root directory %s: %w; make it or take it from the policy's root.dirs", d, err)
		}
		b.showTree(d, made)
	}
	b.finish()
	return nil
}

func (b *builder) showSystem(dir string, made map[string]bool) error {
	info, err := b.host.FS.Lstat(dir)
	if err != nil {
		return nil // not every system has each
	}
	if info.Mode()&os.ModeSymlink == 0 {
		b.showTree(dir, made)
		return nil
	}
	to, err := b.host.FS.Readlink(dir)
	if err != nil {
		return fmt.Errorf("root directory %s: %w", dir, err)
	}
	b.symlink(to, dir)
	return nil
}

// showTree binds one directory or file of the host, read-only, at its own path.
func (b *builder) showTree(dir string, made map[string]bool) {
	info, err := b.host.FS.Lstat(dir)
	if err != nil {
		return
	}
	b.parents(dir, made)
	if info.IsDir() {
		b.mkdir(dir, 0o755)
		b.trees = append(b.trees, dir)
	} else {
		b.file(dir, "")
		b.files = append(b.files, dir)
	}
	b.bind(dir, dir, lowerAttr)
}
