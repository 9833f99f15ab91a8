package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// TestManifests: what does not say plainly what it is, or is not what it says, is refused
// before a layer is read.
func TestManifests(t *testing.T) {
	layer := archive(t, file("a", "x"))
	for name, c := range map[string]struct {
		change func(l *layout, m *manifest)
		reason string
	}{
		"both an index and an image": {func(l *layout, m *manifest) { m.Manifests = []descriptor{*m.Config} }, "either an index or an image"},
		"an index that says image": {func(_ *layout, m *manifest) {
			*m = manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Manifests: []descriptor{*m.Config}}
		},
			"not what its media type"},
		"an image that says index":      {func(_ *layout, m *manifest) { m.MediaType = types.OCIImageIndex }, "not what its media type"},
		"schema 1":                      {func(_ *layout, m *manifest) { m.SchemaVersion = 1 }, "schema version 1"},
		"no config":                     {func(_ *layout, m *manifest) { m.Config = nil }, "no configuration"},
		"an artifact":                   {func(_ *layout, m *manifest) { m.Config.MediaType = types.OCIEmptyJSON }, "no image of a root"},
		"a foreign layer":               {func(_ *layout, m *manifest) { m.Layers[0].MediaType = types.DockerForeignLayer }, "allowed are tar archives"},
		"a restricted layer":            {func(_ *layout, m *manifest) { m.Layers[0].MediaType = types.OCIRestrictedLayer }, "allowed are tar archives"},
		"a layer of no type":            {func(_ *layout, m *manifest) { m.Layers[0].MediaType = "" }, "allowed are tar archives"},
		"a layer elsewhere":             {func(_ *layout, m *manifest) { m.Layers[0].URLs = []string{"http://127.0.0.1/secret"} }, "fetched from elsewhere"},
		"a negative size":               {func(_ *layout, m *manifest) { m.Layers[0].Size = -1 }, "a size of -1"},
		"a digest that leads elsewhere": {func(_ *layout, m *manifest) { m.Layers[0].Digest = "sha256:../../../passwd" }, "hexadecimal digits are wanted"},
		"a digest of another kind":      {func(_ *layout, m *manifest) { m.Layers[0].Digest = "md5:" + strings.Repeat("0", 32) }, "hexadecimal digits are wanted"},
		"a digest in capitals":          {func(_ *layout, m *manifest) { m.Layers[0].Digest = strings.ToUpper(m.Layers[0].Digest) }, "hexadecimal digits are wanted"},
		"more layers than config":       {func(_ *layout, m *manifest) { m.Layers = append(m.Layers, m.Layers[0]) }, "the image has 2"},
		"less layers than config":       {func(_ *layout, m *manifest) { m.Layers = nil }, "the image has 0"},
		"many layers": {func(_ *layout, m *manifest) {
			for range 200 {
				m.Layers = append(m.Layers, m.Layers[0])
			}
		}, "201 layers"},
		"a config of another size": {func(_ *layout, m *manifest) { m.Config.Size++ }, "were announced"},
		"a config that was changed": {func(l *layout, m *manifest) {
			l.blobs[m.Config.Digest] = bytes.Replace(l.blobs[m.Config.Digest], []byte("A=b"), []byte("A=c"), 1)
		}, "digest mismatch"},
		"a huge config":            {func(_ *layout, m *manifest) { m.Config.Size = 1 << 40 }, "are announced"},
		"a config that is no JSON": {func(l *layout, m *manifest) { c := l.blob(types.OCIConfigJSON, []byte("{")); m.Config = &c }, "not JSON"},
		"a config of other digests": {func(l *layout, m *manifest) {
			c := l.json(types.OCIConfigJSON, map[string]any{"os": "linux", "architecture": "amd64", "rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:../.."}}})
			m.Config = &c
		}, "configuration"},
		"another kind of root": {func(l *layout, m *manifest) {
			c := configOf(layer)
			c["rootfs"] = map[string]any{"type": "disk", "diff_ids": []string{digestOf(layer)}}
			d := l.json(types.OCIConfigJSON, c)
			m.Config = &d
		}, "layers are wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, Limits{})
			same := neighbour(t, o.top)
			l := newLayout(t)
			m := &manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
			config := l.json(types.OCIConfigJSON, configOf(layer))
			m.Config, m.Layers = &config, []descriptor{l.blob(types.OCILayer, gzipped(t, layer))}
			c.change(l, m)
			d := l.json(m.MediaType, m)
			if !strings.HasSuffix(name, "says index") {
				d.MediaType = types.OCIManifestSchema1
			}
			l.index.Manifests = []descriptor{d}
			_, err := o.Import(context.Background(), l.write(), nil, ImportOptions{})
			var r *RejectedError
			if !errors.As(err, &r) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%v, want %q", err, c.reason)
			}
			same()
			o.empty(t)
		})
	}
}

