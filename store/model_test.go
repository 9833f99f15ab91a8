package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is what a store ought to do, without a disk: a list in the order of last use.
type model struct {
	config  Config
	files   []*modelFile // least recently used first
	evicted uint64
	expired uint64
}

type modelFile struct {
	content string
	used    time.Time
	pins    int
}

func (m *model) find(content string) *modelFile {
	for _, f := range m.files {
		if f.content == content {
			return f
		}
	}
	return nil
}

// use makes a file the last used.
func (m *model) use(f *modelFile, now time.Time) {
	m.drop(f)
	f.used = now
	m.files = append(m.files, f)
}

func (m *model) drop(f *modelFile) {
	m.files = slices.DeleteFunc(m.files, func(g *modelFile) bool { return g == f })
}

func (m *model) size(pinned bool) (files, bytes int64) {
	for _, f := range m.files {
		if f.pins > 0 || !pinned {
			files++
			bytes += int64(len(f.content))
		}
	}
	return files, bytes
}

// room removes files until so much fits, or says that it never will.
func (m *model) room(files, bytes int64) bool {
	if f, b := m.size(true); f+files > m.config.MaxFiles || b+bytes > m.config.MaxBytes {
		return false
	}
	for {
		if f, b := m.size(false); f+files <= m.config.MaxFiles && b+bytes <= m.config.MaxBytes {
			return true
		}
		i := slices.IndexFunc(m.files, func(f *modelFile) bool { return f.pins == 0 })
		m.drop(m.files[i])
		m.evicted++
	}
}

// put is a Put of content under the sum of another one.
func (m *model) put(content, under string, known bool, now time.Time) (bool, error) {
	size := int64(len(content))
	most := min(m.config.MaxFileBytes, m.config.MaxBytes)
	if known && size > most {
		return false, ErrTooLarge
	}
	if f := m.find(under); f != nil {
		m.use(f, now)
		switch {
		case size > most:
			return false, ErrTooLarge
		case content != under:
			return false, ErrMismatch
		}
		return false, nil
	}
	least := int64(0)
	if known {
		least = size
	}
	if f, b := m.size(true); f+1 > m.config.MaxFiles || b+least > m.config.MaxBytes {
		return false, ErrFull
	}
	m.room(1, 0)
	switch {
	case size > most:
		return false, ErrTooLarge
	case !m.room(1, size): // with its place
		return false, ErrFull
	case content != under:
		return false, ErrMismatch
	}
	m.files = append(m.files, &modelFile{content: content, used: now})
	return true, nil
}

// machine runs a store and its model side by side.
type machine struct {
	model
	store *Store
	dir   string
	clock time.Time
	held  []*File
}

var contents = func() (out []string) {
	for i := range 9 {
		out = append(out, strings.Repeat(string(rune('a'+i)), i*4))
	}
	return out
}()

func (m *machine) open(t *rapid.T) {
	s, err := Open(m.config)
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return m.clock }
	m.store, m.evicted, m.expired = s, 0, 0
}

// tick lets time pass between any two things: of equal times the order is not told.
func (m *machine) tick() time.Time {
	m.clock = m.clock.Add(time.Millisecond)
	return m.clock
}

func (m *machine) Put(t *rapid.T) {
	content := rapid.SampledFrom(contents).Draw(t, "content")
	under := content
	if rapid.IntRange(0, 4).Draw(t, "wrong") == 0 {
		under = rapid.SampledFrom(contents).Draw(t, "under")
	}
	size := int64(len(content))
	if rapid.Bool().Draw(t, "unknown") {
		size = -1
	}
	now := m.tick()
	want, wantErr := m.put(content, under, size >= 0, now)
	got, err := m.store.Put(t.Context(), sumOf(under), size, strings.NewReader(content))
	if got != want || !errors.Is(err, wantErr) || wantErr == nil && err != nil {
		t.Fatalf("%t, %v; want %t, %v", got, err, want, wantErr)
	}
}

func (m *machine) Get(t *rapid.T) {
	content := rapid.SampledFrom(contents).Draw(t, "content")
	now := m.tick()
	file, err := m.store.Get(sumOf(content))
	f := m.find(content)
	if (f == nil) != errors.Is(err, ErrNotFound) || f != nil && err != nil {
		t.Fatalf("there: %t, %v", f != nil, err)
	}
	if f == nil {
		return
	}
	m.use(f, now)
	f.pins++
	m.held = append(m.held, file)
}

