package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cordon/internal/testkit"
	"go.uber.org/goleak"
)

// childVar names what this program does when a test starts it as a process of its own.
const childVar = "CORDON_STORE_TEST_CHILD"

var children = map[string]func(dir string) error{"putting": putting, "small files": smallFiles, "full disk": fullDisk}

func TestMain(m *testing.M) {
	name, dir, child := strings.Cut(os.Getenv(childVar), "=")
	if !child {
		goleak.VerifyTestMain(m)
		return
	}
	if err := children[name](dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// hangGuard ends a test that would hang; it is no claim about speed.
const hangGuard = time.Minute

// opened is a store of a test.
type opened struct {
	*Store
	dir string
	log *testkit.Journal
}

func small() Config { return Config{MaxBytes: 1 << 20, MaxFiles: 100, MaxFileBytes: 1 << 19} }

// open opens a store in a directory of its own, or in the one that c names.
func open(t testing.TB, c Config) *opened {
	t.Helper()
	if c.Dir == "" {
		c.Dir = filepath.Join(t.TempDir(), "files")
	}
	log := &testkit.Journal{}
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	o := &opened{s, c.Dir, log}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

func sumOf(content string) string {
	h := sha256.Sum256([]byte(content))
	return hex.EncodeToString(h[:])
}

// put puts content that must be taken, and says whether it was new.
func (o *opened) put(t testing.TB, content string) (sum string, created bool) {
	t.Helper()
	sum = sumOf(content)
	created, err := o.Put(context.Background(), sum, int64(len(content)), strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return sum, created
}

// puts puts content of which each must be new.
func (o *opened) puts(t testing.TB, contents ...string) (sums []string) {
	t.Helper()
	for _, c := range contents {
		sum, created := o.put(t, c)
		if !created {
			t.Errorf("%q was there already", c)
		}
		sums = append(sums, sum)
	}
	return sums
}

func (o *opened) get(t testing.TB, sum string) *File {
	t.Helper()
	f, err := o.Get(sum)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// read is the content of a file in use.
func read(t testing.TB, f *File) string {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// have says which of these can be had, without using them.
func (o *opened) have(sums ...string) (out []bool) {
	for _, sum := range sums {
		_, err := o.Stat(sum)
		out = append(out, err == nil)
	}
	return out
}

// onDisk are the files of a directory by name; that each holds what its name says is
// looked at here.
func onDisk(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	names, err := filepath.Glob(filepath.Join(dir, "??", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(name)
		if sumOf(string(text)) != base || filepath.Base(filepath.Dir(name)) != base[:2] {
			t.Errorf("%s holds %d bytes of something else", name, len(text))
		}
		if info, err := os.Stat(name); err != nil || info.Mode() != keptMode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		out[base] = int64(len(text))
	}
	return out
}

// sound holds a store that nobody uses against its own directory.
func (o *opened) sound(t testing.TB) {
	t.Helper()
	found := onDisk(t, o.dir)
	unfinished, err := filepath.Glob(filepath.Join(o.dir, incomingDir, "*"))
	if err != nil || len(unfinished) > 0 {
		t.Errorf("left below incoming: %v, %v", unfinished, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var bytes int64
	for sum, e := range o.index {
		if size, there := found[sum]; !there || size != e.size {
			t.Errorf("%s: %d bytes in the index, %d on the disk (there: %t)", sum, e.size, size, there)
		}
		if e.pins != 0 || e.place == nil || e.gone {
			t.Errorf("%s is taken for used: %+v", sum, e)
		}
		bytes += e.size
	}
	all := amount{int64(len(o.index)), bytes}
	if len(found) != len(o.index) || o.idle.Len() != len(o.index) || o.whole != all || o.unused != all {
		t.Errorf("%d on the disk, %d in the index, %d idle; whole %+v, unused %+v, really %+v", len(found), len(o.index), o.idle.Len(), o.whole, o.unused, all)
	}
	if o.writing != (amount{}) || o.leaving != (amount{}) || o.users != 0 {
		t.Errorf("writing %+v, leaving %+v, %d users", o.writing, o.leaving, o.users)
	}
	if all.bytes > o.config.MaxBytes || all.files > o.config.MaxFiles {
		t.Errorf("%+v is more than allowed", all)
	}
}
