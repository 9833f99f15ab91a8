package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"cordon/rootfs"
)

// layersRow: a directory with another mount below it cannot be a layer of an overlay for
// who is not root, and so not of a writable root, or one of directory trees.
func layersRow(h *host) Row {
	r := Row{Name: "overlay layers", Status: OK, Found: "nothing is mounted below what roots show", Lost: "no writable root, and no root of directory trees, with these directories; others work"}
	text, err := h.read("/proc/self/mountinfo")
	if err != nil {
		r.Status, r.Found, r.Fix = Degraded, errText(err), "mount /proc: sudo mount -t proc proc /proc"
		return r
	}
	var found []string
	for _, dir := range append(rootfs.SystemTrees(), h.roots...) {
		real, err := filepath.EvalSymlinks(h.at(dir))
		if err != nil { // not every system has each
			continue
		}
		below, err := rootfs.MountBelow(strings.TrimPrefix(real, h.root), []byte(text))
		if err != nil {
			r.Status, r.Found, r.Fix = Degraded, errText(err), "see /proc/self/mountinfo, of which a line cannot be read"
			return r
		}
		if below != "" && !slices.ContainsFunc(found, func(s string) bool { return strings.HasPrefix(s, below+" ") }) { // /lib leads into /usr
			found = append(found, fmt.Sprintf("%s is mounted below %s", below, dir))
		}
	}
	if len(found) > 0 {
		r.Status, r.Found = Degraded, strings.Join(found, "; ")
		r.Fix = "name directories beside these in the policy's root.dirs, or unmount them and start the service anew"
	}
	return r
}
