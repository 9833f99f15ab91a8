package testkit

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

//go:embed testdata/tool.c
var tool []byte

// Tool is a static program that does one small thing after the other: all that images of
// tests need.
func Tool(t testing.TB) []byte {
	t.Helper()
	program, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

var compiled = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "tool-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source, program := filepath.Join(dir, "tool.c"), filepath.Join(dir, "tool")
	if err := os.WriteFile(source, tool, 0o600); err != nil {
		return nil, err
	}
	if out, err := exec.Command("gcc", "-static", "-O1", "-Wall", "-s", "-o", program, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gcc: %w (the package gcc is needed): %s", err, out)
	}
	return os.ReadFile(program)
})

// Entry is one of a layer's archive: a header with what tests say of it, and a content.
type Entry struct {
	tar.Header
	Content string
}

// Regular, Dir, Symlink and Gone are the entries of most layers. A name that is gone is one of
// a layer below.
func Regular(name string, mode int64, owner int, content string) Entry {
	return Entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Uid: owner, Gid: owner}, content}
}

// Dir is a directory.
func Dir(name string, mode int64, owner int) Entry {
	return Entry{tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, Uid: owner, Gid: owner}, ""}
}

// Symlink is a symbolic link.
func Symlink(name, to string) Entry {
	return Entry{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to, Mode: 0o777}, ""}
}

// Gone takes a name of a layer below away.
func Gone(name string) Entry {
	return Regular(path.Join(path.Dir(name), ".wh."+path.Base(name)), 0o644, 0, "")
}

// Archive is a layer.
func Archive(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := e.Header
		h.Size, h.ModTime, h.Format = int64(len(e.Content)), time.Unix(1_700_000_000, 0), tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.Content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Saved is what docker save writes of an image: its layers, the lowest first, and of its
// configuration what a program runs with.
func Saved(t testing.TB, name string, config map[string]any, layers ...[]byte) []byte {
	t.Helper()
	var ids, files []string
	var entries []Entry
	for i, l := range layers {
		sum := sha256.Sum256(l)
		ids = append(ids, "sha256:"+hex.EncodeToString(sum[:]))
		files = append(files, fmt.Sprintf("%d.tar", i))
		entries = append(entries, Regular(files[i], 0o644, 0, string(l)))
	}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	document := text(map[string]any{"os": "linux", "architecture": runtime.GOARCH, "config": config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids}})
	entries = append(entries, Regular("config.json", 0o644, 0, document),
		Regular("manifest.json", 0o644, 0, text([]map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": files}})))
	return Archive(t, entries...)
}
