package sandbox

import (
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
