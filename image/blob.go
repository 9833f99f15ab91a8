package image

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packing is how a blob is packed.
type packing string

const (
	plain  packing = "not packed"
	gzips  packing = "gzip"
	zstds  packing = "zstd"
	anyhow packing = "" // as its first bytes say
)

func packingOf(start []byte) packing {
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		return gzips
	case bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}), len(start) >= 4 && start[0]&0xf0 == 0x50 && bytes.Equal(start[1:4], []byte{0x2a, 0x4d, 0x18}):
		return zstds
	}
	return plain
}

// isPacked: also as it cannot be read, of which unpacked tells.
func isPacked(start []byte) bool {
	return packingOf(start) != plain || otherPacking(start) != ""
}

// unpacked gives what a packed stream holds.
func unpacked(r *bufio.Reader, want packing) (io.Reader, func(), error) {
	start, err := r.Peek(startBytes)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	is := packingOf(start)
	if want != anyhow && want != is {
		return nil, nil, rejected("its media type says %s, its bytes are %s", want, is)
	}
	switch is {
	case gzips:
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, rejected("gzip: %v", err)
		}
		return z, func() { z.Close() }, nil
	case zstds:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(windowMax))
		if err != nil {
			return nil, nil, rejected("zstd: %v", err)
		}
		return z, z.Close, nil
	}
	if other := otherPacking(start); other != "" {
		return nil, nil, rejected("it is packed with %s; gzip, zstd and what is not packed can be read", other)
	}
	return r, func() {}, nil
}

// otherPacking names those that people bring. A name that a file can have is none of them.
func otherPacking(start []byte) string {
	switch {
	case bytes.HasPrefix(start, []byte("\xfd7zXZ\x00")):
		return "xz"
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		return "zip"
	case len(start) >= startBytes && bytes.HasPrefix(start, []byte("BZh")) && bytes.Equal(start[4:startBytes], []byte("1AY&SY")):
		return "bzip2"
	}
	return ""
}

const startBytes = 10 // of which a packing is known

// counted counts and hashes what is read, and goes on to most bytes, where most is not
// negative, and one more.
type counted struct {
	from   io.Reader
	hash   hash.Hash
	n      int64
	most   int64
	broken error // of from: ours, or the network's
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	c.hash.Write(p[:n])
	if c.most >= 0 && c.n > c.most {
		return 0, rejected("longer than the %d bytes that were announced", c.most)
	}
	if err != nil && err != io.EOF {
		c.broken = err
	}
	return n, err
}

