package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// feed runs a stream over what a program writes, in pieces.
func feed(t interface{ Fatal(...any) }, limit int64, tee io.Writer, pieces ...[]byte) *stream {
	s, err := newStream()
	if err != nil {
		t.Fatal(err)
	}
	w := s.theirs
	s.start(limit, tee)
	for _, p := range pieces {
		if _, err := w.Write(p); err != nil {
			t.Fatal("the writer is disturbed: ", err)
		}
	}
	w.Close()
	<-s.done
	return s
}

func wasTold(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestStreamCap(t *testing.T) {
	for _, test := range []struct {
		limit int64
		write string
		kept  string
		past  bool
	}{
		{5, "", "", false},
		{5, "1234", "1234", false},
		{5, "12345", "12345", false}, // at the limit is not over it
		{5, "123456", "12345", true},
		{1, "12", "1", true},
		{0, "", "", false},
		{0, "1", "", true},
	} {
		for _, whole := range []bool{true, false} {
			var pieces [][]byte
			if whole {
				pieces = append(pieces, []byte(test.write))
			} else {
				pieces = bytes.SplitAfter([]byte(test.write), nil)
			}
			var tee bytes.Buffer
			s := feed(t, test.limit, &tee, pieces...)
			if string(s.kept) != test.kept || s.past != test.past || wasTold(s.over) != test.past {
				t.Errorf("limit %d, %q: kept %q, past %t, told %t", test.limit, test.write, s.kept, s.past, wasTold(s.over))
			}
			if tee.String() != test.kept {
				t.Errorf("limit %d, %q: the tee has %q", test.limit, test.write, tee.String())
			}
		}
	}
}

func TestStreamProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(0, 100).Draw(t, "limit")
		pieces := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 40), 0, 8).Draw(t, "pieces")
		var tee bytes.Buffer
		s := feed(t, limit, &tee, pieces...)
		all := bytes.Join(pieces, nil)
		want := all[:min(int64(len(all)), limit)]
		if !bytes.Equal(s.kept, want) || !bytes.Equal(tee.Bytes(), want) || s.past != (int64(len(all)) > limit) || wasTold(s.over) != s.past {
			t.Fatalf("limit %d of %d bytes: kept %d, tee %d, past %t", limit, len(all), len(s.kept), tee.Len(), s.past)
		}
	})
}

// A flood is taken off the pipe and thrown away: the writer gets everything out,
// and no more than the limit is held.
func TestStreamFlood(t *testing.T) {
	const limit, flood = 1000, 64 << 20
	var tee bytes.Buffer
	piece := bytes.Repeat([]byte("x"), 1<<20)
	pieces := make([][]byte, flood/len(piece))
	for i := range pieces {
		pieces[i] = piece
	}
	s := feed(t, limit, &tee, pieces...)
	if len(s.kept) != limit || tee.Len() != limit || !s.past || cap(s.kept) > 4*limit {
		t.Errorf("kept %d in a buffer of %d, tee %d", len(s.kept), cap(s.kept), tee.Len())
	}
}

// The tee gets the bytes as they come, and one that fails disturbs nobody.
func TestStreamTee(t *testing.T) {
	read, write := io.Pipe()
	s, err := newStream()
	if err != nil {
		t.Fatal(err)
	}
	w := s.theirs
	s.start(100, write)
	buffer := make([]byte, 3)
	for _, word := range []string{"one", "two"} {
		if _, err := w.WriteString(word); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(read, buffer); err != nil || string(buffer) != word {
			t.Fatalf("%q, %v; want %q before the stream ends", buffer, err, word)
		}
	}
	read.CloseWithError(os.ErrClosed)
	if _, err := w.WriteString("three"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	<-s.done
	if string(s.kept) != "onetwothree" {
		t.Errorf("kept %q", s.kept)
	}
}

// The end is that of the last writer, and streams do not share their buffers.
func TestStreamsAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			text := strings.Repeat(fmt.Sprint(i), 300<<10)
			if s := feed(t, 1<<20, nil, []byte(text)); string(s.kept) != text {
				t.Errorf("stream %d holds %d bytes, not its own %d", i, len(s.kept), len(text))
			}
		})
	}
	all.Wait()
}

// What is large is kept whole, in whatever pieces it came, up to the limit exactly.
func TestStreamLarge(t *testing.T) {
	whole := make([]byte, 9<<20+123)
	for i := range whole {
		whole[i] = byte(i * 7 / 5)
	}
	for _, limit := range []int{len(whole), len(whole) + 1, len(whole) - 1, streamBuffer, streamBuffer + 1, streamBuffer - 1, 5 << 20} {
		for _, piece := range []int{1 << 20, 70_001, 4096} {
			var tee bytes.Buffer
			var pieces [][]byte
			for rest := whole; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
				pieces = append(pieces, rest[:min(piece, len(rest))])
			}
			s := feed(t, int64(limit), &tee, pieces...)
			want := whole[:min(limit, len(whole))]
			if !bytes.Equal(s.kept, want) || !bytes.Equal(tee.Bytes(), want) || s.past != (limit < len(whole)) || wasTold(s.over) != s.past {
				t.Errorf("limit %d, pieces of %d: kept %d, tee %d, want %d; past %t", limit, piece, len(s.kept), tee.Len(), len(want), s.past)
			}
		}
	}
}
