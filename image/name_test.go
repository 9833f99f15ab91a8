package image

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestFamiliarNames: what docker save and a pull call by its whole name is called as
// everybody calls it, and found by both.
func TestFamiliarNames(t *testing.T) {
	for text, want := range map[string]string{"docker.io/library/debian:12": "debian:12", "index.docker.io/library/debian": "debian:latest", "docker.io/some/body:1": "some/body:1",
		"docker.io/debian": "debian:latest", "debian": "debian:latest", "library/debian": "library/debian:latest", "my.docker.io/library/debian": "my.docker.io/library/debian:latest",
		"docker.io:443/library/debian": "docker.io:443/library/debian:latest"} {
		if r, err := ParseRef(text); err != nil || r.Name != want {
			t.Errorf("%s: %+v, %v; want %s", text, r, err, want)
		}
		if name, err := ParseName(text); err != nil || name != want {
			t.Errorf("%s: %s, %v; want %s", text, name, err, want)
		}
	}
	digest := digestOf(nil)
	if r, err := ParseRef("docker.io/library/debian:12@" + digest); err != nil || r.Name != "debian" || r.Digest != digest {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := ParseRef("docker.io/library/"); err == nil {
		t.Errorf("%+v", r)
	}
	// As docker save has it since its version 25.
	o := open(t, Limits{})
	l := newLayout(t)
	l.image("12", archive(t, file("a", "x")))
	l.index.Manifests[0].Annotations[nameAnnotation] = "docker.io/library/debian:12"
	if a := o.imports(t, l.write()); len(a.Names) != 1 || a.Names[0] != "debian:12" {
		t.Errorf("%q", a.Names)
	}
}

// TestOtherPackings: what is packed as it cannot be read is named.
func TestOtherPackings(t *testing.T) {
	o := open(t, Limits{})
	for start, want := range map[string]string{"\xfd7zXZ\x00": "xz", "BZh91AY&SY": "bzip2", "PK\x03\x04": "zip"} {
		text := append([]byte(start), make([]byte, 2000)...)
		_, err := o.Import(context.Background(), "-", bytes.NewReader(text), ImportOptions{})
		if err == nil || !strings.Contains(err.Error(), "packed with "+want) || !strings.Contains(err.Error(), "gzip") {
			t.Errorf("import: %v", err)
		}
		if _, err := o.Build(context.Background(), "-", bytes.NewReader(text), BuildOptions{}); err == nil || !strings.Contains(err.Error(), "packed with "+want) {
			t.Errorf("build: %v", err)
		}
	}
	o.empty(t)
	if a := o.brings(t, "x:1", archive(t, file("BZh9", "x"))); a.New != 1 {
		t.Errorf("%+v", a)
	}
	if _, err := o.Build(context.Background(), "-", bytes.NewReader(archive(t, file("BZh9", "x"))), BuildOptions{}); err != nil {
		t.Error(err)
	}
}
