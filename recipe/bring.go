package recipe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"cordon/sandbox"
)

// packet is a file that was brought. The cell is shown it as it is.
type packet struct {
	path string
	size int64
	sum  string
}

// Open opens it.
func (p *packet) Open() (*os.File, error) { return os.Open(p.path) }

// Bytes is its size.
func (p *packet) Bytes() int64 { return p.size }

// SHA256 is its content's.
func (p *packet) SHA256() string { return p.sum }

// brought are the files below a directory, for a job to see below a name.
func brought(dir, at string) ([]sandbox.File, error) {
	var out []sandbox.File
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		p, err := newPacket(name)
		if err != nil {
			return err
		}
		f := sandbox.File{Path: at + "/" + relative, Mode: 0o444}
		if p.size > 0 { // an empty one is made sooner than shown
			f.Kept = p
		}
		out = append(out, f)
		return nil
	})
	return out, err
}

func newPacket(name string) (*packet, error) {
	if err := os.Chmod(name, 0o444); err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return &packet{name, n, hex.EncodeToString(h.Sum(nil))}, err
}

// tool runs one of the operator's tools, with the operator's own settings. What it says is
// of interest where it fails.
func tool(ctx context.Context, dir string, env []string, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	said := &tail{}
	c.Stdout, c.Stderr = said, said
	err := c.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%s is not installed on this machine, which brings these packages; install it", name)
	}
	return fmt.Errorf("%s: %w:\n%s", filepath.Base(name), err, said)
}

// tail is the end of what a program has said.
type tail struct{ text []byte }

const tailMax = 4 << 10

// Write keeps the end.
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailMax):]
	return len(p), nil
}

// String is what was kept, without what is no text.
func (t *tail) String() string { return plain(string(t.text)) }

func plain(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text))
}
