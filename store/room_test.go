package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
)

// letters is content of so many bytes.
func letters(c byte, n int) string { return strings.Repeat(string(c), n) }

// TestEviction: what was used longest ago makes room, of files and of bytes, and
// nothing more goes than has to.
func TestEviction(t *testing.T) {
	for name, c := range map[string]Config{
		"bytes": {MaxBytes: 40, MaxFiles: 100, MaxFileBytes: 40},
		"files": {MaxBytes: 1000, MaxFiles: 4, MaxFileBytes: 40},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, c)
			sums := o.puts(t, letters('a', 10), letters('b', 10), letters('c', 10), letters('d', 10)) // the very most
			if s := o.Stats(); s.Files != 4 || s.Bytes != 40 || s.Evicted != 0 {
				t.Fatalf("%+v", s)
			}
			o.get(t, sums[0]).Close() // a is now the last used
			o.put(t, letters('b', 10))
			sums = append(sums, o.puts(t, letters('e', 10))...)
			if got, want := o.have(sums...), []bool{true, true, false, true, true}; !slices.Equal(got, want) {
				t.Errorf("after e: %v, want %v", got, want)
			}
			held := o.get(t, sums[3]) // d would be next
			sums = append(sums, o.puts(t, letters('f', 10))...)
			if got, want := o.have(sums...), []bool{false, true, false, true, true, true}; !slices.Equal(got, want) {
				t.Errorf("after f: %v, want %v", got, want)
			}
			if got := read(t, held); got != letters('d', 10) {
				t.Errorf("the file in use has %q", got)
			}
			held.Close() // and is the last used from now on
			o.puts(t, letters('g', 10), letters('h', 10), letters('i', 10))
			if got := o.have(sums...); !slices.Equal(got, []bool{false, false, false, true, false, false}) {
				t.Errorf("at the end: %v", got)
			}
			if s := o.Stats(); s.Files != 4 || s.Bytes != 40 || s.Evicted != 5 || s.PinnedFiles != 0 {
				t.Errorf("%+v", s)
			}
			o.sound(t)
		})
	}
}

// TestFull: what could not have room is refused, and nothing is removed in vain.
func TestFull(t *testing.T) {
	o := open(t, Config{MaxBytes: 30, MaxFiles: 3, MaxFileBytes: 30})
	sums := o.puts(t, letters('a', 10), letters('b', 10))
	a := o.get(t, sums[0])
	for size, body := range map[int64]io.Reader{21: iotest.ErrReader(errors.New("it was read first")), -1: strings.NewReader(letters('x', 21))} {
		_, err := o.Put(t.Context(), sumOf(letters('x', 21)), size, body)
		if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "30 are allowed") || !strings.Contains(err.Error(), "10 of them are in use") {
			t.Errorf("announced %d: %v", size, err)
		}
	}
	if got := o.have(sums...); !slices.Equal(got, []bool{true, true}) {
		t.Errorf("removed for nothing: %v", got)
	}
	o.puts(t, letters('y', 20)) // with b gone there is just room
	if got := o.have(sums...); !slices.Equal(got, []bool{true, false}) {
		t.Errorf("%v", got)
	}
	y := o.get(t, sumOf(letters('y', 20)))
	o.puts(t, "")
	z := o.get(t, sumOf(""))
	if _, err := o.Put(t.Context(), sumOf("1"), 1, strings.NewReader("1")); !errors.Is(err, ErrFull) {
		t.Errorf("all in use: %v", err)
	}
	if s := o.Stats(); s.PinnedFiles != 3 || s.PinnedBytes != 30 {
		t.Errorf("%+v", s)
	}
	a.Close()
	for _, f := range []*File{y, z} {
		f.Close()
	}
	o.sound(t)
	q := open(t, Config{MaxBytes: 30, MaxFiles: 1, MaxFileBytes: 30})
	only := q.get(t, q.puts(t, "only")[0])
	if _, err := q.Put(t.Context(), sumOf(""), 0, strings.NewReader("")); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "1 files are allowed, and 1") {
		t.Errorf("one file too many: %v", err)
	}
	only.Close()
}

