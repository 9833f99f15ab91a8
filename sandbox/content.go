package sandbox

import (
	"fmt"
	"io"
	"os"

	"cordon/sandbox/cell"
)

// Content is given by a job in one of two ways: as bytes, or as a file that is kept
// and does not change while the job has it.
type Content struct {
	Data []byte
	Kept Kept // wins, unless nil
}

// Kept is a file of a known size. Each Open has a description of its own.
type Kept interface {
	Open() (*os.File, error)
	Bytes() int64
}

// Size in bytes.
func (c *Content) Size() int64 {
	if c.Kept != nil {
		return c.Kept.Bytes()
	}
	return int64(len(c.Data))
}

// bytes are all of it, in memory.
func (c *Content) bytes() ([]byte, error) {
	if c.Kept == nil {
		return c.Data, nil
	}
	f, err := c.Kept.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, c.Kept.Bytes())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("read what is kept: %w", err)
	}
	return data, nil
}

// sharedInput is the size from which to give a program the file itself costs less than
// to copy it (docs/adr/0011-files-shown-where-they-are-named.md).
const sharedInput = 64 << 10

// input is a file that a program can read it from.
func (c *Content) input() (*os.File, error) {
	if c.Kept == nil {
		return cell.Input(c.Data)
	}
	f, err := c.Kept.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, shared := c.Kept.(Shared); shared && c.Kept.Bytes() >= sharedInput {
		return cell.Shared(f)
	}
	return cell.InputFrom(f, c.Kept.Bytes())
}
