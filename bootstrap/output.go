package bootstrap

import (
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// output is what mmdebstrap writes: an archive that is whole only if it says so.
type output struct {
	from   io.Reader
	ended  <-chan error
	told   *listener
	ctx    context.Context
	waited bool
}

// Read gives the end of the archive only where mmdebstrap has ended well.
func (r *output) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err == io.EOF {
		if failed := r.wait(false); failed != nil {
			return n, failed
		}
	}
	return n, err
}

// wait waits for the end. How it ended is of no interest where it was made to.
func (r *output) wait(killed bool) error {
	if r.waited {
		return nil
	}
	r.waited = true
	err := <-r.ended
	switch {
	case err == nil, killed:
		return nil
	case r.ctx.Err() != nil:
		return context.Cause(r.ctx)
	}
	return r.told.failure(err)
}

// listener reads what mmdebstrap tells.
type listener struct {
	progress func(string)
	part     string
	last     []string
	errors   []string
}

// Write takes it line by line.
func (l *listener) Write(p []byte) (int, error) {
	l.part += string(p)
	for {
		line, rest, ok := strings.Cut(l.part, "\n")
		if !ok {
			break
		}
		l.part = rest
		l.line(strings.TrimSpace(line))
	}
	l.part = l.part[max(0, len(l.part)-4096):]
	return len(p), nil
}

func (l *listener) line(text string) {
	if text == "" {
		return
	}
	if told, ok := strings.CutPrefix(text, "I: "); ok {
		l.progress(told)
		return
	}
	if strings.HasPrefix(text, "E: ") && len(l.errors) < 5 {
		l.errors = append(l.errors, text)
	}
	if l.last = append(l.last, text); len(l.last) > 8 {
		l.last = l.last[1:]
	}
}

func (l *listener) failure(err error) error {
	why := strings.Join(l.errors, "; ")
	if why == "" {
		why = strings.Join(l.last, "; ")
	}
	text := strings.Join(l.last, "\n") + why
	hint := ""
	switch {
	case strings.Contains(text, unix.ENOSPC.Error()) || strings.Contains(text, "No space left"):
		hint = "; the disk is full: make room (cordon image prune) and try again"
	case strings.Contains(text, "Unable to locate package"):
		hint = "; see the names of --include"
	}
	return &failedError{fmt.Errorf("mmdebstrap failed, and nothing of the image was kept: %w: %s%s", err, why, hint)}
}

// failedError is mmdebstrap's own failure, which is not the archive's that it was to write.
type failedError struct{ error }

// Unwrap gives how it ended.
func (e *failedError) Unwrap() error { return e.error }