// slowly is a Put whose content comes when it is told to.
type slowly struct {
	w    *io.PipeWriter
	done chan error
}

func (o *opened) slowly(t testing.TB, sum string) *slowly {
	r, w := io.Pipe()
	p := &slowly{w, make(chan error, 1)}
	go func() {
		_, err := o.Put(context.Background(), sum, -1, r)
		r.CloseWithError(err)
		p.done <- err
	}()
	return p
}

// waits until as much is being written.
func (o *opened) waits(t testing.TB, files, bytes int64) {
	t.Helper()
	for end := time.Now().Add(hangGuard); ; time.Sleep(time.Millisecond) {
		s := o.Stats()
		if s.WritingFiles == files && s.WritingBytes == bytes {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%+v, want %d files and %d bytes on their way", s, files, bytes)
		}
	}
}

// TestWritingCounts: files on their way in have their room, as far as they have come,
// so that many at once do not overfill the disk; and when they fail they give it back.
func TestWritingCounts(t *testing.T) {
	o := open(t, Config{MaxBytes: 4 * pieceBytes, MaxFiles: 10, MaxFileBytes: 4 * pieceBytes})
	piece := strings.Repeat("p", pieceBytes)
	var all []*slowly
	for range 3 {
		all = append(all, o.slowly(t, sumOf("none of them")))
	}
	o.waits(t, 3, 0)
	for i, p := range all {
		if _, err := p.w.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
		o.waits(t, 3, int64(i+1)*pieceBytes)
	}
	if _, err := o.Put(t.Context(), sumOf(piece+piece), -1, strings.NewReader(piece+piece)); !errors.Is(err, ErrFull) {
		t.Errorf("beside them: %v", err)
	}
	last := o.puts(t, strings.Repeat("l", pieceBytes))[0]
	if _, err := all[0].w.Write([]byte(piece)); err != nil {
		t.Fatal(err)
	}
	o.waits(t, 3, 4*pieceBytes) // for which the whole file went
	if o.have(last)[0] {
		t.Error("more is there than allowed")
	}
	if _, err := all[1].w.Write([]byte(piece)); err == nil {
		err = <-all[1].done
		if !errors.Is(err, ErrFull) {
			t.Errorf("one piece too many: %v", err)
		}
	}
	o.waits(t, 2, 3*pieceBytes)
	for _, p := range []*slowly{all[0], all[2]} {
		p.w.Close()
		if err := <-p.done; !errors.Is(err, ErrMismatch) {
			t.Error(err)
		}
	}
	o.sound(t)
}

// TestSamePutsAtOnce: of several that bring the same one is told that it was new, and a
// slow one holds up none.
func TestSamePutsAtOnce(t *testing.T) {
	o := open(t, Config{MaxBytes: 4 << 20, MaxFiles: 100, MaxFileBytes: 1 << 20})
	content := letters('s', 200<<10)
	slow := o.slowly(t, sumOf(content))
	o.waits(t, 1, 0)
	var all sync.WaitGroup
	news := make(chan bool, 8)
	for range cap(news) {
		all.Go(func() {
			_, created := o.put(t, content)
			news <- created
		})
	}
	all.Wait()
	close(news)
	count := 0
	for created := range news {
		if created {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d of them were told that it is new", count)
	}
	if _, err := slow.w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	slow.w.Close()
	if err := <-slow.done; err != nil {
		t.Errorf("the slow one: %v", err)
	}
	o.sound(t)
}

// TestComparedIsInUse: what is being compared is there when the Put is over.
func TestComparedIsInUse(t *testing.T) {
	o := open(t, Config{MaxBytes: 10, MaxFiles: 10, MaxFileBytes: 10})
	sum := o.puts(t, "0123456789")[0]
	again := o.slowly(t, sum)
	for end := time.Now().Add(hangGuard); o.Stats().PinnedFiles == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is not in use")
		}
	}
	if err := o.Delete(sum); !errors.Is(err, ErrInUse) {
		t.Errorf("Delete: %v", err)
	}
	if _, err := o.Put(t.Context(), sumOf("x"), 1, strings.NewReader("x")); !errors.Is(err, ErrFull) {
		t.Errorf("Put: %v", err)
	}
	if _, err := again.w.Write([]byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	again.w.Close()
	if err := <-again.done; err != nil || !o.have(sum)[0] {
		t.Errorf("%v", err)
	}
	o.sound(t)
}

