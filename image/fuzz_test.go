package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// fuzzLimits keep an input from taking long, not from being odd.
func fuzzLimits() Limits {
	return Limits{Layers: 5, Entries: 200, Bytes: 4 << 20, FileBytes: 1 << 20, Ratio: 1 << 20, ArchiveBytes: 8 << 20}
}

// FuzzLayer: any bytes as a layer are refused or taken; what is taken is what its own
// archive makes and can be told again; nothing beside the store changes, nothing half is
// left, and the tree can be removed.
func FuzzLayer(f *testing.F) {
	f.Add(archive(f, dir("a"), file("a/b", "x"), symlink("a/l", "../.."), link("h", "a/b"), file("a/.wh.c", ""), file("a/.wh..wh..opq", "")))
	f.Add(archive(f, file("a", "one"), link("b", "a"), file("a", "two"), symlink("b", "a"), special("c", tar.TypeChar), dir("c"), file("c/d", "x")))
	f.Add(archive(f, file("../up", "x"), file("/abs", "x")))
	f.Add(archive(f, symlink("a", "/"), file("a/b", "x")))
	f.Add(sparseArchive(f, 1<<16))
	f.Add(archive(f, item{Header: *headerWithRecords(1000)}))
	f.Add(gzipped(f, archive(f, file("a", strings.Repeat("x", 2000)))))
	f.Add(zstded(f, archive(f, file("a", strings.Repeat("x", 2000)))))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		top := t.TempDir()
		if err := os.WriteFile(filepath.Join(top, "passwd"), []byte("untouched"), 0o644); err != nil {
			t.Fatal(err)
		}
		o := openIn(t, top, fuzzLimits())
		a, err := o.Build(context.Background(), "-", bytes.NewReader(text), BuildOptions{Name: "x:1"})
		if names := beside(t, top); !slices.Equal(names, []string{"images", "passwd"}) {
			t.Fatalf("beside the store: %q", names)
		}
		if err != nil {
			o.empty(t)
			return
		}
		problems, err := o.Verify(context.Background(), a.Image)
		if err != nil || len(problems) > 0 {
			t.Fatalf("%+v, %v", problems, err)
		}
		if err := o.ExportFlat(context.Background(), Ref{Name: "x:1"}, io.Discard); err != nil && !errors.Is(err, tar.ErrHeader) && !strings.Contains(err.Error(), "cannot encode header") {
			t.Fatal(err)
		}
		if _, err := o.Remove(Ref{Name: "x:1"}); err != nil {
			t.Fatal(err)
		}
		o.empty(t)
	})
}

func beside(t *testing.T, top string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// FuzzArchive: any bytes as an archive of images.
func FuzzArchive(f *testing.F) {
	layer := archive(f, file("a", "x"))
	config, err := json.Marshal(configOf(layer))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(archive(f, file("config.json", string(config)), file("1/layer.tar", string(layer)), file("manifest.json", savedImageOf(f, config, "1/layer.tar"))))
	f.Add(archive(f, file("config.json", string(config)), symlink("1/layer.tar", "../2"), link("2", "1/layer.tar"), file("manifest.json", savedImageOf(f, config, "1/layer.tar"))))
	f.Add(archive(f, file("oci-layout", `{"imageLayoutVersion":"1.0.0"}`), file("index.json", `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:00","size":1}]}`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		o := openIn(t, t.TempDir(), fuzzLimits())
		_, err := o.Import(context.Background(), "-", bytes.NewReader(text), ImportOptions{})
		if err == nil {
			_, err = o.Prune()
			if err != nil {
				t.Fatal(err)
			}
		}
		o.clean(t)
	})
}

// FuzzRecord: whatever stands in a record, reading it ends, with the bytes or an error.
func FuzzRecord(f *testing.F) {
	var b bytes.Buffer
	r, err := newRecorder(&b)
	if err != nil {
		f.Fatal(err)
	}
	r.raw([]byte("header"))
	r.payload("a/b", 5, 7)
	r.raw(make([]byte, 2*mostPiece))
	if err := r.close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes(), false)
	f.Add([]byte(recordMagic+"r\x03abcp\x05\x00\x00\x00\x00\x00\x00\x00\x00\x01a"), true)
	f.Add([]byte(recordMagic+"r\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), true)
	f.Fuzz(func(t *testing.T, text []byte, pack bool) {
		if pack {
			text = zstded(t, text)
		}
		r, err := newRecordReader(bytes.NewReader(text))
		if err != nil {
			return
		}
		defer r.close()
		for parts := 0; parts < 1000; parts++ {
			p, err := r.next()
			if err != nil {
				if err != io.EOF && !errors.Is(err, ErrDamaged) {
					t.Fatalf("%v", err)
				}
				return
			}
			if p.size < 0 || len(p.path) > pathMax {
				t.Fatalf("%+v", p)
			}
		}
	})
}

// FuzzManifest: what is taken for an image or an index is plainly that.
func FuzzManifest(f *testing.F) {
	d := `{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:` + strings.Repeat("0", 64) + `","size":1}`
	f.Add([]byte(`{"schemaVersion":2,"config":`+d+`,"layers":[]}`), true)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[`+d+`]}`), false)
	f.Add([]byte(`{"schemaVersion":2,"config":`+d+`,"layers":[`+d+`],"manifests":[]}`), true)
	f.Fuzz(func(t *testing.T, text []byte, image bool) {
		kind := types.OCIImageIndex
		if image {
			kind = types.OCIManifestSchema1
		}
		m, err := parseManifest(text, kind)
		if err != nil {
			return
		}
		if image && (m.Config == nil || m.Manifests != nil) || !image && (m.Config != nil || m.Layers != nil) {
			t.Fatalf("%+v", m)
		}
		for _, l := range m.Layers {
			if !digestForm.MatchString(l.Digest) || l.Size < 0 || len(l.URLs) > 0 {
				t.Fatalf("%+v", l)
			}
		}
	})
}

// FuzzCleanPath: a name that is taken stays below its root, and means the same again.
func FuzzCleanPath(f *testing.F) {
	for _, s := range []string{"a", "/a/", "./a//b/.", "..", "a/../b", "", ".", "/", "a\x00b", strings.Repeat("a/", 200), ".wh..wh..opq"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := cleanPath(name)
		if err != nil {
			return
		}
		again, err := cleanPath(clean)
		if err != nil || again != clean || !filepath.IsLocal(clean) || strings.Contains("/"+clean+"/", "/../") || strings.HasSuffix(clean, "/") {
			t.Fatalf("%q becomes %q, %q: %v", name, clean, again, err)
		}
	})
}

// FuzzRef: what is taken for a name is one that can be looked up and printed.
func FuzzRef(f *testing.F) {
	for _, s := range []string{"debian:12", "a/b@sha256:" + strings.Repeat("0", 64), "sha256:01234567", "Host:5000/a", "..", "a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRef(text)
		if err != nil {
			return
		}
		if (r.Name == "") == (r.Prefix == "") || strings.Contains(r.Name, "..") && strings.Contains(r.Name, "../") || strings.ContainsAny(r.Name, " \n\x00\x1b@") {
			t.Fatalf("%q: %+v", text, r)
		}
		if r.Digest == "" && r.Name != "" {
			if name, err := ParseName(text); err != nil || name != r.Name {
				t.Fatalf("%q: %q, %v", text, name, err)
			}
		}
	})
}
