package rootfs

import "strings"

// Changes is where a cell's scratch has what its job changed of a root that it may write to:
// the upper directory of an overlay. Of a root of one tree, an image's, it has all.
const Changes = "layer0/up"

// Own are the names of a root that are the cell's and no image's, without the first slash:
// what a job has changed there is of no use to another.
func Own() []string {
	names := []string{"sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", "var/tmp", "etc/mtab"}
	for _, d := range rootDirs {
		names = append(names, strings.TrimPrefix(d.path, "/"))
	}
	return names
}
