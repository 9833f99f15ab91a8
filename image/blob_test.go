package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// TestPackings: a layer may come plain, packed in one piece or in several, and is the same.
func TestPackings(t *testing.T) {
	layer := archive(t, file("a", strings.Repeat("text ", 1000)), file("b", "x"))
	half := len(layer) / 2
	for name, c := range map[string]struct {
		kind types.MediaType
		text []byte
	}{
		"plain": {types.OCIUncompressedLayer, layer}, "gzip": {types.OCILayer, gzipped(t, layer)}, "zstd": {types.OCILayerZStd, zstded(t, layer)},
		"docker's": {types.DockerLayer, gzipped(t, layer)}, "docker's, plain": {types.DockerUncompressedLayer, layer},
		"two members of gzip": {types.OCILayer, append(gzipped(t, layer[:half]), gzipped(t, layer[half:])...)},
		"two frames of zstd":  {types.OCILayerZStd, append(zstded(t, layer[:half]), zstded(t, layer[half:])...)},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, Limits{})
			l := newLayout(t)
			m := &manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
			c2 := l.json(types.OCIConfigJSON, configOf(layer))
			m.Config, m.Layers = &c2, []descriptor{l.blob(c.kind, c.text)}
			l.add("x:1", m)
			a := o.imports(t, l.write())
			o.verified(t, a.Image)
			if len(o.listed(t, digestOf(layer))) != 3 {
				t.Errorf("%q", o.listed(t, digestOf(layer)))
			}
			o.clean(t)
		})
	}
}

// TestDamagedBlobs: bytes that are not those that were promised are never seen.
func TestDamagedBlobs(t *testing.T) {
	layer := archive(t, file("a", strings.Repeat("text ", 1000)), file("b", "x"))
	other := archive(t, file("other", "y"))
	packed := gzipped(t, layer)
	flipped := func(at int) []byte {
		b := bytes.Clone(packed)
		b[at] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		change func(l *layout, m *manifest)
		reason string
	}{
		"a bit at the start":    {func(l *layout, m *manifest) { l.blobs[m.Layers[0].Digest] = flipped(3) }, "digest mismatch"},
		"a bit in the middle":   {func(l *layout, m *manifest) { l.blobs[m.Layers[0].Digest] = flipped(len(packed) / 2) }, "digest mismatch"},
		"a bit at the end":      {func(l *layout, m *manifest) { l.blobs[m.Layers[0].Digest] = flipped(len(packed) - 1) }, "digest mismatch"},
		"cut off":               {func(l *layout, m *manifest) { l.blobs[m.Layers[0].Digest] = packed[:len(packed)-1] }, "were announced"},
		"cut off, as announced": {func(_ *layout, m *manifest) {}, "cannot be unpacked"}, // made below
		"longer":                {func(l *layout, m *manifest) { l.blobs[m.Layers[0].Digest] = append(bytes.Clone(packed), 0) }, "were announced"},
		"another's bytes":       {func(l *layout, m *manifest) { l.blobs[m.Layers[0].Digest] = gzipped(t, other) }, "were announced"},
		"two swapped":           {func(l *layout, m *manifest) { m.Layers[0], m.Layers[1] = m.Layers[1], m.Layers[0] }, "unpacked, its bytes have"},
		"another size":          {func(_ *layout, m *manifest) { m.Layers[0].Size++ }, "were announced"},
		"a lesser size":         {func(_ *layout, m *manifest) { m.Layers[0].Size-- }, "were announced"},
		"says zstd":             {func(_ *layout, m *manifest) { m.Layers[0].MediaType = types.OCILayerZStd }, "its bytes are gzip"},
		"says plain":            {func(_ *layout, m *manifest) { m.Layers[0].MediaType = types.OCIUncompressedLayer }, "its bytes are gzip"},
		"garbage behind it": {func(l *layout, m *manifest) {
			m.Layers[0] = l.blob(types.OCILayer, append(bytes.Clone(packed), "garbage"...))
		}, "cannot be unpacked"},
		"no archive": {func(l *layout, m *manifest) {
			m.Layers[0] = l.blob(types.OCILayer, gzipped(t, bytes.Repeat([]byte("no archive"), 100)))
		}, "not a tar archive"},
		"another config's digest": {func(l *layout, m *manifest) {
			c := l.json(types.OCIConfigJSON, configOf(other, layer))
			m.Config = &c
		}, "the configuration promises"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, Limits{})
			l := newLayout(t)
			m := &manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
			config := l.json(types.OCIConfigJSON, configOf(layer, other))
			m.Config, m.Layers = &config, []descriptor{l.blob(types.OCILayer, packed), l.blob(types.OCILayer, gzipped(t, other))}
			if strings.HasSuffix(name, "as announced") {
				m.Layers[0] = l.blob(types.OCILayer, packed[:len(packed)-9])
			}
			c.change(l, m)
			l.add("x:1", m)
			_, err := o.Import(context.Background(), l.write(), nil, ImportOptions{})
			var r *RejectedError
			if !errors.As(err, &r) || !strings.Contains(err.Error(), c.reason) || r.Layer == "" {
				t.Errorf("%v; want the layer, and %q", err, c.reason)
			}
			o.empty(t)
		})
	}
}

