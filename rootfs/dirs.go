package rootfs

import (
	"fmt"
	"strings"

	"cordon/sandbox/cell"
)

// dirsRoot stacks directory trees, topmost first, below the skeleton, as one
// read-only overlay without an upper. The trees are only ever lower layers:
// whatever links they hold, no file is made through them.
func (b *builder) dirsRoot(dirs []string) error {
	if len(dirs) == 0 {
		return fmt.Errorf("root.dirs: none given, at least one directory is needed for kind dirs")
	}
	for _, d := range dirs {
		if err := b.host.named(d); err != nil {
			return err
		}
		if strings.ContainsAny(d, ":,\\") {
			return fmt.Errorf("root directory %q: the characters : , \\ cannot stand in an overlay's option; rename it", d)
		}
		if info, err := b.host.FS.Lstat(d); err != nil {
			return fmt.Errorf("root directory %s: %w", d, err)
		} else if !info.IsDir() {
			return fmt.Errorf("root directory %s: not a directory", d)
		}
		if err := b.host.layer(d); err != nil {
			return err
		}
	}
	top := b.base
	b.add(cell.Op{Kind: cell.OpTmpfs, Target: top, Data: "mode=0755,size=8m", Flags: noSuid | noDev})
	b.mkdir("/skeleton", 0o755)
	b.mkdir("/root", 0o755)
	b.base = top + "/skeleton"
	b.skeleton()
	b.base = top + "/root"
	// userxattr: without it an opaque directory made without root is ignored and
	// deleted files come back (overlayfs.rst).
	options := "lowerdir=" + strings.Join(append([]string{top + "/skeleton"}, dirs...), ":") + ",userxattr"
	b.add(cell.Op{Kind: cell.OpOverlay, Target: b.base, Data: options, Flags: lowerAttr})
	b.finish()
	return nil
}
