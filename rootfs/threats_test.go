package rootfs

import (
	"slices"
	"strings"
	"testing"

	"cordon/sandbox/cell"
)

// Nothing is made, written or given away below a mount that is not a tmpfs of our
// own: no name in a foreign tree is ever walked for that (docs/threat-model.md).
func TestForeignTreesAreNeverWritten(t *testing.T) {
	f := merged()
	f["/srv/tree/deep/"] = ""
	for name, root := range roots() {
		p := mustMake(t, root, host(f))
		if bad := foreignWrites(p.Template); len(bad) > 0 {
			t.Errorf("%s: %q", name, bad)
		}
		if bad := foreignWrites(p.Cell); len(bad) > 0 {
			t.Errorf("%s, of each cell: %q", name, bad)
		}
	}
	// It sees what it looks for.
	for _, o := range []cell.Op{{Kind: cell.OpMkdir, Target: "/base/usr/x"}, {Kind: cell.OpFile, Target: "/base/usr/x"}, {Kind: cell.OpSymlink, Target: "/base/usr"},
		{Kind: cell.OpChown, Target: "/base/usr/x"}, {Kind: cell.OpMkdir, Target: "/elsewhere"}} {
		ops := []cell.Op{{Kind: cell.OpTmpfs, Target: "/base"}, {Kind: cell.OpBind, Source: "/usr", Target: "/base/usr"}, o}
		if len(foreignWrites(ops)) != 1 {
			t.Errorf("%s is not seen", o)
		}
	}
}

// foreignWrites are the operations that make or change something elsewhere than on a
// tmpfs that an earlier one has mounted.
func foreignWrites(ops []cell.Op) (bad []string) {
	type mount struct {
		at   string
		ours bool
	}
	var mounts []mount
	for _, o := range ops {
		switch o.Kind {
		case cell.OpTmpfs, cell.OpBind, cell.OpOverlay, cell.OpProc:
			mounts = append(mounts, mount{o.Target, o.Kind == cell.OpTmpfs})
		case cell.OpMkdir, cell.OpFile, cell.OpSymlink, cell.OpChown:
			over := mount{}
			for _, m := range mounts { // the deepest, and of two at one place the later
				if within(o.Target, m.at) && len(m.at) >= len(over.at) {
					over = m
				}
			}
			if !over.ours {
				bad = append(bad, o.String())
			}
		}
	}
	return bad
}

// planned calls f for every operation of every kind of root.
func planned(t *testing.T, f func(root string, o cell.Op)) {
	files := merged()
	files["/srv/tree/deep/"] = ""
	for name, root := range roots() {
		p := mustMake(t, root, host(files))
		for _, o := range slices.Concat(p.Template, p.Cell) {
			f(name, o)
		}
	}
}

// Overlays follow no redirection that a tree's attributes ask for, and what they
// take up is kept in the cell's own scratch.
func TestOverlayOptions(t *testing.T) {
	overlays := 0
	planned(t, func(root string, o cell.Op) {
		if o.Kind != cell.OpOverlay {
			return
		}
		overlays++
		for option := range strings.SplitSeq(o.Data, ",") {
			key, value, _ := strings.Cut(option, "=")
			own := (key == "upperdir" || key == "workdir") && strings.HasPrefix(value, scratch+"/")
			if !own && key != "lowerdir" && option != "userxattr" {
				t.Errorf("%s: option %s of an overlay", root, option)
			}
		}
		if !strings.HasSuffix(o.Data, ",userxattr") {
			t.Errorf("%s: %s: without userxattr the kernel takes other attributes", root, o.Data)
		}
	})
	if overlays < 4 {
		t.Errorf("%d overlays looked at", overlays)
	}
}

// What covers parts of /proc, and what is in /dev, comes from fixed lists: from the
// tmpfs of the root, and from the host's own nodes.
func TestMasksAndDevices(t *testing.T) {
	masks, nodes := 0, 0
	planned(t, func(root string, o cell.Op) {
		if o.Kind != cell.OpBind {
			return
		}
		if strings.Contains(o.Target, "/proc/") {
			if masks++; o.Source != maskDir+"/file" && o.Source != maskDir+"/dir" {
				t.Errorf("%s: %s covers with something that is not ours", root, o)
			}
		}
		if _, node, ok := strings.Cut(o.Target, "/dev/"); ok && node != "shm" {
			if nodes++; !slices.Contains(devices, node) || o.Source != "/dev/"+node {
				t.Errorf("%s: %s is not in the list of devices", root, o)
			}
		}
	})
	if masks < 6 || nodes < 6*len(devices) {
		t.Errorf("%d covered, %d devices", masks, nodes)
	}
}