// TestIndexes: of an index the image for the platform is taken; what is about images is
// not one; indexes in indexes end somewhere; one that names itself cannot be.
func TestIndexes(t *testing.T) {
	layer, other := archive(t, file("a", "this")), archive(t, file("a", "other"))
	o := open(t, Limits{})
	l := newLayout(t)
	l.image("", layer)
	here := l.index.Manifests[0]
	here.Platform = &v1.Platform{OS: "linux", Architecture: "amd64"}
	l.image("", other)
	there := l.index.Manifests[1]
	there.Platform = &v1.Platform{OS: "linux", Architecture: "s390x"}
	about := here
	about.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
	for deep := range 6 {
		inner := manifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []descriptor{about, there, here}}
		for range deep {
			inner = manifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []descriptor{l.json(types.OCIImageIndex, inner)}}
		}
		l.index.Manifests = nil
		l.add("x:1", &inner)
		want := v1.Platform{OS: "linux", Architecture: "amd64"}
		all, err := o.Import(context.Background(), l.write(), nil, ImportOptions{Platform: want})
		switch {
		case deep > 2:
			if err == nil || !strings.Contains(err.Error(), "in each other") {
				t.Errorf("%d indexes in each other: %v", deep+1, err)
			}
		case err != nil || len(all) != 1 || all[0].Layers[0].DiffID != digestOf(layer) || len(all[0].Manifests) < 2:
			t.Errorf("%+v, %v", all, err)
		}
	}
	_, err := o.Import(context.Background(), l.dir, nil, ImportOptions{Platform: v1.Platform{OS: "plan9", Architecture: "amd64"}})
	if err == nil {
		t.Error("an image for another system is taken")
	}
	// An index that lists its own name: nobody can know its digest, so it does not match.
	self := descriptor{MediaType: types.OCIImageIndex, Digest: "sha256:" + strings.Repeat("a", 64), Size: 10}
	text, err := json.Marshal(manifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []descriptor{self}})
	if err != nil {
		t.Fatal(err)
	}
	self.Size = int64(len(text))
	l.blobs[self.Digest] = text
	l.index.Manifests = []descriptor{self}
	if _, err := o.Import(context.Background(), l.write(), nil, ImportOptions{}); err == nil || !strings.Contains(err.Error(), "digest mismatch") {
		t.Errorf("an index that lists itself: %v", err)
	}
}

