package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/google/uuid"

	"cordon/image"
	"cordon/rootfs"
	"cordon/sandbox"
)

// phase brings what one part wants, and runs it in a cell.
func (w *work) phase(ctx context.Context, p *phase, name string) (made *image.Added, err error) {
	bench, err := w.Store.Workbench()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bench.Close()) }()
	dir, err := filepath.Abs(bench.Dir())
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "brought")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	job, err := w.job(w.now, true)
	if err != nil {
		return nil, err
	}
	script, args := "", []string{}
	switch p.Kind {
	case apt:
		script = aptScript
		job.Files, err = w.bringAPT(ctx, w.now, p.Words, dir)
	case pip:
		script, args = pipScript, p.Words
		job.Files, err = w.bringPip(ctx, w.now, p.Words, dir)
	case npm:
		script = npmScript
		job.Files, err = w.bringNPM(ctx, w.now, p.Words, dir)
	default:
		script, args, job.Files, job.Outputs = stepsScript, []string{strconv.Itoa(len(p.Words))}, stepFiles(p.Words), []string{"step"}
	}
	if err != nil {
		return nil, err
	}
	job.Command = append([]string{"sh", "-c", script, "sh"}, args...)
	job.Changed = func(upper *os.File) (err error) {
		w.tell(p.Kind + ": making the layer")
		made, err = w.Store.Extend(ctx, w.now, upper, image.LayerOptions{Name: name, Env: w.env, MaxBytes: w.disk, CreatedBy: "cordon image build, " + p.title(), Without: rootfs.Own()})
		return err
	}
	w.tell(p.Kind + ": running in a cell")
	r, err := w.run(ctx, job)
	if err != nil {
		return nil, err
	}
	if r.Verdict != sandbox.OK {
		what := "packages." + p.Kind
		if p.Kind == steps {
			what = stepAt(p.Words, r)
		}
		return nil, failed(what, r)
	}
	return made, nil
}

// job is one on an image: as its root where it is to change it.
func (w *Builder) job(h *image.Held, root bool) (*sandbox.Job, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	j := &sandbox.Job{ID: id.String(), Policy: w.Policy, Limits: w.Limits, WritableRoot: root, Command: []string{"sh"}}
	q := sandbox.ImageRequest{Name: h.ID, Dir: "/", Range: root}
	if root {
		q.User = "0:0"
	}
	return j, j.UseImage(w.Images, q)
}

func (w *work) job(h *image.Held, root bool) (*sandbox.Job, error) {
	j, err := w.Builder.job(h, root)
	if err == nil {
		j.Image.Names, j.Env = w.names, w.env
	}
	return j, err
}

func (b *Builder) run(ctx context.Context, job *sandbox.Job) (*sandbox.Result, error) {
	if b.Output != nil {
		job.Stdout, job.Stderr = writer(b.Output), writer(b.Output)
	}
	return b.Run(ctx, job)
}

type writer func([]byte)

// Write hands it on.
func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// probe asks a program of an image's about itself, as nobody and in a cell.
func (b *work) probe(ctx context.Context, h *image.Held, field string, command ...string) ([]byte, error) {
	job, err := b.job(h, false)
	if err != nil {
		return nil, err
	}
	job.Command = command
	r, err := b.Run(ctx, job)
	switch {
	case err != nil:
		return nil, err
	case r.Verdict == sandbox.ExecFailed:
		return nil, fmt.Errorf("%s: the image has no %s; add it to packages.apt, or take another base", field, command[0])
	case r.Verdict != sandbox.OK:
		return nil, failed(field+": "+command[0], r)
	}
	return bytes.TrimSpace(r.Stdout), nil
}

func failed(what string, r *sandbox.Result) error {
	verdict := string(r.Verdict)
	if r.Message != "" {
		verdict += " (" + r.Message + ")"
	}
	t := &tail{}
	for _, p := range [][]byte{r.Stdout, r.Stderr} {
		_, _ = t.Write(p)
	}
	return &FailedError{what, verdict, t.String()}
}