// TestTTL: only what was not used for longer goes, and nothing that is in use; the age
// counts from the last use, not from the first.
func TestTTL(t *testing.T) {
	c := small()
	c.TTL = time.Hour
	o := open(t, c)
	clock := time.Now()
	o.now = func() time.Time { return clock }
	sums := o.puts(t, "a", "b", "c")
	held := o.get(t, sums[2])
	clock = clock.Add(40 * time.Minute)
	o.get(t, sums[1]).Close()
	clock = clock.Add(20 * time.Minute)
	o.Sweep()
	if got := o.have(sums...); !slices.Equal(got, []bool{true, true, true}) {
		t.Errorf("after just an hour: %v", got)
	}
	clock = clock.Add(time.Minute)
	o.Sweep()
	if got := o.have(sums...); !slices.Equal(got, []bool{false, true, true}) {
		t.Errorf("after more: %v", got)
	}
	held.Close()
	clock = clock.Add(40 * time.Minute)
	o.Sweep()
	if got := o.have(sums...); !slices.Equal(got, []bool{false, false, true}) {
		t.Errorf("at the end: %v", got)
	}
	if s := o.Stats(); s.Expired != 2 || s.Evicted != 0 || s.Files != 1 {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(o.log.String(), "not used for long") && !strings.Contains(o.log.String(), "nobody has used for long") {
		t.Errorf("it is not told: %s", o.log)
	}
	o.sound(t)
	kept := open(t, small())
	sum := kept.puts(t, "a")[0]
	kept.now = func() time.Time { return clock.AddDate(100, 0, 0) }
	kept.Sweep()
	if !kept.have(sum)[0] {
		t.Error("without a TTL it is gone")
	}
}

// TestEverythingAtOnce: whatever comes together, what is read is what was put, what is
// in use stays, and in the end the account is right. The race detector looks on.
func TestEverythingAtOnce(t *testing.T) {
	o := open(t, Config{MaxBytes: 3 * pieceBytes, MaxFiles: 8, MaxFileBytes: 2 * pieceBytes})
	var contents []string
	for i := range 12 {
		contents = append(contents, fmt.Sprint(i, letters(byte('a'+i), i*12<<10)))
	}
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			for i := range 60 {
				content := contents[(i*(worker+1)+worker)%len(contents)]
				sum := sumOf(content)
				switch i % 4 {
				case 0, 1:
					size := int64(len(content))
					if i%8 == 0 {
						size = -1
					}
					if _, err := o.Put(context.Background(), sum, size, strings.NewReader(content)); err != nil && !errors.Is(err, ErrFull) {
						t.Error(err)
					}
				case 2:
					if err := o.Delete(sum); err != nil && !errors.Is(err, ErrInUse) && !errors.Is(err, ErrNotFound) {
						t.Error(err)
					}
					o.Sweep()
				}
				f, err := o.Get(sum)
				if errors.Is(err, ErrNotFound) {
					continue
				}
				if err != nil {
					t.Error(err)
					continue
				}
				if got := read(t, f); got != content {
					t.Errorf("%d bytes of something else", len(got))
				}
				f.Close()
				if s := o.Stats(); s.Bytes+s.WritingBytes > o.config.MaxBytes || s.Files+s.WritingFiles > o.config.MaxFiles {
					t.Errorf("more than allowed: %+v", s)
				}
			}
		})
	}
	all.Wait()
	if strings.Contains(o.log.String(), "level=ERROR") || strings.Contains(o.log.String(), "level=WARN") {
		t.Errorf("%s", o.log)
	}
	o.sound(t)
}
