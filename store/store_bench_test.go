package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"testing"
)

var benchSizes = []int{1 << 10, 64 << 10, 1 << 20, 16 << 20}

func benched(b *testing.B) *opened {
	return open(b, Config{MaxBytes: 256 << 20, MaxFiles: 1 << 16, MaxFileBytes: 64 << 20})
}

// BenchmarkPut puts new files; in a store that is full each makes room. Where thousands
// of files were removed a moment ago ext4 takes a millisecond to make one: it does not
// give their inodes out again for some minutes, and looks for others.
func BenchmarkPut(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			o := benched(b)
			content := make([]byte, size)
			b.SetBytes(int64(size))
			for n := uint64(1); b.Loop(); n++ {
				binary.LittleEndian.PutUint64(content, n)
				b.StopTimer()
				sum := sumOf(string(content))
				b.StartTimer()
				if created, err := o.Put(b.Context(), sum, int64(size), bytes.NewReader(content)); err != nil || !created {
					b.Fatal(created, err)
				}
			}
		})
	}
}

// BenchmarkPutAgain puts what is there: it is only compared.
func BenchmarkPutAgain(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			o := benched(b)
			content := make([]byte, size)
			sum, _ := o.put(b, string(content))
			b.SetBytes(int64(size))
			for b.Loop() {
				if created, err := o.Put(b.Context(), sum, int64(size), bytes.NewReader(content)); err != nil || created {
					b.Fatal(created, err)
				}
			}
		})
	}
}

// BenchmarkGet takes a file into use, opens it, and gives it back.
func BenchmarkGet(b *testing.B) {
	o := benched(b)
	sum, _ := o.put(b, "content")
	for b.Loop() {
		f, err := o.Get(sum)
		if err != nil {
			b.Fatal(err)
		}
		r, err := f.Open()
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
		f.Close()
	}
}

// BenchmarkRead is BenchmarkGet with the content read.
func BenchmarkRead(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			o := benched(b)
			sum, _ := o.put(b, string(make([]byte, size)))
			buffer := make([]byte, pieceBytes)
			b.SetBytes(int64(size))
			for b.Loop() {
				f, err := o.Get(sum)
				if err != nil {
					b.Fatal(err)
				}
				r, err := f.Open()
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = r.Read(buffer)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				r.Close()
				f.Close()
			}
		})
	}
}

// BenchmarkOpen opens a store that has many files.
func BenchmarkOpen(b *testing.B) {
	o := benched(b)
	o.disk.sync = func(*os.File) error { return nil } // it would take longer than all the rest
	for i := range 10_000 {
		o.put(b, fmt.Sprint(i))
	}
	if err := o.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(o.config)
		if err != nil {
			b.Fatal(err)
		}
		if s.Stats().Files != 10_000 {
			b.Fatal(s.Stats())
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