func sum(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// blob is a packed layer on its way: from its packed bytes, by way of their unpacking in
// one goroutine and their digest in another, to whoever reads it.
type blob struct {
	packed *counted
	want   packing
	budget *budget

	pieces  chan []byte // to the reader
	free    chan []byte
	done    chan struct{} // closed by Close
	ended   chan struct{} // closed when both goroutines have
	failure error         // why pieces was closed; nil: it is the end
	sum     hash.Hash     // of the unpacked bytes
	piece   []byte        // what is left of the one being read
	whole   []byte
	closed  bool
}

const pieceBytes = 256 << 10

// openBlob begins. size is what was announced, negative where nothing was.
func openBlob(ctx context.Context, from io.Reader, size int64, want packing, b *budget) *blob {
	l := &blob{packed: &counted{from: from, hash: sha256.New(), most: size}, want: want, budget: b,
		pieces: make(chan []byte), free: make(chan []byte, 4), done: make(chan struct{}), ended: make(chan struct{}), sum: sha256.New()}
	for range cap(l.free) {
		l.free <- make([]byte, pieceBytes)
	}
	raw := make(chan []byte, 2)
	go l.unpack(ctx, raw)
	go func() {
		defer close(l.ended)
		defer close(l.pieces)
		for p := range raw {
			l.sum.Write(p)
			select {
			case l.pieces <- p:
			case <-l.done:
			}
		}
	}()
	return l
}

func (l *blob) unpack(ctx context.Context, raw chan<- []byte) {
	defer close(raw)
	buffered := bufio.NewReaderSize(l.packed, pieceBytes)
	r, end, err := unpacked(buffered, l.want)
	if err != nil {
		l.failure = l.blame(err)
		return
	}
	defer end()
	var total int64
	for {
		var p []byte
		select {
		case p = <-l.free:
		case <-l.done:
			return
		case <-ctx.Done():
			l.failure = context.Cause(ctx)
			return
		}
		n, err := fill(r, p[:pieceBytes])
		total += int64(n)
		if e := l.bounds(total, int64(n), r == io.Reader(buffered)); e != nil {
			l.failure = e
			return
		}
		select {
		case raw <- p[:n]:
		case <-l.done:
			return
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			l.failure = l.blame(err)
			return
		}
	}
}

// fill reads until p is full. Unlike io.ReadFull it leaves the reader's own error as it
// is: a stream that was cut off is not one that ends.
func fill(r io.Reader, p []byte) (n int, err error) {
	for empty := 0; n < len(p) && err == nil; {
		var more int
		more, err = r.Read(p[n:])
		if n += more; more > 0 {
			empty = 0
		} else if empty++; empty == 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

func (l *blob) bounds(total, n int64, isPlain bool) error {
	if err := l.budget.take(n); err != nil {
		return err
	}
	if !isPlain && total > ratioFrom && total/l.budget.Ratio > l.packed.n {
		return rejected("%d bytes come out of %d, more than %d for each; raise the limit (--max-ratio) if that is meant", total, l.packed.n, l.budget.Ratio)
	}
	return nil
}

// blame tells what is wrong with the bytes from what is wrong with bringing them.
func (l *blob) blame(err error) error {
	var r *RejectedError
	switch {
	case errors.As(err, &r):
		return err
	case l.packed.broken != nil && l.packed.most >= 0 && l.packed.n >= l.packed.most:
		return rejected("digest mismatch: %v", l.packed.broken) // all has come, and whoever brought it found it wrong
	case l.packed.broken != nil:
		return l.packed.broken
	}
	return &RejectedError{Reason: fmt.Sprintf("cannot be unpacked: %v", err), broken: true}
}

// Read gives the unpacked bytes.
func (l *blob) Read(p []byte) (int, error) {
	for len(l.piece) == 0 {
		if l.whole != nil {
			l.free <- l.whole[:pieceBytes]
			l.whole = nil
		}
		next, ok := <-l.pieces
		if !ok {
			<-l.ended
			if l.failure != nil {
				return 0, l.failure
			}
			return 0, io.EOF
		}
		l.whole, l.piece = next, next
	}
	n := copy(p, l.piece)
	l.piece = l.piece[n:]
	return n, nil
}

// Close ends it early, or behind its end. It may be called again.
func (l *blob) Close() {
	if l.closed {
		return
	}
	l.closed = true
	close(l.done)
	for range l.pieces { // the goroutine that gives them must not wait
	}
	<-l.ended
}

// check holds a blob that was read to its end against what was promised of it.
func (l *blob) check(size int64, digest, diffID string) error {
	if size >= 0 && l.packed.n != size {
		return rejected("%d bytes came of the %d that were announced", l.packed.n, size)
	}
	if got := sum(l.packed.hash); digest != "" && got != digest {
		return rejected("digest mismatch: its bytes have %s", got)
	}
	if got := sum(l.sum); diffID != "" && got != diffID {
		return rejected("digest mismatch: unpacked, its bytes have %s, the configuration promises %s", got, diffID)
	}
	return nil
}

// better says that bytes are not those that were announced, where that is why they make
// no sense.
func (l *blob) better(err error, digest string) error {
	var r *RejectedError
	if !errors.As(err, &r) || !r.broken || digest == "" {
		return err
	}
	l.Close()
	if _, e := io.Copy(io.Discard, l.packed); e != nil {
		return err
	}
	if got := sum(l.packed.hash); got != digest {
		r.Entry, r.Reason = "", fmt.Sprintf("digest mismatch: its bytes have %s; %s", got, r.Reason)
	}
	return err
}

// document reads a whole document of at most documentMax bytes.
func document(r io.Reader, what string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, documentMax+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if len(text) > documentMax {
		return nil, rejected("%s: longer than %d bytes", what, documentMax)
	}
	return text, nil
}

func digestOf(text []byte) string {
	h := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(h[:])
}
