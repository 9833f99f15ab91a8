package image

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// RejectedError says that what was to be brought in is not taken, whoever asks.
type RejectedError struct {
	Layer  string // digest, or the number where there is none; "": it is about the image
	Entry  string // of the layer's archive; "": it is about the layer
	Reason string
	broken bool // its bytes make no sense
}

// Error tells where and why.
func (e *RejectedError) Error() string {
	var b strings.Builder
	b.WriteString("image rejected: ")
	if e.Layer != "" {
		fmt.Fprintf(&b, "layer %s: ", short(e.Layer))
	}
	if e.Entry != "" {
		fmt.Fprintf(&b, "entry %s: ", quoted(e.Entry))
	}
	b.WriteString(e.Reason)
	return b.String()
}

func rejected(format string, args ...any) error {
	return &RejectedError{Reason: fmt.Sprintf(format, args...)}
}

// inLayer names the layer that an error is about.
func inLayer(layer string, err error) error {
	var r *RejectedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &r):
		if r.Layer == "" {
			r.Layer = layer
		}
		return err
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("layer %s: the disk is full; nothing of the image was kept: make room (cordon image prune) and try again: %w", short(layer), err)
	}
	return fmt.Errorf("layer %s: %w", short(layer), err)
}

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("no such image")
	ErrInUse    = errors.New("in use")
	ErrDamaged  = errors.New("damaged")
)

// short is a digest as people write it.
func short(digest string) string {
	if hex, ok := strings.CutPrefix(digest, "sha256:"); ok && len(hex) == 64 {
		return "sha256:" + hex[:12]
	}
	return digest
}

// quoted is a name of somebody else's as it can be printed, and not longer than helps.
func quoted(name string) string {
	const most = 200
	if len(name) > most {
		return fmt.Sprintf("%q… (%d bytes)", name[:most], len(name))
	}
	return fmt.Sprintf("%q", name)
}
