package rootfs

import (
	"strings"
	"testing"

	"cordon/policy"
)

// A directory below which something is mounted is refused where it would be a layer of an
// overlay, by name, and shown where it would not.
func TestMountsBelowLayers(t *testing.T) {
	host := fakeFS{"/usr/": "", "/var/lib/docker/overlay2/x/": "", "/srv/tree/a": "", "/link": "-> /var/lib"}
	const docker = "25 20 8:1 / / rw - ext4 d rw\n26 25 0:40 / /var/lib/docker/overlay2/x/merged rw,relatime - overlay overlay rw\n"
	const tree = "26 25 0:40 / /srv/tree/a\\040b rw - tmpfs t rw\n27 25 0:41 / /srv/trees rw - tmpfs t rw\n"
	for name, c := range map[string]struct {
		root   policy.Root
		mounts string
		want   []string // in the error; nil: none
	}{
		"writable":                 {policy.Root{Kind: "host", Dirs: []string{"/var/lib"}, Writable: true}, docker, []string{"/var/lib:", "/var/lib/docker/overlay2/x/merged is mounted", "root.dirs"}},
		"by a link":                {policy.Root{Kind: "host", Dirs: []string{"/link"}, Writable: true}, docker, []string{"/link:", "/var/lib/docker/overlay2/x/merged"}},
		"read-only":                {policy.Root{Kind: "host", Dirs: []string{"/var/lib"}}, docker, nil},
		"writable without it":      {policy.Root{Kind: "host", Writable: true}, docker, nil},
		"a system directory":       {policy.Root{Kind: "host", Writable: true}, "26 25 0:40 / /usr/lib/wsl rw - ext4 d rw\n", []string{"/usr:", "/usr/lib/wsl is"}},
		"it is a mount itself":     {policy.Root{Kind: "host", Dirs: []string{"/var/lib"}, Writable: true}, "26 25 0:40 / /var/lib rw - ext4 d rw\n", nil},
		"trees":                    {policy.Root{Kind: "dirs", Dirs: []string{"/srv/tree"}}, tree, []string{"/srv/tree:", "/srv/tree/a b is mounted"}},
		"trees, mounted beside it": {policy.Root{Kind: "dirs", Dirs: []string{"/srv/tree"}}, "27 25 0:41 / /srv/trees rw - tmpfs t rw\n", nil},
		"that cannot be read":      {policy.Root{Kind: "dirs", Dirs: []string{"/srv/tree"}}, "not of the kernel\n", []string{"mountinfo"}},
	} {
		fs := fakeFS{mountsFile: c.mounts}
		for name, text := range host {
			fs[name] = text
		}
		_, err := Make(c.root, Host{Base: "/base", FS: fs, CPUs: 1}, 1<<20, 100)
		if (err != nil) != (c.want != nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v: want %q in it", name, err, part)
			}
		}
	}
}