// TestPlatform: an image for another machine is not taken unseen.
func TestPlatform(t *testing.T) {
	o := open(t, Limits{})
	l := newLayout(t)
	l.image("x:1", archive(t, file("a", "x")))
	dir := l.write()
	p := v1.Platform{OS: "linux", Architecture: "riscv64"}
	if _, err := o.Import(context.Background(), dir, nil, ImportOptions{Platform: p}); err == nil || !strings.Contains(err.Error(), "--platform") {
		t.Errorf("%v", err)
	}
	o.empty(t)
	for text, ok := range map[string]bool{"linux/amd64": true, "linux/arm/v7": true, "": true, "linux": false, "linux/": false, "a/b/c/d": false} {
		if _, err := ParsePlatform(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// saved is what docker save writes.
func saved(t testing.TB, items ...item) []byte { return archive(t, items...) }

func savedImageOf(t testing.TB, config []byte, layers ...string) string {
	t.Helper()
	text, err := json.Marshal([]savedImage{{Config: "config.json", RepoTags: []string{"tool:3", "Not a name"}, Layers: layers}})
	if err != nil {
		t.Fatal(err)
	}
	_ = config
	return string(text)
}

// TestSaved: archives of docker save, also packed, unpacked, by standard input, and with
// layers that are links to others.
func TestSaved(t *testing.T) {
	layer, second := archive(t, file("a", "x")), archive(t, file("b", "y"))
	config, err := json.Marshal(configOf(layer, second, layer))
	if err != nil {
		t.Fatal(err)
	}
	list := savedImageOf(t, config, "1/layer.tar", "2/layer.tar", "3/layer.tar")
	text := saved(t, file("config.json", string(config)), dir("1"), file("1/layer.tar", string(layer)), file("2/layer.tar", string(gzipped(t, second))),
		symlink("3/layer.tar", "../1/layer.tar"), file("manifest.json", list))
	at := t.TempDir()
	write := func(name string, text []byte) string {
		name = filepath.Join(at, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for name, from := range map[string]string{"plain": write("a.tar", text), "gzip": write("a.tar.gz", gzipped(t, text)), "zstd": write("a.tar.zst", zstded(t, text)), "stdin": "-"} {
		t.Run(name, func(t *testing.T) {
			o := open(t, Limits{})
			all, err := o.Import(context.Background(), from, bytes.NewReader(gzipped(t, text)), ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			a := all[0]
			if len(a.Layers) != 3 || a.New != 2 || a.ID != digestOf(config) || !slices.Equal(a.Names, []string{"tool:3"}) {
				t.Errorf("%+v", a)
			}
			o.verified(t, a.Image)
			o.clean(t)
			h, err := o.Hold(Ref{Name: "tool:3"})
			if err != nil {
				t.Fatal(err)
			}
			if got := lowers(t, h); len(got) != 2 || got[0] != layerID(digestOf(layer))+"/fs" {
				t.Errorf("%q", got)
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			// The name of another image is not taken by what an archive says.
			o.brings(t, "other:1", archive(t, file("z", "z")))
			if _, err := o.Remove(Ref{Name: "tool:3"}); err != nil {
				t.Fatal(err)
			}
			l := newLayout(t)
			l.image("tool:3", archive(t, file("evil", "e")))
			mine := o.imports(t, l.write())
			again, err := o.Import(context.Background(), from, bytes.NewReader(text), ImportOptions{})
			if err != nil || !slices.Equal(again[0].Kept, []string{"tool:3"}) || len(again[0].Names) != 0 {
				t.Errorf("%+v, %v", again, err)
			}
			if i, err := o.Get(Ref{Name: "tool:3"}); err != nil || i.ID != mine.ID {
				t.Errorf("%+v, %v", i, err)
			}
			if again, err = o.Import(context.Background(), from, bytes.NewReader(text), ImportOptions{Name: "tool:3"}); err != nil || !slices.Equal(again[0].Names, []string{"tool:3"}) {
				t.Errorf("%+v, %v", again, err)
			}
		})
	}
}

// TestHostileArchives: of an archive of images only its own members are ever read.
func TestHostileArchives(t *testing.T) {
	layer := archive(t, file("a", "x"))
	config, err := json.Marshal(configOf(layer))
	if err != nil {
		t.Fatal(err)
	}
	c, l := file("config.json", string(config)), file("1/layer.tar", string(layer))
	m := func(layers ...string) item { return file("manifest.json", savedImageOf(t, config, layers...)) }
	outside := filepath.Join(t.TempDir(), "layer.tar")
	if err := os.WriteFile(outside, layer, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		items  []item
		reason string
	}{
		"a member twice":             {[]item{c, l, l, m("1/layer.tar")}, "two members"},
		"a member up":                {[]item{c, file("../x", "x"), l, m("1/layer.tar")}, "leads out"},
		"a link outside":             {[]item{c, symlink("1/layer.tar", outside), m("1/layer.tar")}, "does not exist"},
		"a link up":                  {[]item{c, symlink("1/layer.tar", "../../../../../../"+outside), m("1/layer.tar")}, "leads out"},
		"a link to itself":           {[]item{c, symlink("1/layer.tar", "layer.tar"), m("1/layer.tar")}, "leads to itself"},
		"links in a round":           {[]item{c, symlink("1/layer.tar", "../2"), symlink("2", "1/layer.tar"), m("1/layer.tar")}, "leads to itself"},
		"a layer outside":            {[]item{c, l, m("../../../../" + outside)}, "does not exist"},
		"a layer that is not there":  {[]item{c, m("1/layer.tar")}, "does not exist"},
		"no config":                  {[]item{l, m("1/layer.tar")}, "not in the archive"},
		"a config of another digest": {[]item{file("manifest.json", `[{"Config":"blobs/sha256/`+strings.Repeat("0", 64)+`","Layers":["1/layer.tar"]}]`), l, file("blobs/sha256/"+strings.Repeat("0", 64), string(config))}, "digest mismatch"},
		"a device":                   {[]item{c, l, special("x", tar.TypeChar), m("1/layer.tar")}, "a member of the type"},
		"a list that is none":        {[]item{file("manifest.json", `{"a":`)}, "not JSON"},
		"a huge list":                {[]item{file("manifest.json", strings.Repeat(" ", documentMax+1))}, "allowed are"},
		"many images":                {[]item{c, l, file("manifest.json", "["+strings.Repeat(`{"Config":"config.json","Layers":["1/layer.tar"]},`, 100)+`{"Config":"config.json","Layers":["1/layer.tar"]}]`)}, "images at once"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, Limits{})
			same := neighbour(t, o.top)
			at := filepath.Join(t.TempDir(), "a.tar")
			if err := os.WriteFile(at, saved(t, c.items...), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := o.Import(context.Background(), at, nil, ImportOptions{})
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%v, want %q", err, c.reason)
			}
			same()
			o.empty(t)
		})
	}
	t.Run("a layout with links", func(t *testing.T) {
		o := open(t, Limits{})
		lay := newLayout(t)
		m := lay.image("x:1", layer)
		at := lay.write()
		blob := filepath.Join(at, blobName(m.Layers[0].Digest))
		text, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(filepath.Join(at, "elsewhere"), text, 0o644), os.Remove(blob), os.Symlink("../../elsewhere", blob)); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Import(context.Background(), at, nil, ImportOptions{}); err == nil {
			t.Error("a link was followed")
		}
		o.empty(t)
	})
	t.Run("an archive too large", func(t *testing.T) {
		limits := DefaultLimits()
		limits.ArchiveBytes = 1 << 20
		o := open(t, limits)
		for _, text := range [][]byte{bytes.Repeat([]byte("x"), 2<<20), gzipped(t, make([]byte, 2<<20))} {
			if _, err := o.Import(context.Background(), "-", bytes.NewReader(text), ImportOptions{}); err == nil {
				t.Error("it is taken")
			}
			o.empty(t)
		}
	})
}

// TestRefs: how images are named.
func TestRefs(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for text, want := range map[string]Ref{
		"debian": {Name: "debian:latest"}, "debian:12": {Name: "debian:12"}, "a/b-c_d.e:X.y_z-1": {Name: "a/b-c_d.e:X.y_z-1"}, "localhost:5000/a": {Name: "localhost:5000/a:latest"},
		"Reg.Example:5000/a/b:1": {Name: "Reg.Example:5000/a/b:1"}, "debian@sha256:" + id: {Name: "debian", Digest: "sha256:" + id}, "debian:12@sha256:" + id: {Name: "debian", Digest: "sha256:" + id},
		"sha256:" + id: {Prefix: id}, "sha256:01234567": {Prefix: "01234567"}, id: {Prefix: id}, "0123456789ab": {Prefix: "0123456789ab"}, "deadbeef": {Name: "deadbeef:latest"},
	} {
		if got, err := ParseRef(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":", "a:", ":a", "A", "a//b", "/a", "a/", "..", "a/..", "../a", "a:b/../c", "a b", "a\n", "a@sha256:12", "a@md5:" + id, "sha256:xyz", "sha256:0123",
		"a:" + strings.Repeat("t", 129), strings.Repeat("a/", 300) + "a", "a:b:c", "a;b", "$a", "-a", "a\x00"} {
		if got, err := ParseRef(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}