func (m *machine) Read(t *rapid.T) {
	if len(m.held) == 0 {
		t.Skip("nothing is in use")
	}
	file := rapid.SampledFrom(m.held).Draw(t, "file")
	r, err := file.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil || sumOf(b.String()) != file.Sum {
		t.Fatalf("%q, %v", b.String(), err)
	}
}

func (m *machine) Close(t *rapid.T) {
	if len(m.held) == 0 {
		t.Skip("nothing is in use")
	}
	m.release(rapid.IntRange(0, len(m.held)-1).Draw(t, "which"))
}

func (m *machine) release(i int) {
	now := m.tick()
	file := m.held[i]
	m.held = slices.Delete(m.held, i, i+1)
	for _, f := range m.files {
		if sumOf(f.content) == file.Sum {
			f.pins--
			m.use(f, now)
			break
		}
	}
	file.Close()
}

func (m *machine) Delete(t *rapid.T) {
	content := rapid.SampledFrom(contents).Draw(t, "content")
	err := m.store.Delete(sumOf(content))
	switch f := m.find(content); {
	case f == nil && !errors.Is(err, ErrNotFound), f != nil && f.pins > 0 && !errors.Is(err, ErrInUse), f != nil && f.pins == 0 && err != nil:
		t.Fatalf("%+v: %v", f, err)
	case f != nil && f.pins == 0:
		m.drop(f)
	}
}

func (m *machine) Sweep(t *rapid.T) {
	m.clock = m.clock.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
	m.store.Sweep()
	for _, f := range slices.Clone(m.files) {
		if f.pins == 0 && m.clock.Sub(f.used) > m.config.TTL {
			m.drop(f)
			m.expired++
		}
	}
}

func (m *machine) Reopen(t *rapid.T) {
	for len(m.held) > 0 {
		m.release(0)
	}
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(t)
}

// Check compares everything that can be seen.
func (m *machine) Check(t *rapid.T) {
	files, size := m.size(false)
	pinned, pinnedBytes := m.size(true)
	if got, want := m.store.Stats(), (Stats{Files: files, Bytes: size, PinnedFiles: pinned, PinnedBytes: pinnedBytes, Evicted: m.evicted, Expired: m.expired}); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	if files > m.config.MaxFiles || size > m.config.MaxBytes {
		t.Fatalf("%d files, %d bytes: more than allowed", files, size)
	}
	for _, content := range contents {
		info, err := m.store.Stat(sumOf(content))
		f := m.find(content)
		switch {
		case (f == nil) != errors.Is(err, ErrNotFound):
			t.Fatalf("%q: %v, want %+v", content, err, f)
		case f != nil && (info.Size != int64(len(content)) || info.Pins != f.pins || info.Used.Sub(f.used).Abs() > time.Microsecond):
			t.Fatalf("%q: %+v, want %+v", content, info, f)
		}
		_, err = os.Stat(filepath.Join(m.dir, nameOf(sumOf(content))))
		if (f == nil) != errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%q on the disk: %v, want %+v", content, err, f)
		}
	}
}

// TestModel does anything in any order, and compares the store with the model after
// each step.
func TestModel(t *testing.T) {
	top := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		dir := filepath.Join(top, fmt.Sprint(run))
		m := &machine{dir: dir, clock: time.Now().Add(-240 * time.Hour).Round(0)}
		m.config = Config{Dir: dir, MaxBytes: rapid.Int64Range(20, 100).Draw(t, "MaxBytes"), MaxFiles: rapid.Int64Range(1, 6).Draw(t, "MaxFiles"),
			MaxFileBytes: rapid.Int64Range(10, 40).Draw(t, "MaxFileBytes"), TTL: time.Hour}
		m.open(t)
		defer func() {
			for len(m.held) > 0 {
				m.release(0)
			}
			if err := errors.Join(m.store.Close(), os.RemoveAll(dir)); err != nil {
				t.Error(err)
			}
		}()
		t.Repeat(map[string]func(*rapid.T){"": m.Check, "put": m.Put, "get": m.Get, "read": m.Read, "close": m.Close,
			"delete": m.Delete, "sweep": m.Sweep, "reopen": m.Reopen})
	})
}
