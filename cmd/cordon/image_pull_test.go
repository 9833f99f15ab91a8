package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestReadPassword: what comes without its end of line; who waits for it can be stopped.
func TestReadPassword(t *testing.T) {
	for text, want := range map[string]string{"secret": "secret", "se cret\r\n": "se cret", "\n": "", "": "", strings.Repeat("x", passwordMax+1): ""} {
		got, err := readPassword(context.Background(), strings.NewReader(text))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.20q: %q, %v", text, got, err)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("enough"))
	r, w := io.Pipe()
	if _, err := readPassword(ctx, r); err == nil || err.Error() != "enough" {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
