package image

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// TestDamagedNote: who brings in an image whose layer is damaged is told what helps, and
// it does.
func TestDamagedNote(t *testing.T) {
	o := open(t, Limits{})
	layer := archive(t, file("a", "x"))
	l := newLayout(t)
	l.image("x:1", layer)
	from := l.write()
	o.imports(t, from)
	if err := os.Truncate(filepath.Join(o.Layers(), layerID(digestOf(layer)), layerFile), 5); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Import(context.Background(), from, nil, ImportOptions{}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "remove the images that have it") {
		t.Error(err)
	}
	if h, err := o.Hold(Ref{Name: "x:1"}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "remove the images that have it") {
		t.Errorf("%v, %v", h, err)
	}
	if _, err := o.Remove(Ref{Name: "x:1"}); err != nil {
		t.Error(err)
	}
	o.verified(t, o.imports(t, from).Image)
}

// TestArchiveLimit: the limit of an archive is told as what it is.
func TestArchiveLimit(t *testing.T) {
	l := DefaultLimits()
	l.ArchiveBytes = 1 << 20
	o := open(t, l)
	for what, text := range map[string][]byte{"unpacked": archive(t, file("a", strings.Repeat("x", 2<<20))), "packed": gzipped(t, archive(t, file("a", strings.Repeat("x", 2<<20)))),
		"of nothing": bytes.Repeat(gzipped(t, nil), 1<<16)} {
		if _, err := o.Import(context.Background(), "-", bytes.NewReader(text), ImportOptions{}); err == nil || !strings.Contains(err.Error(), "--max-archive-bytes") {
			t.Errorf("%s: %v", what, err)
		}
	}
	o.empty(t)
}

// TestUnreadable: a disk that gives a file's bytes no more is what verify is there for.
func TestUnreadable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600) // that it cannot be read is the test
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	r := &replay{hash: xxhash.New(), payload: f, left: 100, part: part{path: "a", size: 100}, problem: func(path, what string) { told = append(told, path+": "+what) }}
	text, err := io.ReadAll(io.LimitReader(r, 100))
	if err != nil || len(text) != 100 || len(told) != 1 || !strings.HasPrefix(told[0], "a: it cannot be read") {
		t.Errorf("%d bytes, %v, %q", len(text), err, told)
	}
}
