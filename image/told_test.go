package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// TestTold: no configuration that is taken keeps the others from being told.
func TestTold(t *testing.T) {
	layer := archive(t, file("a", "x"))
	good, err := json.Marshal(configOf(layer))
	if err != nil {
		t.Fatal(err)
	}
	deep := strings.Replace(string(good), "{", `{"deep":`+strings.Repeat("[", 9998)+strings.Repeat("]", 9998)+",", 1)
	bare := fmt.Sprintf(`{"rootfs":{"type":"layers","diff_ids":[%q]}}`, digestOf(layer))
	for what, c := range map[string]struct {
		config string
		taken  bool
	}{
		"plain": {string(good), true}, "no platform": {bare, true}, "space behind": {string(good) + " \n", true},
		"trailing text": {string(good) + "x", false}, "two": {string(good) + "{}", false}, "deep": {deep, false},
	} {
		o := open(t, Limits{})
		l := newLayout(t)
		m := &manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
		d := l.blob(types.OCIConfigJSON, []byte(c.config))
		m.Config, m.Layers = &d, []descriptor{l.blob(types.OCILayer, gzipped(t, layer))}
		l.add("x:1", m)
		_, err := o.Import(context.Background(), l.write(), nil, ImportOptions{})
		if c.taken != (err == nil) {
			t.Errorf("%s: %v", what, err)
		}
		if !c.taken {
			rejects(t, err, "", "", "configuration")
		}
		all, err := o.List()
		if err != nil {
			t.Fatal(err)
		}
		out := []json.Marshaler{}
		for _, i := range all {
			out = append(out, i.Told())
		}
		if _, err := json.MarshalIndent(map[string]any{"images": out}, "", " "); err != nil {
			t.Errorf("%s: it cannot be told: %.200v", what, err)
		}
	}
}

// TestNoRightsAtAll: a root that nobody may enter is kept, told and removed like others.
func TestNoRightsAtAll(t *testing.T) {
	o := open(t, Limits{})
	a := o.brings(t, "x:1", archive(t, dir("./").with(func(h *tar.Header) { h.Mode = 0 }), file("a", "x")))
	o.verified(t, a.Image)
	if err := o.ExportFlat(context.Background(), Ref{Name: "x:1"}, io.Discard); err != nil {
		t.Error(err)
	}
	if _, err := o.Remove(Ref{Name: "x:1"}); err != nil {
		t.Error(err)
	}
	o.empty(t)
}

// TestFlatOddities: whatever names and owners an archive has, a flat one can be read.
func TestFlatOddities(t *testing.T) {
	o := open(t, Limits{})
	long := strings.Repeat("n", 255)
	o.brings(t, "x:1", archive(t, file("\xff\xfe", "x"), file("a\nb", "x"), file(strings.Repeat(long+"/", 15)+"e", "x"), symlink("s", strings.Repeat("t", 3000)),
		file("far", "x").with(func(h *tar.Header) { h.Uid, h.Gid = 1<<40, -4; h.Format = tar.FormatGNU }),
		file("late", "x").with(func(h *tar.Header) { h.ModTime = time.Unix(1<<35, 0); h.Format = tar.FormatPAX })))
	var b bytes.Buffer
	if err := o.ExportFlat(context.Background(), Ref{Name: "x:1"}, &b); err != nil {
		t.Fatal(err)
	}
	a, err := o.Build(context.Background(), "-", &b, BuildOptions{Name: "y:1"})
	if err != nil {
		t.Fatal(err)
	}
	o.verified(t, a.Image)
}
