package store

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// TestPutAndGet: what is put can be had, whole, again and again.
func TestPutAndGet(t *testing.T) {
	o := open(t, small())
	for name, content := range map[string]string{"empty": "", "text": "hello\n", "a piece": strings.Repeat("p", pieceBytes),
		"more than a piece": strings.Repeat("q", pieceBytes+1), "the most": strings.Repeat("r", int(o.config.MaxFileBytes))} {
		for _, size := range []int64{int64(len(content)), -1} {
			sum := sumOf(content)
			created, err := o.Put(t.Context(), sum, size, iotest.DataErrReader(strings.NewReader(content)))
			if err != nil || created != (size >= 0) {
				t.Fatalf("%s, announced %d: %v, %v", name, size, created, err)
			}
		}
		f := o.get(t, sumOf(content))
		for range 2 {
			if got := read(t, f); got != content || f.Size != int64(len(content)) {
				t.Errorf("%s: %d bytes of %d, %d announced", name, len(got), len(content), f.Size)
			}
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Write([]byte("x")); err == nil {
			t.Errorf("%s can be written to", name)
		}
		r.Close()
		f.Close()
		f.Close() // once is enough, and twice is no harm
		if _, err := f.Open(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s, closed: %v", name, err)
		}
	}
	o.sound(t)
}

// TestPutRefused: what is wrong is said with what was given and what is allowed, and
// nothing is kept of it, whether the file was there before or not.
func TestPutRefused(t *testing.T) {
	for _, there := range []bool{false, true} {
		o := open(t, Config{MaxBytes: 1000, MaxFiles: 10, MaxFileBytes: 100})
		const right = "the right content"
		sum := sumOf(right)
		if there {
			o.puts(t, right)
		}
		before := o.Stats()
		gone := errors.New("the line went dead")
		for name, c := range map[string]struct {
			sum  string
			size int64
			r    io.Reader
			want error
			says []string
		}{
			"short sum":        {"ab", 1, nil, ErrBadSum, []string{"2 characters", "64"}},
			"capitals":         {strings.ToUpper(sum), 1, nil, ErrBadSum, []string{"lower-case"}},
			"a path":           {"../../" + sum[6:], 1, nil, ErrBadSum, []string{`'.'`}},
			"other content":    {sum, 5, strings.NewReader("wrong"), ErrMismatch, []string{sum}},
			"same length":      {sum, int64(len(right)), strings.NewReader("the wrong content"), ErrMismatch, []string{sum, sumOf("the wrong content"), "17 bytes"}},
			"unknown length":   {sum, -1, strings.NewReader("wrong"), ErrMismatch, []string{sum}},
			"less came":        {sum, int64(len(right)), strings.NewReader(right[:5]), ErrMismatch, []string{"5 bytes came of the 17"}},
			"more came":        {sum, int64(len(right)), strings.NewReader(right + "!"), ErrMismatch, []string{"more came than the 17"}},
			"longer":           {sum, -1, strings.NewReader(right + "!"), ErrMismatch, []string{sum}},
			"announced large":  {sum, 101, iotest.ErrReader(errors.New("it was read")), ErrTooLarge, []string{"101", "100"}},
			"large":            {sum, -1, strings.NewReader(strings.Repeat("x", 101)), ErrTooLarge, []string{"100"}},
			"without end":      {sum, -1, endless{}, ErrTooLarge, []string{"100"}},
			"broken off":       {sum, int64(len(right)), io.MultiReader(strings.NewReader("the"), iotest.ErrReader(gone)), gone, []string{"3 bytes"}},
			"cut by a network": {sum, int64(len(right)), io.MultiReader(strings.NewReader(right), iotest.ErrReader(io.ErrUnexpectedEOF)), ErrUnread, []string{"17 bytes"}},
			"idle reader":      {sum, -1, iotest.ErrReader(nil), io.ErrNoProgress, nil},
		} {
			created, err := o.Put(t.Context(), c.sum, c.size, c.r)
			if created || !errors.Is(err, c.want) {
				t.Errorf("%s, there: %t: %v, %v; want %v", name, there, created, err, c.want)
				continue
			}
			for _, word := range c.says {
				if !there && !strings.Contains(err.Error(), word) {
					t.Errorf("%s does not say %s: %v", name, word, err)
				}
			}
		}
		ctx, stop := context.WithCancelCause(t.Context())
		stop(gone)
		if _, err := o.Put(ctx, sum, -1, strings.NewReader(right)); !errors.Is(err, gone) || !errors.Is(err, ErrUnread) {
			t.Errorf("cancelled: %v", err)
		}
		if after := o.Stats(); after != before {
			t.Errorf("%+v, before %+v", after, before)
		}
		o.sound(t)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestSumsEverywhere: every method refuses what is no sum, and does not find what is not there.
func TestSumsEverywhere(t *testing.T) {
	o := open(t, small())
	for name, ask := range map[string]func(string) error{
		"Get":    func(sum string) error { _, err := o.Get(sum); return err },
		"Stat":   func(sum string) error { _, err := o.Stat(sum); return err },
		"Delete": o.Delete,
	} {
		for _, sum := range []string{"", ".", "lock", incomingDir, strings.Repeat("a", 63), strings.Repeat("a", 65), strings.Repeat("g", 64), "/" + strings.Repeat("a", 63)} {
			if err := ask(sum); !errors.Is(err, ErrBadSum) {
				t.Errorf("%s(%q): %v", name, sum, err)
			}
		}
		if err := ask(sumOf("absent")); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), sumOf("absent")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDelete: what is used stays, what is not goes, and may come again.
func TestDelete(t *testing.T) {
	o := open(t, small())
	sum := o.puts(t, "content")[0]
	f, g := o.get(t, sum), o.get(t, sum)
	for _, use := range []*File{f, g} {
		if err := o.Delete(sum); !errors.Is(err, ErrInUse) {
			t.Errorf("in use: %v", err)
		}
		if info, err := o.Stat(sum); err != nil || info.Pins == 0 || info.Size != 7 || info.Sum != sum {
			t.Errorf("%+v, %v", info, err)
		}
		use.Close()
	}
	if err := o.Delete(sum); err != nil {
		t.Fatal(err)
	}
	if err := o.Delete(sum); !errors.Is(err, ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
	o.sound(t)
	o.puts(t, "content")
	o.sound(t)
}

// TestClosed: nothing works any more, but files in use do until they are closed, and
// only then may another have the directory.
func TestClosed(t *testing.T) {
	o := open(t, small())
	sum := o.puts(t, "content")[0]
	f := o.get(t, sum)
	for range 2 {
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, get := o.Get(sum)
	_, stat := o.Stat(sum)
	_, put := o.Put(t.Context(), sumOf("x"), 1, strings.NewReader("x"))
	_, again := o.Put(t.Context(), sum, 7, strings.NewReader("content"))
	for what, err := range map[string]error{"Get": get, "Stat": stat, "Put": put, "Put again": again, "Delete": o.Delete(sum)} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	o.Sweep()
	if read(t, f) != "content" {
		t.Error("the file in use cannot be read")
	}
	c := o.config
	if _, err := Open(c); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("opened twice: %v", err)
	}
	f.Close()
	next := open(t, c)
	if got := read(t, next.get(t, sum)); got != "content" {
		t.Errorf("%q", got)
	}
}

// TestCloseDuringPut: a Put that is under way fails, leaves nothing, and lets go.
func TestCloseDuringPut(t *testing.T) {
	o := open(t, small())
	r, w := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := o.Put(context.Background(), sumOf("content"), -1, r)
		done <- err
	}()
	if _, err := w.Write([]byte("cont")); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("ent")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	open(t, o.config).sound(t)
}

// TestConfig: a setting that makes no sense is named.
func TestConfig(t *testing.T) {
	good := small()
	good.Dir = t.TempDir()
	for field, change := range map[string]func(*Config){
		"Dir": func(c *Config) { c.Dir = "" }, "MaxBytes": func(c *Config) { c.MaxBytes = 0 }, "MaxFiles": func(c *Config) { c.MaxFiles = -1 },
		"MaxFileBytes": func(c *Config) { c.MaxFileBytes = 0 }, "TTL": func(c *Config) { c.TTL = -time.Second },
		"not a directory": func(c *Config) { c.Dir = "/dev/null/x" },
	} {
		c := good
		change(&c)
		if _, err := Open(c); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	// One file is never larger than the store.
	o := open(t, Config{MaxBytes: 10, MaxFiles: 1, MaxFileBytes: 1000})
	if _, err := o.Put(t.Context(), sumOf("x"), 11, nil); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "10") {
		t.Error(err)
	}
}

// TestDamaged: what somebody else did to a file on the disk is seen before its bytes
// are handed out, and the content can be put again.
func TestDamaged(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"gone":      os.Remove,
		"truncated": func(path string) error { return errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 3)) },
		"longer": func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("content and more"), 0o400))
		},
		"a link": func(path string) error {
			other := path + "-other"
			return errors.Join(os.WriteFile(other, []byte("another"), 0o600), os.Remove(path), os.Symlink(other, path))
		},
	} {
		o := open(t, small())
		sum := o.puts(t, "content")[0]
		path := filepath.Join(o.dir, nameOf(sum))
		used := o.get(t, sum)
		if err := harm(path); err != nil {
			t.Fatal(err)
		}
		if r, err := used.Open(); err == nil {
			t.Errorf("%s: an open File opens it all the same", name)
			r.Close()
		}
		if _, err := o.Get(sum); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(o.log.String(), "not what was kept") {
			t.Errorf("%s is not told: %s", name, o.log)
		}
		_ = os.Remove(path + "-other")
		used.Close()
		o.sound(t)
		o.puts(t, "content")
		f := o.get(t, sum)
		if got := read(t, f); got != "content" {
			t.Errorf("%s: %q", name, got)
		}
		f.Close()
		o.sound(t)
	}
}

// TestBuckets: there are 256.
func TestBuckets(t *testing.T) {
	count := 0
	for _, a := range "/0123456789:@AFGZ`abcdefghz." {
		for _, b := range "0123456789abcdef" {
			if isBucket(string(a) + string(b)) {
				count++
			}
		}
	}
	if count != 256 || isBucket("a") || isBucket("abc") || isBucket("") || isBucket("..") || !isBucket(bucket(sumOf("x"))) {
		t.Errorf("%d", count)
	}
	if sumOf("") != emptySum {
		t.Error("emptySum is not that of no bytes")
	}
}
