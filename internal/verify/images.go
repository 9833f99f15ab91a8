package verify

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"cordon/test/victims"
)

// entry is one of a layer's archive.
type entry struct {
	tar.Header
	content string
}

func regular(name, content string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755}, content}
}

func symlink(name, to string) entry {
	return entry{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to, Mode: 0o777}, ""}
}

// archive writes entries as they are, whatever they are called.
func archive(entries ...entry) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := e.Header
		h.Size = int64(len(e.content))
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// image is what docker save writes of one layer. stored is what stands there for it.
func image(name string, layer, stored []byte) ([]byte, error) {
	sum := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{"os": "linux", "architecture": runtime.GOARCH,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}}})
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return nil, err
	}
	return archive(regular("layer.tar", string(stored)), regular("config.json", string(config)), regular("manifest.json", string(manifest)))
}

// hostileImage has the service's user bring in an image that must be rejected, and its
// harmless twin, which must not be: so it is the difference that is seen.
func (s *session) hostileImage(ctx context.Context, o *Outcome, words string, hostile, harmless func() ([]byte, error)) {
	said := map[string]string{}
	// The hostile one first: a layer that is there already is not looked at again.
	for _, i := range []struct {
		name string
		make func() ([]byte, error)
	}{{"hostile", hostile}, {"harmless", harmless}} {
		text, err := i.make()
		if err != nil {
			o.problem("%v", err)
			return
		}
		if said[i.name], err = s.bringIn(ctx, "state", i.name, text); err != nil {
			o.problem("%v", err)
			return
		}
	}
	inside := "rejected"
	switch told := said["hostile"]; {
	case told == "":
		inside = "taken"
		o.escape("the image was taken")
	case !strings.Contains(told, "image rejected") || !strings.Contains(told, words):
		o.problem("%q, want a rejection with %q", told, words)
	}
	outside := map[string]string{"import": "taken"}
	if told := said["harmless"]; told != "" {
		outside["import"] = told
	}
	o.control("import", inside, outside, []string{"taken"})
	if _, err := s.images(ctx, "state", "remove", "harmless:1"); err != nil {
		o.problem("%v", err)
	}
	left, err := filepath.Glob(filepath.Join(s.dir, "state", "images", "*", "*"))
	if err != nil || len(left) > 0 {
		o.problem("left in the store: %v, %v", left, err)
	}
}

// bringIn says what it was told, "" when the image was taken.
func (s *session) bringIn(ctx context.Context, state, name string, text []byte) (told string, err error) {
	file := filepath.Join(s.dir, name+".tar")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", err
	}
	defer os.Remove(file)
	told, err = s.images(ctx, state, "import", file, "--name", name+":1")
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return told, nil
	}
	return "", err
}

// images runs cordon image on the store of a service, and gives what it has told.
func (s *session) images(ctx context.Context, state string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, s.o.Binary, append(append([]string{"image"}, args...), "--state", filepath.Join(s.dir, state))...)
	var told strings.Builder
	c.Stderr = &told
	err := c.Run()
	return told.String(), err
}

func (s *session) marker() string { return filepath.Join(s.dir, "guard", "marker") }

// climbingLayer: names that lead out of the layer, as far up as there is anything.
func (s *session) climbingLayer(ctx context.Context, o *Outcome) {
	layer := func(name string) func() ([]byte, error) {
		return func() ([]byte, error) {
			l, err := archive(regular("first", ""), regular(name, "changed"))
			if err != nil {
				return nil, err
			}
			return image("x:1", l, l)
		}
	}
	s.hostileImage(ctx, o, "..", layer(strings.Repeat("../", 40)+s.marker()[1:]), layer(s.marker()))
}

