package image

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// A record tells a layer's archive again, byte for byte, with the layer's files: pieces of
// the archive as they were, which are headers and padding, and between them payloads,
// which are the content of files. It is packed with zstd.
//
//	"cordon layer 1\n"
//	piece   'r' length bytes
//	payload 'p' length hash path
//
// Numbers are unsigned varints, the hash is 8 bytes of xxHash, a path has its length before it.
// That a later entry has replaced a payload's file is not known yet when it is written:
// layer.json lists the payloads, by their number, that lie apart from the tree.
const recordMagic = "cordon layer 1\n"

const (
	isPiece   = 'r'
	isPayload = 'p'
)

const mostPiece = 64 << 10

// recorder writes a record.
type recorder struct {
	to    *bufio.Writer
	pack  *zstd.Encoder
	piece []byte
	count int // payloads
	err   error
}

func newRecorder(w io.Writer) (*recorder, error) {
	buffered := bufio.NewWriterSize(w, 64<<10)
	pack, err := zstd.NewWriter(buffered, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10))
	if err != nil {
		return nil, err
	}
	r := &recorder{to: buffered, pack: pack}
	_, err = pack.Write([]byte(recordMagic))
	return r, err
}

// raw adds bytes of the archive as they are.
func (r *recorder) raw(p []byte) {
	r.piece = append(r.piece, p...)
	if len(r.piece) >= mostPiece {
		r.flush()
	}
}

func (r *recorder) flush() {
	if len(r.piece) == 0 {
		return
	}
	head := binary.AppendUvarint([]byte{isPiece}, uint64(len(r.piece)))
	r.write(head)
	r.write(r.piece)
	r.piece = r.piece[:0]
}

func (r *recorder) write(p []byte) {
	if r.err == nil {
		_, r.err = r.pack.Write(p)
	}
}

// payload adds the content of a file, and gives its number.
func (r *recorder) payload(path string, size int64, hash uint64) int {
	r.flush()
	head := binary.AppendUvarint([]byte{isPayload}, uint64(size))
	head = binary.LittleEndian.AppendUint64(head, hash)
	head = binary.AppendUvarint(head, uint64(len(path)))
	r.write(append(head, path...))
	r.count++
	return r.count - 1
}

func (r *recorder) close() error {
	r.flush()
	return errors.Join(r.err, r.pack.Close(), r.to.Flush())
}

// abandon frees what the packing holds.
func (r *recorder) abandon() { r.pack.Reset(nil) }

// part is what a record holds next.
type part struct {
	piece  io.Reader // nil: it is a payload
	size   int64
	hash   uint64
	path   string
	number int
}

// recordReader reads a record. Its bytes may have been changed: nothing that they say is
// believed further than it can be held.
type recordReader struct {
	from   *bufio.Reader
	pack   *zstd.Decoder
	count  int
	piece  *io.LimitedReader // the last part's, which is to be read before the next
	magics bool
}

func newRecordReader(r io.Reader) (*recordReader, error) {
	pack, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<20))
	if err != nil {
		return nil, err
	}
	return &recordReader{from: bufio.NewReader(pack), pack: pack}, nil
}

func (r *recordReader) close() { r.pack.Close() }

func (r *recordReader) begin() error {
	magic := make([]byte, len(recordMagic))
	if _, err := io.ReadFull(r.from, magic); err != nil || string(magic) != recordMagic {
		return fmt.Errorf("%w: it does not begin as a record does: %w", ErrDamaged, cut(err))
	}
	r.magics = true
	return nil
}

// next is io.EOF at the end.
func (r *recordReader) next() (part, error) {
	if !r.magics {
		if err := r.begin(); err != nil {
			return part{}, err
		}
	}
	if r.piece != nil {
		if _, err := io.Copy(io.Discard, r.piece); err != nil || r.piece.N != 0 {
			return part{}, fmt.Errorf("%w: record: it is cut off: %w", ErrDamaged, cut(err))
		}
		r.piece = nil
	}
	kind, err := r.from.ReadByte()
	if err == io.EOF {
		return part{}, io.EOF
	}
	if err != nil {
		return part{}, fmt.Errorf("%w: record: %w", ErrDamaged, err)
	}
	p, err := r.read(kind)
	if err != nil {
		return part{}, fmt.Errorf("%w: record: %w", ErrDamaged, err)
	}
	return p, nil
}

func (r *recordReader) read(kind byte) (p part, err error) {
	size, err := binary.ReadUvarint(r.from)
	if err != nil {
		return p, cut(err)
	}
	if size > 1<<62 || kind == isPiece && size > 2*pieceBytes+mostPiece {
		return p, fmt.Errorf("a part of %d bytes", size)
	}
	p.size = int64(size)
	switch kind {
	case isPiece:
		r.piece = &io.LimitedReader{R: r.from, N: p.size}
		p.piece = r.piece
		return p, nil
	case isPayload:
		var hash [8]byte
		if _, err := io.ReadFull(r.from, hash[:]); err != nil {
			return p, cut(err)
		}
		p.hash = binary.LittleEndian.Uint64(hash[:])
		length, err := binary.ReadUvarint(r.from)
		if err != nil || length > pathMax {
			return p, fmt.Errorf("a path of %d bytes: %w", length, cut(err))
		}
		path := make([]byte, length)
		if _, err := io.ReadFull(r.from, path); err != nil {
			return p, cut(err)
		}
		p.path, p.number = string(path), r.count
		r.count++
		return p, nil
	}
	return p, fmt.Errorf("a part of kind %q", kind)
}

var errCut = errors.New("it ends in the middle")

// cut: an end in the middle is not the end.
func cut(err error) error {
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
		return errCut
	}
	return err
}
