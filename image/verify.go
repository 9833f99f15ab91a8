package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
)

// Problem is something that is not as it was when it came.
type Problem struct {
	Layer string `json:"layer"`
	Entry string `json:"entry,omitempty"`
	What  string `json:"what"`
}

const mostProblems = 200

// inspection looks at one layer.
type inspection struct {
	layer    *Layer
	problems []Problem
	more     int
	holes    map[*node]uint64 // of sparse files: the hash of what they ought to hold
}

func (v *inspection) tell(entry, format string, args ...any) {
	if len(v.problems) == mostProblems {
		v.more++
		return
	}
	v.problems = append(v.problems, Problem{v.layer.DiffID, entry, fmt.Sprintf(format, args...)})
}

// Verify reads every byte of an image again: that each layer's archive, told from its
// record and its files, has the layer's digest, and that the tree is what the archive
// makes and has nothing more.
func (s *Store) Verify(ctx context.Context, i *Image) ([]Problem, error) {
	var all []Problem
	seen := map[string]bool{}
	for _, ref := range i.Layers {
		if seen[ref.DiffID] {
			continue
		}
		seen[ref.DiffID] = true
		problems, err := s.verifyLayer(ctx, ref.DiffID)
		if err != nil {
			return all, inLayer(ref.DiffID, err)
		}
		all = append(all, problems...)
	}
	return all, nil
}

func (s *Store) verifyLayer(ctx context.Context, diffID string) ([]Problem, error) {
	h, err := s.hold(diffID)
	if err != nil {
		if errors.Is(err, unix.ENOENT) || errors.Is(err, ErrDamaged) {
			return []Problem{{Layer: diffID, What: "it is missing, or is another's: " + err.Error()}}, nil
		}
		return nil, err
	}
	defer h.close()
	v := &inspection{layer: &h.Layer}
	t, err := s.retell(ctx, v)
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			return nil, err
		}
		v.tell("", "its record cannot be read: %v", err)
		return v.problems, nil
	}
	if err := v.look(ctx, s, t); err != nil {
		return nil, err
	}
	if v.more > 0 {
		v.problems = append(v.problems, Problem{diffID, "", fmt.Sprintf("and %d more", v.more)})
	}
	return v.problems, nil
}

// retell hashes the archive, and follows its entries.
func (s *Store) retell(ctx context.Context, v *inspection) (*tree, error) {
	r, err := s.replay(v.layer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer r.Close()
	r.problem = func(entry, what string) { v.tell(entry, "%s", what) }
	r.looked = func(entry string, f *os.File) { v.attributes(entry, int(f.Fd()), false) }
	hash := sha256.New()
	v.holes = map[*node]uint64{}
	t, err := follow(ctx, io.TeeReader(r, hash), v.sparse)
	var wrong *RejectedError
	if errors.As(err, &wrong) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	if got := sum(hash); got != v.layer.DiffID {
		v.tell("", "its bytes have the digest %s", got)
	}
	return t, nil
}

// sparse: such a file's bytes in the archive are not its content.
func (v *inspection) sparse(n *node, content io.Reader) error {
	if n.content != sparse {
		return nil
	}
	hash := xxhash.New()
	_, err := io.Copy(hash, content)
	v.holes[n] = hash.Sum64()
	return err
}

// follow reads an archive that was taken once. file is told of every file.
func follow(ctx context.Context, archive io.Reader, file func(*node, io.Reader) error) (*tree, error) {
	t := newTree(nothing{})
	r := tar.NewReader(archive)
	payloads := 0
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, readingError(err)
		}
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		e, err := readEntry(h)
		if err == nil {
			err = t.apply(&e)
		}
		if err != nil {
			return nil, inEntry(h.Name, err)
		}
		if e.kind == isFile {
			n := t.nodes[e.path]
			switch n.size = e.size; {
			case isSparse(h):
				n.content = sparse
			case e.size > 0:
				n.content = payloads
				payloads++
			}
			if file != nil {
				if err := file(n, r); err != nil {
					return nil, err
				}
			}
		}
	}
	_, err := io.Copy(io.Discard, archive) // what stands behind its end
	return t, err
}
