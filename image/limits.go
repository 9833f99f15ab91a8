package image

import (
	"fmt"
)

// Limits bound what one image may bring.
type Limits struct {
	Layers       int64 // in an image
	Entries      int64 // of all its layers together
	Bytes        int64 // of all its layers together, unpacked: what their archives hold
	FileBytes    int64 // of one file
	Ratio        int64 // unpacked bytes for each packed one, once there are many
	ArchiveBytes int64 // of an archive with a whole image, where it comes packed
}

// DefaultLimits are far above what images for programs have.
func DefaultLimits() Limits {
	return Limits{Layers: 127, Entries: 500_000, Bytes: 16 << 30, FileBytes: 8 << 30, Ratio: 200, ArchiveBytes: 32 << 30}
}

// What is not for the operator to choose.
const (
	mostLayers  = 160     // beyond it the names do not fit an overlay's options (mount(2): one page)
	documentMax = 4 << 20 // bytes of an index, a manifest or a config
	depthMax    = 128     // directories in directories: as many descriptors are open when a tree is removed
	pathMax     = 4000    // below what the kernel takes, so that a prefix of ours fits
	nameMax     = 255
	namesMost   = 256 << 20 // bytes of all names and links of an image
	callsMost   = 100       // names that an archive may give one image
	storedMax   = 8 * documentMax
	ratioFrom   = 16 << 20 // unpacked bytes from which the ratio counts
	windowMax   = 128 << 20
	notesMax    = 200
)

// Check says what is wrong with limits.
func (l Limits) Check() error {
	for _, f := range []struct {
		name       string
		value, max int64
	}{{"layers", l.Layers, mostLayers}, {"entries", l.Entries, 1 << 24}, {"bytes", l.Bytes, 1 << 50}, {"file bytes", l.FileBytes, 1 << 50},
		{"ratio", l.Ratio, 1 << 30}, {"archive bytes", l.ArchiveBytes, 1 << 50}} {
		if f.value < 1 || f.value > f.max {
			return fmt.Errorf("limit of %s: %d given, allowed is 1 to %d", f.name, f.value, f.max)
		}
	}
	return nil
}

// budget is what is left of the limits, for one image.
type budget struct {
	Limits
	entries, bytes int64 // used
	claimed, names int64 // the same of sparse files' sizes, and of names
}

func (b *budget) entry() error {
	if b.entries++; b.entries > b.Entries {
		return rejected("more than %d entries; raise the limit (--max-entries) if that is meant", b.Entries)
	}
	return nil
}

// take counts bytes of an archive, unpacked.
func (b *budget) take(n int64) error {
	if b.bytes += n; b.bytes > b.Bytes || b.bytes < 0 {
		return rejected("more than %d bytes unpacked; raise the limit (--max-bytes) if that is meant", b.Bytes)
	}
	return nil
}

// claim counts what a sparse file is said to hold: its archive does not bring it, but
// whoever reads the file gets it. It is apart from bytes, which another goroutine counts.
func (b *budget) claim(size int64) error {
	if b.claimed += size; b.claimed > b.Bytes || b.claimed < 0 {
		return rejected("sparse files of more than %d bytes together; raise the limit (--max-bytes) if that is meant", b.Bytes)
	}
	return nil
}

// name counts a name and what it leads to: all are kept in mind while a layer is followed.
func (b *budget) name(name, target string) error {
	if b.names += int64(len(name) + len(target)); b.names > namesMost {
		return rejected("names of more than %d bytes together", int64(namesMost))
	}
	return nil
}

func (b *budget) file(size int64) error {
	if size < 0 || size > b.FileBytes {
		return rejected("a file of %d bytes, allowed are %d; raise the limit (--max-file-bytes) if that is meant", size, b.FileBytes)
	}
	return nil
}
