package image

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// patient reads what may never come, such as standard input: who reads it can be stopped,
// and does not wait behind Close. One read may stay under way behind that, until there is
// something or the process ends.
type patient struct {
	ctx    context.Context
	pieces chan arrived
	quit   chan struct{}
	close  func() error
	left   arrived
}

type arrived struct {
	text []byte
	err  error
}

// patiently begins to read. end, where there is one, ends a read that is under way.
func patiently(ctx context.Context, from io.Reader, end func() error) *patient {
	p := &patient{ctx: ctx, pieces: make(chan arrived), quit: make(chan struct{})}
	p.close = sync.OnceValue(func() error {
		close(p.quit)
		if end != nil {
			return end()
		}
		return nil
	})
	go p.run(from)
	return p
}

func (p *patient) run(from io.Reader) {
	var buffers [2][64 << 10]byte // who asks for the next is done with the one before
	for i := 0; ; i ^= 1 {
		n, err := from.Read(buffers[i][:])
		select {
		case p.pieces <- arrived{buffers[i][:n], err}:
		case <-p.quit:
			return
		}
		if err != nil {
			return
		}
	}
}

func (p *patient) Read(b []byte) (int, error) {
	if len(p.left.text) == 0 && p.left.err == nil {
		select {
		case p.left = <-p.pieces:
		case <-p.ctx.Done():
			return 0, context.Cause(p.ctx)
		case <-p.quit:
			return 0, os.ErrClosed
		}
	}
	n := copy(b, p.left.text)
	if p.left.text = p.left.text[n:]; len(p.left.text) > 0 {
		return n, nil
	}
	return n, p.left.err
}

// Close ends it. It may be called again.
func (p *patient) Close() error { return p.close() }

// readable opens a file, a FIFO or a directory to read, without waiting for anybody.
func readable(name string) (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode()&os.ModeDevice != 0 {
		err = errors.New("a device; a file, a directory, a FIFO, or - for standard input is wanted")
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}
