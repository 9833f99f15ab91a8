package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImpliedDirectories: directories that an entry only implies count as entries, else
// each entry brings a hundred.
func TestImpliedDirectories(t *testing.T) {
	layer := archive(t, file("a/b/c/d/e/f", "x"), file("a/b/c/d/e/g", "x"))
	bring := func(most int64) (*opened, error) {
		l := DefaultLimits()
		l.Entries = most
		o := open(t, l)
		i := newLayout(t)
		i.image("x:1", layer)
		_, err := o.Import(context.Background(), i.write(), nil, ImportOptions{})
		return o, err
	}
	if _, err := bring(7); err != nil { // two files and five directories
		t.Error(err)
	}
	o, err := bring(6)
	rejects(t, err, digestOf(layer), "a/b/c/d/e/g", "more than 6 entries")
	o.empty(t)
}

// TestSparseTogether: what sparse files claim counts together, though no archive holds it.
func TestSparseTogether(t *testing.T) {
	l := DefaultLimits()
	l.FileBytes, l.Bytes = 3<<20, 5<<20
	one := sparseArchive(t, 3<<20)
	one = one[:len(one)-1024] // without its end
	other := bytes.ReplaceAll(one, []byte("sparse.name=sparse\n"), []byte("sparse.name=second\n"))
	layer := append(bytes.Clone(one), other...)
	layer = append(layer, make([]byte, 1024)...)
	o := open(t, l)
	o.brings(t, "one:1", append(bytes.Clone(one), make([]byte, 1024)...))
	i := newLayout(t)
	i.image("x:1", layer)
	_, err := o.Import(context.Background(), i.write(), nil, ImportOptions{})
	rejects(t, err, digestOf(layer), "second", "--max-bytes")
}

// TestLongNames: names are kept in mind while a layer is followed: there is a bound to all
// of them together.
func TestLongNames(t *testing.T) {
	b := &budget{Limits: DefaultLimits()}
	name := strings.Repeat("n", pathMax)
	var err error
	for range namesMost/pathMax + 1 {
		if err = b.name(name, ""); err != nil {
			break
		}
	}
	rejects(t, err, "", "", "names")
}

// TestManyNames: an archive cannot fill the list of names until nobody can read it.
func TestManyNames(t *testing.T) {
	o := open(t, Limits{})
	layer := archive(t, file("a", "x"))
	o.brings(t, "kept:1", layer)
	var tags []string
	for i := range 250_000 {
		tags = append(tags, fmt.Sprintf("x:%d", i))
	}
	config, err := json.Marshal(configOf(layer))
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal([]savedImage{{Config: "c.json", RepoTags: tags, Layers: []string{"l.tar"}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) > documentMax {
		t.Fatal("the list itself is too long")
	}
	name := filepath.Join(t.TempDir(), "saved.tar")
	if err := os.WriteFile(name, archive(t, file("manifest.json", string(list)), file("c.json", string(config)), file("l.tar", string(layer))), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = o.Import(context.Background(), name, nil, ImportOptions{})
	rejects(t, err, "", "", "names")
	if _, err := o.Get(Ref{Name: "kept:1"}); err != nil {
		t.Error(err)
	}
	// Whatever comes together over time: what could not be read again is not written.
	if err := o.writeJSON(namesName, strings.Repeat("x", storedMax)); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Error(err)
	}
	if _, err := o.Get(Ref{Name: "kept:1"}); err != nil {
		t.Error(err)
	}
}

// TestHugePacked: nothing is fetched that could not be kept anyhow.
func TestHugePacked(t *testing.T) {
	o := open(t, Limits{})
	g, err := o.ingest()
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	opened := false
	_, err = g.layer(context.Background(), coming{diffID: digestOf(nil), digest: digestOf(nil), size: 1 << 60, want: gzips,
		open: func(context.Context) (io.ReadCloser, error) {
			opened = true
			return io.NopCloser(bytes.NewReader(nil)), nil
		}})
	rejects(t, err, digestOf(nil), "", "--max-bytes")
	if opened {
		t.Error("it was fetched")
	}
}
