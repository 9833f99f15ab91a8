package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cordon/internal/testkit"
)

// TestOnImageRangeWatchers: the kernel counts instances of inotify for each id of a user
// namespace. One job has so many of them, whoever it makes itself.
func TestOnImageRangeWatchers(t *testing.T) {
	g := newGallery(t)
	g.brings(t, "web:1", nil, testkit.Archive(t, system...))
	root := ImageRequest{Name: "web:1", Range: true}
	g.says(t, g.on(t, root, "ci", "watchers 0 1"), "watchers 16")
	g.says(t, g.on(t, root, "ci", "watchers 1 40"), "watchers 16")
}

// TestOnImageRangeShown: files of the service's store are shown to a job whoever it is.
func TestOnImageRangeShown(t *testing.T) {
	g := newGallery(t)
	g.brings(t, "web:1", nil, testkit.Archive(t, system...))
	kept := share(t, "of the store")
	for user, ids := range map[string]string{"": "0 0 0 0 0 0", "www": "33 33 33 34 34 34", "65534": "65534 65534 65534 0 0 0"} {
		j := g.on(t, ImageRequest{Name: "web:1", Range: true, User: user, Placed: true}, "ci", "ids ; cat d/kept ; put d/mine x ; put mine x")
		j.Files = []File{{Path: "d/kept", Mode: 0o555, Kept: kept}}
		g.says(t, j, "ids "+ids+" 0", "cat of the store", "put ok", "put ok")
	}
}

// TestOnImageMoved: a name may stand for another image when the job runs. The result says which
// one it was.
func TestOnImageMoved(t *testing.T) {
	g := newGallery(t)
	for _, content := range []string{"old", "new"} {
		i := g.brings(t, "web:1", nil, testkit.Archive(t, testkit.Regular("own", 0o644, 0, content)))
		if err := g.store.Name(i, "web:1"); err != nil {
			t.Fatal(err)
		}
		if r := g.run(t, g.on(t, ImageRequest{Name: "web:1"}, "default", "cat /own")); r.Image != i.ID || string(r.Stdout) != "cat "+content+"\n" {
			t.Errorf("%s: ran on %s: %s, want %s", content, r.Image, r.Stdout, i.ID)
		}
	}
	if r := g.run(t, shell("true")); r.Image != "" {
		t.Errorf("on the host's root: %q", r.Image)
	}
}

// TestJobImagePath: an image says where its programs are, and not how long it takes to look.
func TestJobImagePath(t *testing.T) {
	many := make([]string, 50_000)
	for i := range many {
		many[i] = fmt.Sprintf("/%d", i)
	}
	for path, want := range map[string][]string{"/bin:/usr/bin": {"/bin", "/usr/bin"}, strings.Repeat("::/a:/b", 1000): {"/a", "/b"}, "": nil, strings.Join(many, ":"): many[:mostDirs]} {
		i := &JobImage{Env: []string{"PATH=/before", "PATH=" + path}}
		if got := i.Path(); !slices.Equal(got, want) {
			t.Errorf("%.40q: %d of them: %.100q", path, len(got), got)
		}
	}
}
