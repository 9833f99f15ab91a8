package rootfs

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"cordon/policy"
)

var update = flag.Bool("update", false, "write the golden files anew; then read the difference")

// The whole list of operations of a root, for review: a change of one is a change
// of what every job sees.
func TestGolden(t *testing.T) {
	for name, root := range map[string]policy.Root{
		"host":          {Kind: policy.RootHost},
		"host-more":     {Kind: policy.RootHost, Dirs: []string{"/srv/tree"}},
		"host-writable": {Kind: policy.RootHost, Writable: true},
		"dirs":          {Kind: policy.RootDirs, Dirs: []string{"/srv/tree", "/srv/other"}},
		"dirs-writable": {Kind: policy.RootDirs, Dirs: []string{"/srv/tree"}, Writable: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustMake(t, root, host(merged()))
			got := "template\n" + text(p.Template) + "\ncell\n" + text(p.Cell)
			file := filepath.Join("testdata", name+".golden.txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v; go test ./rootfs -update writes it", err)
			}
			if got != string(want) {
				t.Errorf("%s differs; go test ./rootfs -update writes it anew. Now:\n%s", file, got)
			}
		})
	}
}
