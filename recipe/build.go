package recipe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"cordon/image"
	"cordon/policy"
	"cordon/rootfs"
	"cordon/sandbox"
)

// Builder makes images of recipes.
type Builder struct {
	Store   *image.Store
	Images  rootfs.Images // the same store's, as jobs name them
	Run     func(ctx context.Context, job *sandbox.Job) (*sandbox.Result, error)
	Resolve func(policy string, q policy.Request) (*policy.Grant, error)
	Policy  string
	Limits  policy.LimitRequest // of each phase
	Fresh   bool                // what was made before is not taken
	// Progress, when set, is told what is being done, and Output gets what programs print
	// in the cell.
	Progress func(line string)
	Output   func(p []byte)
}

// Built is what came of it.
type Built struct {
	*image.Image
	Phases []Phase      `json:"phases"`
	Notes  []image.Note `json:"notes,omitempty"`
}

// Phase is one part of it.
type Phase struct {
	What   string `json:"what"`
	Key    string `json:"key"`
	Cached bool   `json:"cached"`
}

// FailedError says that something in a cell did not go well. Nothing was kept of it.
type FailedError struct {
	What    string // which part
	Verdict string
	Output  string // its end
}

// Error tells it, with the output.
func (e *FailedError) Error() string {
	text := fmt.Sprintf("%s: %s; nothing was kept of it", e.What, e.Verdict)
	if e.Output != "" {
		text += ". It ended with:\n" + e.Output
	}
	return text
}

// Build makes the image of a recipe, or finds it. At once with another that makes the same
// it waits for that one.
func (b *Builder) Build(ctx context.Context, r *Recipe, name string) (*Built, error) {
	ref, err := image.ParseRef(r.Base)
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	base, err := b.Store.Hold(ref)
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	known, err := b.Images.Find(base.ID)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("base: %w", err), base.Close())
	}
	w := &work{Builder: b, recipe: r, phases: r.phases(), env: r.variables(), names: append(slices.Clone(known.Names), known.ID), now: base, name: name}
	defer func() { _ = w.now.Close() }() // locks, which the end of the process takes as well
	grant, err := w.grant()
	if err != nil {
		return nil, err
	}
	w.keys = keys(base.ID, w.env, grant, w.phases)
	return w.build(ctx)
}

// work is one build.
type work struct {
	*Builder
	recipe *Recipe
	phases []phase
	keys   []string
	env    []string
	names  []string    // of the base, and its digests: by all of them the policy knows it
	disk   int64       // that a cell may fill
	name   string      // of the image
	now    *image.Held // what there is so far
	out    Built
}

// grant is a digest of what the policy has to say about a cell of the build.
func (w *work) grant() (string, error) {
	job, err := w.job(w.now, true)
	if err != nil {
		return "", err
	}
	g, err := w.Resolve(w.Policy, job.Request())
	if err != nil {
		return "", err
	}
	w.disk = g.Limits.DiskBytes
	text, err := json.Marshal(struct {
		Arch  string
		Grant *policy.Grant
	}{runtime.GOARCH, g})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func (w *work) build(ctx context.Context) (*Built, error) {
	done, err := w.find()
	if err != nil {
		return nil, err
	}
	if done < len(w.phases) {
		// One lock for the whole: who wants the same does nothing of it meanwhile.
		unlock, err := w.Store.LockMade(ctx, w.keys[len(w.keys)-1], func() { w.tell("another build of the same goes on; waiting for it") })
		if err != nil {
			return nil, err
		}
		err = w.rest(ctx)
		if err = errors.Join(err, unlock()); err != nil {
			return nil, err
		}
	}
	if err := w.Store.Name(w.now.Image, w.name); err != nil {
		return nil, err
	}
	if w.out.Image, err = w.Store.Get(image.Ref{Prefix: strings.TrimPrefix(w.now.ID, "sha256:")}); err != nil {
		return nil, err
	}
	return &w.out, nil
}

// find looks for what was made before, the most of it first. It gives how many phases
// are done.
func (w *work) find() (int, error) {
	if w.Fresh {
		return 0, nil
	}
	for n := len(w.phases); n > 0; n-- {
		h, err := w.Store.Made(w.keys[n-1])
		if errors.Is(err, image.ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if err := w.become(h); err != nil {
			return 0, err
		}
		w.out.Phases = nil
		for i := range n {
			w.out.Phases = append(w.out.Phases, Phase{w.phases[i].title(), w.keys[i], true})
		}
		return n, nil
	}
	return 0, nil
}

func (w *work) become(h *image.Held) error {
	before := w.now
	w.now = h
	return before.Close()
}

// rest does what is left to do: another may have done it in between.
func (w *work) rest(ctx context.Context) error {
	done, err := w.find()
	if err != nil {
		return err
	}
	for i := done; i < len(w.phases); i++ {
		p := &w.phases[i]
		w.tell(p.title())
		name := "" // the last one has it from the beginning, so that nobody takes it for left over
		if i == len(w.phases)-1 {
			name = w.name
		}
		made, err := w.phase(ctx, p, name)
		if err != nil {
			return err
		}
		h, err := w.Store.Hold(image.Ref{Prefix: strings.TrimPrefix(made.ID, "sha256:")})
		if err != nil {
			return err
		}
		if err := errors.Join(w.become(h), w.Store.Remember(w.keys[i], made.Image)); err != nil {
			return err
		}
		w.out.Phases = append(w.out.Phases, Phase{p.title(), w.keys[i], false})
		own := made.Layers[len(made.Layers)-1].DiffID
		for _, n := range made.Notes {
			if n.Layer == own || n.Layer == "" { // not of the base
				w.out.Notes = append(w.out.Notes, n)
			}
		}
	}
	return nil
}

func (b *Builder) tell(line string) {
	if b.Progress != nil {
		b.Progress(line)
	}
}