// linkedLayer: a link, and then a file through it.
func (s *session) linkedLayer(ctx context.Context, o *Outcome) {
	layer := func(at entry) func() ([]byte, error) {
		return func() ([]byte, error) {
			l, err := archive(at, regular("at/marker", "changed"))
			if err != nil {
				return nil, err
			}
			return image("x:1", l, l)
		}
	}
	dir := entry{tar.Header{Typeflag: tar.TypeDir, Name: "at/", Mode: 0o755}, ""}
	s.hostileImage(ctx, o, "at/marker", layer(symlink("at", filepath.Dir(s.marker()))), layer(dir))
}

// bombLayer: little that becomes much.
func (s *session) bombLayer(ctx context.Context, o *Outcome) {
	layer := func(size int) func() ([]byte, error) {
		return func() ([]byte, error) {
			l, err := archive(regular("zeros", strings.Repeat("\x00", size)))
			if err != nil {
				return nil, err
			}
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			if _, err := w.Write(l); err != nil {
				return nil, err
			}
			if err := w.Close(); err != nil {
				return nil, err
			}
			return image("x:1", l, packed.Bytes())
		}
	}
	s.hostileImage(ctx, o, "come out of", layer(64<<20), layer(1<<20))
}

// flippedLayer: one bit of a file's content is another than the digest says.
func (s *session) flippedLayer(ctx context.Context, o *Outcome) {
	layer := func(flip byte) func() ([]byte, error) {
		return func() ([]byte, error) {
			l, err := archive(regular("file", strings.Repeat("content ", 1000)))
			if err != nil {
				return nil, err
			}
			stored := bytes.Clone(l)
			stored[2000] ^= flip
			return image("x:1", l, stored)
		}
	}
	s.hostileImage(ctx, o, "digest", layer(1), layer(0))
}

// linkedImage: what is the cell's own is not made through the image's links, and the image
// shows nothing in its place.
func (s *session) linkedImage(ctx context.Context, o *Outcome) {
	guard := filepath.Dir(s.marker())
	l, err := archive(symlink("dev", guard), symlink("proc", guard), symlink("sys", guard), symlink("tmp", guard), symlink("work", guard))
	if err != nil {
		o.problem("%v", err)
		return
	}
	text, err := image("x:1", l, l)
	if err != nil {
		o.problem("%v", err)
		return
	}
	told, err := s.bringIn(ctx, "linked", "links", text)
	if err != nil || told != "" {
		o.problem("%v %s", err, told)
		return
	}
	// A service of its own: a fork server of the image stays for a while.
	second, err := startService(ctx, s.o.Binary, filepath.Join(s.dir, "linked"), s.o.Serve)
	if err != nil {
		o.problem("%v", err)
		return
	}
	s.onLinks(ctx, second, guard, o)
	if err := second.stop(); err != nil {
		o.problem("%v", err)
	}
	if _, err := s.images(ctx, "linked", "remove", "links:1"); err != nil {
		o.problem("%v", err)
	}
}

// onLinks looks at the cell's own places from within.
func (s *session) onLinks(ctx context.Context, service *service, guard string, o *Outcome) {
	places := victim("places", "/dev", "/proc", "/sys", "/tmp", "/work", guard)
	job := s.request(&victims.Row{Command: places})
	job["image"] = "links:1"
	a, err := service.post(ctx, job)
	if err != nil {
		o.problem("%v", err)
		return
	}
	if a.status != 200 || a.result.Verdict != "ok" {
		o.problem("answered %d: %.500s", a.status, a.body)
		return
	}
	o.Verdict = a.result.Verdict
	always(&a.result, o)
	inside := parse(a.result.stdout())
	for place, want := range map[string]string{"/dev": "directory overlay", "/proc": "directory proc", "/sys": "directory overlay", "/tmp": "directory tmpfs", "/work": "directory tmpfs", guard: "ENOENT"} {
		if inside[place] != want {
			o.escape("%s: %q, want %q", place, inside[place], want)
		}
	}
	text, err := s.outside(ctx, "user", victim("places", guard))
	if err != nil {
		o.problem("%v", err)
	}
	o.control("guard", inside[guard], map[string]string{"guard": parse(text)[guard]}, []string{"*"})
}