// zeros is a stream of n of them.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestBombs: a limit ends each at its bound, names it, and leaves nothing on the disk.
// Just below the bound the same is taken.
func TestBombs(t *testing.T) {
	small := Limits{Layers: 3, Entries: 50, Bytes: 20 << 20, FileBytes: 1 << 20, Ratio: 100, ArchiveBytes: 64 << 20}
	many := func(n int) []byte {
		var all []item
		for i := range n {
			all = append(all, file(fmt.Sprint("f", i), ""))
		}
		return archive(t, all...)
	}
	pax := func(n int) []byte { // headers upon headers, without an entry
		one := archive(t, item{Header: *headerWithRecords(4000)})
		return bytes.Repeat(one[:512+4096], n) // the header of the records, and the records
	}
	zero := func(n int64) []byte {
		text, err := io.ReadAll(zeros(n))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, c := range map[string]struct {
		layers [][]byte
		limits Limits
		reason string // "": it is taken
	}{
		"as many entries as allowed": {[][]byte{many(30), many(20)}, small, ""},
		"one entry more":             {[][]byte{many(30), many(21)}, small, "more than 50 entries"},
		"as many layers as allowed":  {[][]byte{many(1), many(2), many(3)}, small, ""},
		"one layer more":             {[][]byte{many(1), many(2), many(3), many(4)}, small, "more than 3 layers"},
		"a file as long as allowed":  {[][]byte{archive(t, file("a", strings.Repeat("x", 1<<20)))}, small, ""},
		"a longer file":              {[][]byte{archive(t, file("a", strings.Repeat("x", 1<<20+1)))}, small, "a file of 1048577 bytes"},
		"ratio":                      {[][]byte{append(archive(t, file("a", "x")), zero(17<<20)...)}, small, "more than 100 for each"},
		"the same ratio, allowed":    {[][]byte{append(archive(t, file("a", "x")), zero(17<<20)...)}, Limits{3, 50, 20 << 20, 1 << 20, 2000, 64 << 20}, ""},
		"bytes":                      {[][]byte{append(archive(t, file("a", "x")), zero(5<<20)...)}, Limits{3, 50, 4 << 20, 1 << 20, 2000, 64 << 20}, "bytes unpacked"},
		"bytes of two layers":        {[][]byte{append(archive(t, file("a", "x")), zero(3<<20)...), append(archive(t, file("b", "x")), zero(3<<20)...)}, Limits{3, 50, 4 << 20, 1 << 20, 2000, 64 << 20}, "bytes unpacked"},
		"headers without entries":    {[][]byte{pax(1000)}, Limits{3, 50, 4 << 20, 1 << 20, 1 << 20, 64 << 20}, "bytes unpacked"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, c.limits)
			l := newLayout(t)
			l.image("x:1", c.layers...)
			_, err := o.Import(context.Background(), l.write(), nil, ImportOptions{})
			if c.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				o.clean(t)
				return
			}
			var r *RejectedError
			if !errors.As(err, &r) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%v, want %q", err, c.reason)
			}
			o.empty(t)
		})
	}
}

// TestSparse: a sparse file's claimed size counts, its holes take no room, and its bytes
// can be told again.
func TestSparse(t *testing.T) {
	for name, c := range map[string]struct {
		size int64
		ok   bool
	}{"a small one": {1 << 20, true}, "a terabyte": {1 << 40, false}} {
		t.Run(name, func(t *testing.T) {
			o := open(t, Limits{})
			layer := sparseArchive(t, c.size)
			l := newLayout(t)
			l.image("x:1", layer)
			all, err := o.Import(context.Background(), l.write(), nil, ImportOptions{})
			if !c.ok {
				rejects(t, err, digestOf(layer), "sparse", fmt.Sprintf("a file of %d bytes", c.size))
				o.empty(t)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(o.Layers(), layerID(digestOf(layer)), treeDir, "sparse")
			text, err := os.ReadFile(name)
			if err != nil || int64(len(text)) != c.size || !strings.HasPrefix(string(text), "data") || strings.Trim(string(text[4:]), "\x00") != "" {
				t.Errorf("%d bytes, %v", len(text), err)
			}
			if blocks := blocksOf(t, name); blocks > 64 {
				t.Errorf("%d blocks for four bytes", blocks)
			}
			o.verified(t, all[0].Image)
			if err := os.WriteFile(name, append([]byte("DATA"), text[4:]...), 0); err != nil {
				t.Fatal(err)
			}
			if problems, err := o.Verify(context.Background(), all[0].Image); err != nil || !slices.ContainsFunc(problems, func(p Problem) bool { return p.Entry == "sparse" }) {
				t.Errorf("another content is not seen: %v, %v", problems, err)
			}
		})
	}
}

// TestBlobEndsEarly: whoever stops reading leaves no goroutine, whatever the source does.
func TestBlobEndsEarly(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, zeros(1<<30))
		_ = w.CloseWithError(err)
	}()
	l := openBlob(context.Background(), r, -1, plain, &budget{Limits: DefaultLimits()})
	if _, err := io.ReadFull(l, make([]byte, 1<<20)); err != nil {
		t.Error(err)
	}
	r.Close()
	l.Close()
	l.Close()
	broken := errors.New("the network is gone")
	l = openBlob(context.Background(), io.MultiReader(strings.NewReader("some"), failing{broken}), -1, plain, &budget{Limits: DefaultLimits()})
	if _, err := io.Copy(io.Discard, l); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	l = openBlob(ctx, zeros(1<<40), -1, plain, &budget{Limits: Limits{Bytes: 1 << 50}})
	cancel()
	if _, err := io.Copy(io.Discard, l); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the end of the context", err)
	}
	l.Close()
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
