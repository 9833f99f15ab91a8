package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
)

// pieceBytes is how much is read, counted, hashed and written at once.
const pieceBytes = 128 << 10

var pieces = sync.Pool{New: func() any { return new([pieceBytes]byte) }}

// incomingDir is the directory of the files that are being written.
const incomingDir = "incoming"

// Put keeps what r has, under its SHA-256; size is its length, or -1 when that is not
// known. What is there already is not written again, but it is read and compared all
// the same, so that the answer to wrong bytes does not depend on it.
func (s *Store) Put(ctx context.Context, sum string, size int64, r io.Reader) (created bool, err error) {
	if err := CheckSum(sum); err != nil {
		return false, err
	}
	if size > s.maxFile() {
		return false, fmt.Errorf("%w: %d bytes given, one file may have %d", ErrTooLarge, size, s.maxFile())
	}
	switch f, err := s.Get(sum); {
	case err == nil:
		return false, errors.Join(s.compare(ctx, f, size, r), f.Close())
	case !errors.Is(err, ErrNotFound):
		return false, err
	}
	f, created, err := s.bring(ctx, sum, size, false, r)
	if err != nil {
		return false, err
	}
	return created, f.Close()
}

// PutUnseen is Put for somebody who may not know what is there: it never looks, and takes as
// much room and as long where the file is there as where it is not. The sum may be "": it is
// whatever r has then. The file is in use until it is closed. unseen: nobody has brought it in
// another way since it is there.
func (s *Store) PutUnseen(ctx context.Context, sum string, size int64, r io.Reader) (f *File, unseen bool, err error) {
	if sum != "" {
		if err := CheckSum(sum); err != nil {
			return nil, false, err
		}
	}
	f, _, err = s.bring(ctx, sum, size, true, r)
	return f, f != nil && s.unseen(f.entry), err
}

func (s *Store) unseen(e *entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.unseen
}

// Add keeps what r has, whatever its SHA-256 is; size is as for Put. The file is in use
// until it is closed. There must be room for it even where the same is there: its name is
// known only when it has been written.
func (s *Store) Add(ctx context.Context, size int64, r io.Reader) (*File, error) {
	f, _, err := s.bring(ctx, "", size, false, r)
	return f, err
}

// bring writes a file, of which the SHA-256 is known, or "".
func (s *Store) bring(ctx context.Context, sum string, size int64, unseen bool, r io.Reader) (f *File, created bool, err error) {
	if size > s.maxFile() {
		return nil, false, fmt.Errorf("%w: %d bytes given, one file may have %d", ErrTooLarge, size, s.maxFile())
	}
	in, err := s.begin(size)
	if err != nil {
		return nil, false, err
	}
	defer func() {
		if left := in.end(); left != nil && f != nil {
			s.log.Error("a file is kept, and what was written beside it is left", "sha256", f.Sum, "error", left)
		} else {
			err = errors.Join(err, left)
		}
	}()
	got, err := s.take(ctx, r, size, in.write)
	if err != nil {
		return nil, false, err
	}
	if sum != "" && got != sum {
		return nil, false, mismatch(sum, got, in.bytes)
	}
	return s.keep(in, got, unseen)
}

// compare reads what is there already.
func (s *Store) compare(ctx context.Context, f *File, size int64, r io.Reader) error {
	if size >= 0 && size != f.Size {
		return fmt.Errorf("%w: %d bytes given, %s has %d", ErrMismatch, size, f.Sum, f.Size)
	}
	var read int64
	got, err := s.take(ctx, r, size, func(piece []byte) error {
		if read += int64(len(piece)); read > f.Size {
			return fmt.Errorf("%w: more than %d bytes given, %s has %d", ErrMismatch, f.Size, f.Sum, f.Size)
		}
		return nil
	})
	if err == nil && got != f.Sum {
		err = mismatch(f.Sum, got, read)
	}
	return err
}

func mismatch(sum, got string, bytes int64) error {
	return fmt.Errorf("%w: %s is wanted, the %d bytes given have %s", ErrMismatch, sum, bytes, got)
}

// take reads r to its end, in whole pieces, hands each on and returns the hash.
func (s *Store) take(ctx context.Context, r io.Reader, size int64, next func([]byte) error) (string, error) {
	piece := pieces.Get().(*[pieceBytes]byte)
	defer pieces.Put(piece)
	hashed := sha256.New()
	for total := int64(0); ; {
		if ctx.Err() != nil {
			return "", fmt.Errorf("%w, after %d bytes: %w", ErrUnread, total, context.Cause(ctx))
		}
		n, err := fill(r, piece[:])
		total += int64(n)
		ended := errors.Is(err, io.EOF)
		switch {
		case total > s.maxFile():
			return "", fmt.Errorf("%w: more than %d bytes given, which is what one file may have", ErrTooLarge, s.maxFile())
		case size >= 0 && total > size:
			return "", fmt.Errorf("%w: more came than the %d bytes that were announced", ErrMismatch, size)
		case err != nil && !ended:
			return "", fmt.Errorf("%w, after %d bytes: %w", ErrUnread, total, err)
		case ended && total < size:
			return "", fmt.Errorf("%w: %d bytes came of the %d that were announced", ErrMismatch, total, size)
		}
		if n > 0 {
			hashed.Write(piece[:n])
			if err := next(piece[:n]); err != nil {
				return "", err
			}
		}
		if ended {
			return hex.EncodeToString(hashed.Sum(nil)), nil
		}
	}
}

// fill reads until the piece is full, or until r ends.
func fill(r io.Reader, piece []byte) (n int, err error) {
	for empty := 0; n < len(piece) && err == nil; {
		var more int
		more, err = r.Read(piece[n:])
		if n += more; more > 0 {
			empty = 0
		} else if empty++; empty == 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}
