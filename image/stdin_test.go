package image

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSilentInput: who waits for standard input can be stopped, and does not wait when
// what has come is rejected already.
func TestSilentInput(t *testing.T) {
	o := open(t, Limits{})
	for what, c := range map[string]struct {
		text string
		do   func(ctx context.Context, r io.Reader) error
		want string
	}{
		"import": {"", func(ctx context.Context, r io.Reader) error {
			_, err := o.Import(ctx, "-", r, ImportOptions{})
			return err
		}, "enough"},
		"build": {"", func(ctx context.Context, r io.Reader) error {
			_, err := o.Build(ctx, "-", r, BuildOptions{})
			return err
		}, "enough"},
	} {
		t.Run(what, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(context.Background())
			done := make(chan error, 1)
			go func() { done <- c.do(ctx, struct{ io.Reader }{r}) }()
			time.Sleep(50 * time.Millisecond) // so that it waits: sooner would be as good
			cancel(errors.New("enough"))
			select {
			case err := <-done:
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				t.Error("it waits")
			}
			if err := errors.Join(w.Close(), r.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	o.empty(t)
}

// TestDevices: a device is no archive, and may never end.
func TestDevices(t *testing.T) {
	l := DefaultLimits()
	l.ArchiveBytes, l.Bytes = 1<<20, 1<<20
	o := open(t, l)
	if _, err := o.Import(context.Background(), "/dev/zero", nil, ImportOptions{}); err == nil || !strings.Contains(err.Error(), "device") {
		t.Error(err)
	}
	if _, err := o.Build(context.Background(), "/dev/zero", nil, BuildOptions{}); err == nil || !strings.Contains(err.Error(), "device") {
		t.Error(err)
	}
	o.empty(t)
}
